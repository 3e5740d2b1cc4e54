"""Messages to an owner's server: wrapped, signed, bounded, and retried according to the plan."""

import base64
import hashlib
import hmac
import json
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bargein.ports import ServerError
from bargein.webhooks.sender import MAX_ANSWER_BYTES
from tests.webhooks.receiver import NEVER, Got, Receiver, as_json, response
from tests.webhooks.sending import plan, sending

pytestmark = pytest.mark.anyio

MESSAGE = {"type": "tool-calls", "text": "Grüße \U0001f600 \ud800"}


async def refusal(server: dict[str, Any], **more: Any) -> ServerError:
    async with sending() as parts:
        with pytest.raises(ServerError) as found:
            await parts.sender.ask(server, MESSAGE, **more)
    return found.value


async def test_watch_is_called_with_the_outcome_of_each_message() -> None:
    outcomes: list[tuple[str, str]] = []
    async with Receiver([{}, as_json({}, 500), {}, as_json({}, 404)]) as receiver, sending() as parts:
        parts.sender.watch = lambda kind, outcome: outcomes.append((kind, outcome))
        server = {"url": receiver.url}
        await parts.sender.ask(server, MESSAGE)
        with pytest.raises(ServerError):
            await parts.sender.ask(server, MESSAGE)
        await parts.sender.post(server, {"type": "hang"})
        with pytest.raises(ServerError):
            await parts.sender.post(server, {"type": "hang"})
        with pytest.raises(ServerError):
            await parts.sender.post({"url": "ftp://here"}, {"type": "hang"})
    assert outcomes == [
        ("tool-calls", "taken"),
        ("tool-calls", "status"),
        ("hang", "taken"),
        ("hang", "status"),
        ("hang", "invalid"),
    ]


async def test_a_message_is_wrapped_and_the_answer_returned() -> None:
    async with Receiver([{"results": []}]) as receiver, sending() as parts:
        server = {"url": f"{receiver.url}?a=b", "secret": "hush", "headers": {"X-Team": "7", "x-vapi-secret": "old"}}
        assert await parts.sender.ask(server, MESSAGE) == {"results": []}
    (got,) = receiver.got
    assert (got.method, got.path) == ("POST", "/hook?a=b")
    assert got.message["type"] == "tool-calls"
    assert got.message["text"].startswith("Grüße \U0001f600")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-vapi-secret"] == "hush"
    assert got.headers["x-team"] == "7"
    assert "idempotency-key" not in got.headers


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response(200, b"<html>", "text/html"), "invalid"),
        (response(200, b""), "invalid"),
        (as_json([1]), "invalid"),
        (response(200, b"[" * 200_000), "invalid"),
        (response(200, json.dumps({"result": "x" * 5_000_000}).encode()), "invalid"),
        (as_json({}, 500), "status"),
        (as_json({}, 404), "status"),
        (b"this is not HTTP\r\n\r\n", "unreachable"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "timeout"),
        (NEVER, "timeout"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_an_error_with_a_reason(answer: Any, reason: str) -> None:
    async with Receiver([answer]) as receiver:
        error = await refusal({"url": receiver.url}, timeout_s=0.5)
    assert error.reason == reason
    assert "127.0.0.1" not in str(error)


async def test_a_second_answer_on_the_same_connection_is_dropped() -> None:
    async with Receiver([as_json({"n": 1}) + as_json({"n": 2}), {"n": 3}]) as receiver, sending() as parts:
        assert await parts.sender.ask({"url": receiver.url}, MESSAGE) == {"n": 1}
        assert await parts.sender.ask({"url": receiver.url}, MESSAGE) == {"n": 3}


async def test_an_answer_of_the_maximum_length_is_accepted() -> None:
    body = json.dumps({"r": ""}).encode()
    longest = json.dumps({"r": "x" * (MAX_ANSWER_BYTES - len(body))}).encode()
    async with Receiver([response(200, longest)]) as receiver, sending() as parts:
        answer = await parts.sender.ask({"url": receiver.url}, MESSAGE)
    assert len(answer["r"]) == MAX_ANSWER_BYTES - len(body)


@pytest.mark.parametrize("url", ["ftp://x/", "http:///", "", None, "http://[", "ws://x/"])
async def test_an_invalid_url_is_an_error(url: Any) -> None:
    assert (await refusal({"url": url})).reason == "invalid"


@pytest.mark.parametrize("headers", [{"X\r\nEvil": "1"}, {"X": "1\r\nEvil: 2"}, {"X": "ü"}, {"": "1"}, {" X": "1"}])
async def test_headers_that_would_break_the_request_are_refused(headers: dict[str, str]) -> None:
    async with Receiver() as receiver:
        assert (await refusal({"url": receiver.url, "headers": headers})).reason == "invalid"
        assert receiver.got == []


async def test_nothing_listens() -> None:
    assert (await refusal({"url": "http://127.0.0.1:1/"})).reason == "unreachable"


class TestBackoff:
    async def test_without_a_plan_nothing_is_retried(self) -> None:
        async with Receiver([as_json({}, 500), {}]) as receiver:
            assert (await refusal({"url": receiver.url})).reason == "status"
        assert len(receiver.got) == 1

    @pytest.mark.parametrize("bad", [as_json({}, 500), as_json({}, 429), as_json({}, 404), response(301, b"")])
    async def test_any_status_but_2xx_is_retried(self, bad: bytes) -> None:
        backoff = {"type": "fixed", "maxRetries": 2, "baseDelaySeconds": 0}
        async with Receiver([bad, bad, {"ok": True}]) as receiver, sending() as parts:
            assert await parts.sender.ask({"url": receiver.url, "backoffPlan": backoff}, MESSAGE) == {"ok": True}
        assert len(receiver.got) == 3
        assert len({got.body for got in receiver.got}) == 1

    async def test_at_most_as_often_as_the_plan_allows(self) -> None:
        backoff = {"type": "fixed", "maxRetries": 2, "baseDelaySeconds": 0}
        async with Receiver([as_json({}, 500)]) as receiver:
            assert (await refusal({"url": receiver.url, "backoffPlan": backoff})).reason == "status"
        assert len(receiver.got) == 3

    async def test_an_excluded_status_is_final(self) -> None:
        plan = {"type": "fixed", "maxRetries": 5, "baseDelaySeconds": 0, "excludedStatusCodes": [404, "500"]}
        for status in (404, 500):
            async with Receiver([as_json({}, status)]) as receiver:
                await refusal({"url": receiver.url, "backoffPlan": plan})
            assert len(receiver.got) == 1

    async def test_an_exponential_plan_waits_twice_as_long_each_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[float] = []
        real = anyio.sleep

        async def sleep(seconds: float) -> None:
            waited.append(seconds)
            await real(0)

        monkeypatch.setattr("bargein.webhooks.backoff.anyio.sleep", sleep)
        backoff = {"type": "exponential", "maxRetries": 3, "baseDelaySeconds": 0.5}
        async with Receiver([as_json({}, 503)]) as receiver:
            await refusal({"url": receiver.url, "backoffPlan": backoff})
        assert waited == [0.5, 1.0, 2.0]

    async def test_the_time_limit_of_a_request_includes_all_attempts(self) -> None:
        backoff = {"type": "fixed", "maxRetries": 10, "baseDelaySeconds": 10}
        async with Receiver([as_json({}, 500)]) as receiver:
            with anyio.fail_after(5):
                error = await refusal({"url": receiver.url, "backoffPlan": backoff}, timeout_s=0.3)
        assert error.reason == "timeout"


async def sent(credential: dict[str, Any], **server: Any) -> Got:
    """Return the request that a receiver gets from a server with this credential."""
    async with Receiver() as receiver, sending(cred=credential) as parts:
        await parts.sender.post({"url": receiver.url, "credentialId": "cred", **server}, MESSAGE)
    (got,) = receiver.got
    return got


class TestAuthentication:
    async def test_bearer(self) -> None:
        assert (await sent(plan(type="bearer", token="t0k"))).headers["authorization"] == "Bearer t0k"

    async def test_bearer_in_a_custom_header(self) -> None:
        given = plan(type="bearer", token="t0k", headerName="X-Vapi-Secret", bearerPrefixEnabled=False)
        got = await sent(given)
        assert got.headers["x-vapi-secret"] == "t0k"
        assert "authorization" not in got.headers

    async def test_the_owners_header_overrides_the_credential(self) -> None:
        got = await sent(plan(type="bearer", token="t0k"), headers={"Authorization": "mine"})
        assert got.headers["authorization"] == "mine"

    async def test_hmac_with_its_defaults(self) -> None:
        got = await sent(plan(type="hmac", secretKey="k", algorithm="sha256"))
        stamp = got.headers["x-timestamp"]
        expected = hmac.new(b"k", stamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()
        assert got.headers["x-signature"] == expected
        assert 1_700_000_000 < int(stamp) < 100_000_000_000  # seconds

    async def test_hmac_without_a_timestamp(self) -> None:
        given = plan(type="hmac", secretKey="k", algorithm="sha512", includeTimestamp=False, signaturePrefix="sha512=")
        got = await sent(given)
        assert got.headers["x-signature"] == "sha512=" + hmac.new(b"k", got.body, hashlib.sha512).hexdigest()
        assert "x-timestamp" not in got.headers

    async def test_hmac_in_the_format_of_svix(self) -> None:
        given = plan(
            type="hmac",
            secretKey=base64.b64encode(b"key").decode(),
            secretIsBase64=True,
            algorithm="sha256",
            signatureHeader="svix-signature",
            timestampHeader="svix-timestamp",
            messageIdHeader="svix-id",
            signaturePrefix="v1,",
            signatureEncoding="base64",
            payloadFormat="{svix-id}.{timestamp}.{body}",
        )
        got = await sent(given)
        signed = f"{got.headers['svix-id']}.{got.headers['svix-timestamp']}.".encode() + got.body
        expected = base64.b64encode(hmac.new(b"key", signed, hashlib.sha256).digest()).decode()
        assert got.headers["svix-signature"] == f"v1,{expected}"

    async def test_hmac_does_not_expand_values_that_it_inserted(self) -> None:
        async with (
            Receiver() as receiver,
            sending(
                cred=plan(type="hmac", secretKey="k", algorithm="sha1", payloadFormat="{method} {url}|{body}")
            ) as parts,
        ):
            await parts.sender.post({"url": receiver.url, "credentialId": "cred"}, {"type": "x", "a": "{timestamp}"})
        (got,) = receiver.got
        signed = f"POST {receiver.url}|".encode() + got.body
        assert got.headers["x-signature"] == hmac.new(b"k", signed, hashlib.sha1).hexdigest()

    @pytest.mark.parametrize(
        "given",
        [
            plan(type="hmac", secretKey="%%", algorithm="sha256", secretIsBase64=True),
            plan(type="hmac", secretKey="k", algorithm="md5"),
            plan(type="bearer", token="a\r\nb: c"),
            plan(type="bearer"),
            plan(type="basic"),
        ],
    )
    async def test_a_credential_that_cannot_be_used_sends_nothing(self, given: dict[str, Any]) -> None:
        async with Receiver() as receiver, sending(cred=given) as parts:
            with pytest.raises(ServerError) as refused:
                await parts.sender.ask({"url": receiver.url, "credentialId": "cred"}, MESSAGE)
            assert receiver.got == []
        assert refused.value.reason == "invalid"

    async def test_an_unknown_credential_sends_nothing(self) -> None:
        async with Receiver() as receiver:
            assert (await refusal({"url": receiver.url, "credentialId": "gone"})).reason == "invalid"
            assert receiver.got == []

    async def test_an_inline_credential_overrides_a_stored_one(self) -> None:
        inline = [{"name": "cred", **plan(type="bearer", token="inline")}]
        async with Receiver() as receiver, sending(cred=plan(type="bearer", token="stored")) as parts:
            await parts.sender.post({"url": receiver.url, "credentialId": "cred"}, MESSAGE, inline=inline)
        assert receiver.got[0].headers["authorization"] == "Bearer inline"

    async def test_userinfo_in_the_url_is_basic_authentication(self) -> None:
        async with Receiver() as receiver, sending() as parts:
            await parts.sender.post({"url": receiver.url.replace("//", "//ada:pw@")}, MESSAGE)
        assert receiver.got[0].headers["authorization"] == "Basic " + base64.b64encode(b"ada:pw").decode()


class TestOAuth2:
    def plan(self, tokens: Receiver) -> dict[str, Any]:
        return plan(type="oauth2", url=tokens.url, clientId="me", clientSecret="s&cret", scope="a b")

    async def test_a_token_is_fetched_once_and_used_until_it_expires(self) -> None:
        answers = [{"access_token": "one", "token_type": "Bearer", "expires_in": 3600}]
        async with (
            Receiver(answers) as tokens,
            Receiver() as receiver,
            sending(cred=self.plan(tokens)) as parts,
            anyio.create_task_group() as tasks,
        ):
            server = {"url": receiver.url, "credentialId": "cred"}
            for _ in range(5):
                tasks.start_soon(parts.sender.post, server, MESSAGE)
        assert {got.headers["authorization"] for got in receiver.got} == {"Bearer one"}
        assert len(receiver.got) == 5
        (asked,) = tokens.got
        assert asked.body == b"grant_type=client_credentials&client_id=me&client_secret=s%26cret&scope=a+b"

    async def test_a_token_that_expired_is_fetched_anew(self) -> None:
        answers = [{"access_token": "one", "expires_in": 0.01}, {"access_token": "two", "expires_in": 60}]
        async with Receiver(answers) as tokens, Receiver() as receiver, sending(cred=self.plan(tokens)) as parts:
            for _ in range(2):
                await parts.sender.post({"url": receiver.url, "credentialId": "cred"}, MESSAGE)
                await anyio.sleep(0.02)
        assert [got.headers["authorization"] for got in receiver.got] == ["Bearer one", "Bearer two"]

    async def test_a_refused_token_is_replaced_once(self) -> None:
        answers = [{"access_token": "one", "expires_in": 60}, {"access_token": "two", "expires_in": 60}]
        refuses = [as_json({}, 401), {"ok": True}]
        async with Receiver(answers) as tokens, Receiver(refuses) as receiver, sending(cred=self.plan(tokens)) as parts:
            assert await parts.sender.ask({"url": receiver.url, "credentialId": "cred"}, MESSAGE) == {"ok": True}
        assert [got.headers["authorization"] for got in receiver.got] == ["Bearer one", "Bearer two"]
        assert receiver.got[0].body == receiver.got[1].body

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (as_json({}, 400), "status"),
            ({}, "invalid"),
            ({"access_token": "a\nb"}, "invalid"),
            (response(200, b"<html>"), "invalid"),
            (response(200, b"x" * 100_000), "invalid"),
        ],
    )
    async def test_no_token_no_message(self, answer: Any, reason: str) -> None:
        async with Receiver([answer]) as tokens, Receiver() as receiver, sending(cred=self.plan(tokens)) as parts:
            with pytest.raises(ServerError) as refused:
                await parts.sender.ask({"url": receiver.url, "credentialId": "cred"}, MESSAGE)
            assert receiver.got == []
        assert refused.value.reason == reason
        assert "s&cret" not in str(refused.value)


class TestEncryption:
    KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def credential(self, pem: str | None = None) -> dict[str, Any]:
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = pem or self.KEY.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()
        key = {"format": "spki-pem", "pem": pem}
        encryption = {"type": "public-key", "algorithm": "RSA-OAEP-256", "publicKey": key}
        return {**plan(type="bearer", token="t"), "encryptionPlan": encryption}

    def decrypted(self, text: str) -> str:
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
        return self.KEY.decrypt(base64.b64decode(text), oaep).decode()

    async def test_only_the_named_arguments_are_encrypted_in_all_places(self) -> None:
        arguments = {"ssn": "078-05-1120", "payment": {"cardNumber": "4111", "cvc": 123}, "name": "Ada"}
        call = {
            "id": "c", "type": "function", "parameters": arguments, "arguments": arguments,
            "function": {"name": "pay", "arguments": json.dumps(arguments)},
        }  # fmt: skip
        schema = {"type": "object", "properties": {"ssn": {"type": "string"}}}
        tool = {"type": "function", "function": {"name": "pay", "parameters": schema}, "toolCall": call}
        message = {"type": "tool-calls", "toolCallList": [call], "toolCalls": [call], "toolWithToolCallList": [tool]}
        message["functionCall"] = {"name": "pay", "parameters": arguments}
        paths = ["ssn", "$.payment.cvc", "payment.none", "name.deeper"]
        async with Receiver() as receiver, sending(cred=self.credential()) as parts:
            server = {"url": receiver.url, "credentialId": "cred", "encryptedPaths": paths}
            await parts.sender.post(server, message)
        (got,) = receiver.got
        assert b"078-05-1120" not in got.body
        assert got.message["toolWithToolCallList"][0]["function"] == tool["function"]
        assert self.decrypted(got.message["functionCall"]["parameters"]["ssn"]) == "078-05-1120"
        calls = [got.message["toolCallList"][0], got.message["toolCalls"][0]]
        calls.append(got.message["toolWithToolCallList"][0]["toolCall"])
        for one in calls:
            for found in (one["parameters"], one["arguments"], json.loads(one["function"]["arguments"])):
                assert self.decrypted(found["ssn"]) == "078-05-1120"
                assert self.decrypted(found["payment"]["cvc"]) == "123"
                assert (found["payment"]["cardNumber"], found["name"]) == ("4111", "Ada")

    @pytest.mark.parametrize("why", ["too long", "no key", "no plan", "broken arguments"])
    async def test_a_failed_encryption_sends_nothing(self, why: str) -> None:
        credential = self.credential("no pem" if why == "no key" else None)
        if why == "no plan":
            del credential["encryptionPlan"]
        text = "{" if why == "broken arguments" else json.dumps({"ssn": "x" * (300 if why == "too long" else 3)})
        message = {"type": "tool-calls", "toolCallList": [{"function": {"name": "f", "arguments": text}}]}
        async with Receiver() as receiver, sending(cred=credential) as parts:
            server = {"url": receiver.url, "credentialId": "cred", "encryptedPaths": ["ssn"]}
            with pytest.raises(ServerError) as refused:
                await parts.sender.ask(server, message)
            assert receiver.got == []
        assert refused.value.reason == "invalid"
