"""The tool `apiRequest`: its requests, its results, and the hosts that it refuses."""

import base64
import hashlib
import hmac
import json
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bargein.ports import ToolResult
from tests.tools.tool_calls import call, tools
from tests.webhooks.receiver import NEVER, Receiver, as_json, response
from tests.webhooks.sending import plan

pytestmark = pytest.mark.anyio

BODY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def tool(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "apiRequest", "name": "weather", "method": "POST", "url": url, "body": BODY, **more}


async def run(asked: dict[str, Any], arguments: dict[str, Any] | None = None, **settings: Any) -> ToolResult:
    async with tools(**settings) as runner:
        given = {"city": "Oslo"} if arguments is None else arguments
        return await runner.run(asked, call("weather", json.dumps(given)))


class TestRequest:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_the_models_arguments_are_the_body(self, method: str) -> None:
        async with Receiver([{"degrees": 4}]) as api:
            result = await run(tool(api.url, method=method))
        assert result == ToolResult('{"degrees": 4}')
        (got,) = api.got
        assert (got.method, got.json, got.headers["content-type"]) == (method, {"city": "Oslo"}, "application/json")

    async def test_get_puts_them_into_the_query(self) -> None:
        async with Receiver() as api:
            asked = tool(f"{api.url}/{{{{ city }}}}?units=metric", method="GET")
            await run(asked, {"city": "São/Paulo?&a=b", "days": 3, "parts": ["rain"], "none": None})
        (got,) = api.got
        assert got.path == "/hook/S%C3%A3o%2FPaulo%3F%26a%3Db?units=metric&days=3&parts=%5B%22rain%22%5D"
        assert got.body == b""

    async def test_delete_without_a_body_sends_none(self) -> None:
        async with Receiver() as api:
            await run({"type": "apiRequest", "method": "DELETE", "url": f"{api.url}/{{{{ id }}}}"}, {})
        assert api.got[0].body == b""

    async def test_templates_have_the_calls_variables_and_the_arguments(self) -> None:
        async with Receiver() as api:
            asked = tool(
                f"{api.url}/{{{{ tenant }}}}?who={{{{ customer.number | url_encode }}}}&c={{{{ city | upcase }}}}",
                headers={
                    "type": "object",
                    "properties": {
                        "X-Tenant": {"type": "string", "value": "{{ tenant }}"},
                        "X-City": {"type": "string", "value": "{{ city }}"},
                        "X-None": {"type": "string"},
                    },
                },
                parameters=[{"key": "caller", "value": "{{ customer.number }}"}, {"key": "city", "value": "Rome"}],
            )
            await run(asked, tenant="acme/eu", customer={"number": "+1555"})
        (got,) = api.got
        assert got.path == "/hook/acme/eu?who=%2B1555&c=OSLO"
        assert (got.headers["x-tenant"], got.headers["x-city"]) == ("acme/eu", "Oslo")
        assert "x-none" not in got.headers
        assert got.json == {"city": "Rome", "caller": "+1555"}

    async def test_headers_may_be_a_plain_object(self) -> None:
        async with Receiver() as api:
            await run(tool(api.url, headers={"X-Key": "{{ key }}", "Content-Type": "application/vnd.x+json"}), key="k")
        assert (api.got[0].headers["x-key"], api.got[0].headers["content-type"]) == ("k", "application/vnd.x+json")

    async def test_fixed_values_of_the_schema_are_filled_in_and_not_asked_for(self) -> None:
        body = {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "source": {"type": "string", "value": "phone {{ customer.number }}"},
                "meta": {
                    "type": "object",
                    "properties": {"v": {"type": "number", "const": 2}, "note": {"type": "string"}},
                    "required": ["v", "note"],
                },
                "fixed": {"type": "object", "properties": {"a": {"value": "b"}}},
            },
            "required": ["city", "source", "fixed"],
        }
        async with Receiver() as api, tools(customer={"number": "1"}) as runner:
            (declared,) = await runner.expand(tool(api.url, body=body, description="The weather"))
            await runner.run(declared, call("weather", '{"city": "Oslo", "meta": {"note": "n"}}'))
        assert declared["function"] == {
            "name": "weather",
            "description": "The weather",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "meta": {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]},
                },
                "required": ["city"],
            },
        }
        assert api.got[0].json == {
            "city": "Oslo", "source": "phone 1", "meta": {"note": "n", "v": 2}, "fixed": {"a": "b"},
        }  # fmt: skip

    async def test_without_a_body_or_a_name(self) -> None:
        async with tools() as runner:
            (declared,) = await runner.expand({"type": "apiRequest", "method": "GET", "url": "https://a.test"})
        assert declared["function"] == {"name": "api_request", "parameters": {"type": "object", "properties": {}}}


class TestHost:
    @pytest.mark.parametrize(
        ("path", "arguments"),
        [
            ("{{ city }}", {"city": "@evil.test/"}),
            ("{{ city }}/x", {"city": ".evil.test"}),
            (":{{ city }}@x/", {"city": "a"}),
        ],
    )
    async def test_the_model_cannot_change_it(self, path: str, arguments: dict[str, Any]) -> None:
        async with Receiver() as api:
            origin = f"http://127.0.0.1:{api.port}"
            result = await run(tool(origin + path), arguments)
        if result.failed:
            assert "evil" not in result.text
        else:  # the argument counted as empty, and the request went to the declared host
            assert api.got[0].headers["host"] == f"127.0.0.1:{api.port}"

    async def test_a_variable_of_the_call_can(self) -> None:
        async with Receiver() as api:
            result = await run(tool("{{ base }}/x"), base=f"http://127.0.0.1:{api.port}")
            assert result.failed
            result = await run(tool("http://{{ host }}:{{ port }}/x"), host="127.0.0.1", port=api.port)
        assert not result.failed
        assert api.got[0].path == "/x"

    @pytest.mark.parametrize("url", ["", "ftp://a.test/", "http://", "/x", "mailto:x@y", "https:///x"])
    async def test_odd_urls(self, url: str) -> None:
        result = await run(tool(url))
        assert result.failed
        assert result.text.startswith("Not run: its URL ")

    @pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\0"])
    async def test_odd_headers(self, value: str) -> None:
        async with Receiver() as api:
            result = await run(tool(api.url, headers={"X-Key": "{{ key }}"}), key=value)
        assert result.failed
        assert not api.got or "x-evil" not in api.got[0].headers

    async def test_private_addresses_are_refused_by_setting(self) -> None:
        async with Receiver() as api:
            result = await run(tool(api.url), allow_private=False)
        assert result.failed
        assert "private" in result.text
        assert "127.0.0.1" not in result.text
        assert api.got == []

    async def test_a_redirect_is_not_followed(self) -> None:
        async with Receiver() as inside:
            moved = response(307, b"", "text/plain", f"location: {inside.url}")
            async with Receiver([moved]) as api:
                result = await run(tool(api.url))
        assert result == ToolResult("The API answered with a redirect (HTTP 307), which is not followed.", failed=True)
        assert inside.got == []


class TestAnswer:
    @pytest.mark.parametrize(
        ("answer", "text", "failed"),
        [
            (response(200, b"plain words", "text/plain"), "plain words", False),
            (response(204, b""), "HTTP 204", False),
            (response(200, b"<html>hi</html>", "text/html; charset=utf-8"), "The API answered with an HTML page", True),
            (as_json({"error": "no such city"}, 404), 'The API answered HTTP 404: {"error": "no such city"}', True),
            (response(502, b"<html>secret stack</html>", "text/html"), "The API answered HTTP 502.", True),
            (response(200, b"x" * 5_000_000), "It failed: the API answered with more than 1048576 bytes.", True),
            (response(200, b"x" * 200_000), "The tool answered with 200000 characters; at most 100000", True),
            (b"what is this\r\n\r\n", "It failed: the API could not be reached or closed the connection", True),
        ],
    )
    async def test_each_kind(self, answer: bytes, text: str, failed: bool) -> None:
        async with Receiver([answer]) as api:
            with anyio.fail_after(10):
                result = await run(tool(api.url, timeoutSeconds=5))
        assert result.failed == failed
        assert result.text.startswith(text)

    @pytest.mark.parametrize("answer", [NEVER, b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"])
    async def test_a_response_that_never_comes_or_never_ends(self, answer: Any) -> None:
        async with Receiver([answer]) as api:
            with anyio.fail_after(5):
                result = await run(tool(api.url, timeoutSeconds=1))
        assert result == ToolResult("It failed: the API did not answer within 1 s.", failed=True)

    async def test_no_server(self) -> None:
        result = await run(tool("http://127.0.0.1:9/"))
        assert result == ToolResult(
            "It failed: the API could not be reached or closed the connection (ConnectError).", failed=True
        )

    async def test_variables_from_headers_and_body(self) -> None:
        async with Receiver([response(200, b'[{"name": "Ann"}]', "application/json", "Customer-Name: Lee")]) as api:
            aliases = [
                {"key": "a", "value": "{{ tool.response.headers.customer-name }}"},
                {"key": "b", "value": "{{$[0].name}}"},
            ]
            result = await run(tool(api.url, variableExtractionPlan={"aliases": aliases}))
            assert result.variables == {"a": "Lee", "b": "Ann"}
            api.script = [as_json([{"name": "Ann"}], 500)]
            failed = await run(tool(api.url, variableExtractionPlan={"aliases": aliases}))
        assert (failed.failed, failed.variables) == (True, None)


class TestBackoff:
    async def test_it_is_retried_according_to_the_plan(self) -> None:
        retry = {"type": "exponential", "maxRetries": 3, "baseDelaySeconds": 0}
        async with Receiver([as_json({}, 500), response(503, b""), {"ok": True}]) as api:
            result = await run(tool(api.url, backoffPlan=retry))
        assert result == ToolResult('{"ok": true}')
        assert [got.json for got in api.got] == [{"city": "Oslo"}] * 3

    async def test_without_a_plan_once(self) -> None:
        async with Receiver([as_json({}, 500)]) as api:
            assert (await run(tool(api.url))).failed
        assert len(api.got) == 1

    async def test_an_excluded_status_and_the_maximum_end_it(self) -> None:
        retry = {"type": "fixed", "maxRetries": 2, "baseDelaySeconds": 0, "excludedStatusCodes": [404]}
        async with Receiver([as_json({"no": 1}, 500)]) as api:
            result = await run(tool(api.url, backoffPlan=retry))
            assert result.text == 'The API answered HTTP 500: {"no": 1}'
            assert len(api.got) == 3
            api.script = [as_json({}, 404)]
            await run(tool(api.url, backoffPlan=retry))
            assert len(api.got) == 4


class TestCredentials:
    async def test_a_bearer_token(self) -> None:
        async with Receiver() as api:
            await run(tool(api.url, credentialId="c"), credentials={"c": plan(type="bearer", token="t0p")})
        assert api.got[0].headers["authorization"] == "Bearer t0p"

    async def test_a_signature_over_what_is_sent_each_time(self) -> None:
        credentials = {"c": plan(type="hmac", secretKey="k", algorithm="sha256", includeTimestamp=False)}
        retry = {"type": "fixed", "maxRetries": 1, "baseDelaySeconds": 0}
        async with Receiver([as_json({}, 500), {}]) as api:
            await run(tool(api.url, credentialId="c", backoffPlan=retry), credentials=credentials)
        for got in api.got:
            assert got.headers["x-signature"] == hmac.new(b"k", got.body, hashlib.sha256).hexdigest()
        assert len(api.got) == 2

    async def test_an_unknown_credential(self) -> None:
        async with Receiver() as api:
            result = await run(tool(api.url, credentialId="gone"))
        assert result.failed
        assert "credential" in result.text
        assert api.got == []

    async def test_encrypted_paths(self) -> None:
        key = rsa.generate_private_key(65537, 2048)
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()
        sealed = {
            **plan(type="bearer", token="t"),
            "encryptionPlan": {
                "type": "public-key",
                "algorithm": "RSA-OAEP-256",
                "publicKey": {"format": "spki-pem", "pem": pem},
            },
        }
        async with Receiver() as api:
            asked = tool(api.url, credentialId="c", encryptedPaths=["city"])
            await run(asked, credentials={"c": sealed})
            refused = await run({**asked, "credentialId": None}, credentials={"c": sealed})
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
        assert key.decrypt(base64.b64decode(api.got[0].json["city"]), oaep) == b"Oslo"
        assert refused.failed
        assert len(api.got) == 1
