"""Inbound calls on a stored number: the number's assistant answers, or the one that the owner's server names."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from typing_extensions import override

from bargein.ports import ChatMessage, Model, SpeechChunk, Voice
from bargein.server.calls import inbound
from bargein.testing import FakeTranscriber, LlmScript, TimedReply, TranscriberScript
from bargein.wire.base import JsonObject
from tests.call.harness import DetectorOnly, ended, joining, running, stored
from tests.call.stage import staged
from tests.webhooks.receiver import NEVER, Got, Receiver, as_json, response

pytestmark = pytest.mark.anyio

CUSTOMER = {"number": "+15551234567", "name": "Ada"}
NUMBER = {"provider": "twilio", "number": "+15550001111", "twilioAccountSid": "AC0", "twilioAuthToken": "hush"}
SAYS = TranscriberScript(timed=[TimedReply(200, "Tell me a story."), TimedReply(1500, "Stop that.")])


def hands_over(_: dict[str, Any]) -> LlmScript:
    """Return a squad in which Ada hands off to Bea as soon as the caller speaks."""
    return LlmScript(tokens=[], calls=[("handoff_to_Bea", "{}")])


async def post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=20) as client:
        answer = await client.post(f"{url}{path}", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def ring(url: str, name: str | None = None, **number: Any) -> dict[str, Any]:
    """Store a number and call it."""
    made = await post(url, "/phone-number", NUMBER | number)
    return await post(url, f"/phone-number/{name or made['id']}/ring", {"customer": CUSTOMER})


async def test_the_numbers_assistant_takes_the_call_and_its_messages_name_the_number(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path, transcriber=SAYS) as stage:
        given = stage.assistant(stopSpeakingPlan={"numWords": 1})
        assistant = await post(stage.url, "/assistant", given)
        call = await ring(stage.url, assistantId=assistant["id"], server={"url": receiver.url, "secret": "s3"})
        assert (call["type"], call["status"]) == ("inboundPhoneCall", "queued")
        assert call["transport"]["audioFormat"]["sampleRate"] == 16_000
        assert call["customer"] == CUSTOMER
        (waits,) = await receiver.until(lambda: receiver.of("status-update"))
        async with joining(stage.url, call) as caller:
            (cut,) = await caller.until(lambda: caller.of("user-interrupted"))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await receiver.until(lambda: receiver.of("end-of-call-report"))
    assert [m["status"] for m in receiver.of("status-update")] == ["queued", "in-progress", "ended"]
    for message in (waits, cut, receiver.of("user-interrupted")[0], receiver.of("end-of-call-report")[0]):
        assert message["customer"] == CUSTOMER
        assert message["phoneNumber"]["number"] == NUMBER["number"]
        assert message["call"]["type"] == "inboundPhoneCall"
        assert message["call"]["phoneNumberId"] == message["phoneNumber"]["id"]
    assert "assistant-request" not in receiver.kinds
    assert {got.headers["x-vapi-secret"] for got in receiver.got} == {"s3"}  # the number's server, for lack of another
    assert b"hush" not in b"".join(got.body for got in receiver.got) + json.dumps(cut).encode()


async def test_a_public_receiver_names_a_transient_assistant(tmp_path: Path) -> None:
    """A typical receiver: it verifies the secret, answers `assistant-request` and accepts the rest."""

    def answer(got: Got) -> Any:
        if got.headers.get("x-vapi-secret") != "s3":
            return as_json({"error": "Unauthorized"}, 401)
        if got.message["type"] != "assistant-request":
            return {}
        greeting = {"firstMessage": "Hello {{who}}.", "firstMessageMode": "assistant-speaks-first"}
        transient = stage.assistant(**greeting, serverMessages=["end-of-call-report"], server=hook)
        return {"assistant": transient, "assistantOverrides": {"variableValues": {"who": "Ada"}}}

    async with Receiver([answer]) as receiver, staged(tmp_path) as stage:
        hook = {"url": receiver.url, "secret": "s3"}
        call = await ring(stage.url, name="%2B15550001111", server=hook)  # by the number itself
        async with joining(stage.url, call) as caller:
            await caller.until(lambda: caller.of("transcript", role="assistant", transcriptType="final"))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        (report,) = await receiver.until(lambda: receiver.of("end-of-call-report"))
    asked = receiver.got[0].message
    assert asked["type"] == "assistant-request"
    assert asked["call"]["id"] == call["id"]
    assert (asked["call"]["type"], asked["call"]["status"]) == ("inboundPhoneCall", "ringing")
    assert asked["phoneNumber"]["number"] == NUMBER["number"]
    assert asked["customer"] == CUSTOMER
    assert "assistant" not in asked
    assert "Hello Ada." in [message["message"] for message in report["artifact"]["messages"]]


@pytest.mark.parametrize("named_by", ["the number", "an id", "the answer"])
async def test_a_squad_takes_the_call_and_its_members_hand_it_on(tmp_path: Path, named_by: str) -> None:
    async with staged(tmp_path, llm=hands_over) as stage, FakeTranscriber() as silent:
        hears_nothing = {"provider": "custom-transcriber", "server": {"url": silent.url}}
        squad = {
            "members": [
                {
                    "assistant": stage.assistant(name="Ada", firstMessageMode="assistant-waits-for-user"),
                    "assistantDestinations": [{"type": "assistant", "assistantName": "Bea"}],
                },
                {"assistant": stage.speaker("Bea here, {{who}}.", name="Bea", transcriber=hears_nothing)},
            ],
        }
        async with Receiver([lambda got: answer if got.message["type"] == "assistant-request" else {}]) as receiver:
            server = {"url": receiver.url}
            for member in squad["members"]:
                member["assistant"] |= {"server": server}  # type: ignore[operator]
            overrides = {"variableValues": {"who": "caller"}}
            if named_by == "the answer":
                answer = {"squad": squad, "squadOverrides": overrides}
                call = await ring(stage.url, server=server)
            else:
                kept = await post(stage.url, "/squad", squad | {"membersOverrides": overrides})
                answer = {"squadId": kept["id"]}
                call = await ring(stage.url, **(answer if named_by == "the number" else {"server": server}))
                assert call["squadId"] == kept["id"]
            assert call["status"] == "queued", call
            async with joining(stage.url, call) as caller:
                await caller.until(lambda: caller.of("transcript", transcript="Bea here, caller."))
                await caller.send({"type": "end-call"})
                await caller.until_closed()
            (report,) = await receiver.until(lambda: receiver.of("end-of-call-report"))
    assert [m["newAssistant"]["name"] for m in receiver.of("assistant.started")] == ["Ada", "Bea"]
    assert report["call"]["id"] == call["id"]
    assert report["phoneNumber"]["number"] == NUMBER["number"]
    assert report["endedReason"] == "customer-ended-call"


async def test_a_squad_that_went_away_ends_the_call(tmp_path: Path) -> None:
    async with running(tmp_path) as server, httpx.AsyncClient(base_url=server.url) as client:
        kept = await post(server.url, "/squad", {"members": [{"assistant": {}}]})
        refused = await client.post("/phone-number", json=NUMBER | {"squadId": "gone"})
        assert (refused.status_code, refused.json()["message"]) == (400, "There is no squad with the id gone.")
        number = await post(server.url, "/phone-number", NUMBER | {"squadId": kept["id"]})
        await client.delete(f"/squad/{kept['id']}")
        call = await post(server.url, f"/phone-number/{number['id']}/ring", {})
    assert (call["status"], call["endedReason"]) == ("ended", "call.start.error-get-assistant")
    assert kept["id"] in call["endedMessage"]


class Speaking(DetectorOnly):
    """Embedded providers with a voice, for a call without an assistant."""

    class _Voice(Voice):
        @override
        async def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
            assert text
            yield SpeechChunk(np.full(3200, 1000, np.int16), 16_000)

    class _Transcriber:
        lag_ms = 0

        def open(self, on_transcript: Any) -> Any:
            return self

        def feed(self, *_: Any) -> None: ...

        def expect(self, *_: Any) -> None: ...

        def voice_started(self, *_: Any) -> None: ...

        def voice_paused(self) -> None: ...

        def voice_resumed(self) -> None: ...

        def voice_stopped(self) -> None: ...

        async def run(self) -> None:
            await anyio.sleep_forever()

    class _Model(Model):
        @override
        def reply(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()) -> Any:
            raise AssertionError("nobody asks it")

    voice: Any = _Voice()
    model: Any = _Model()

    def transcriber_of(self, _tags: Sequence[str]) -> Any:
        return self._Transcriber()


async def test_an_error_is_spoken_and_then_the_call_ends(tmp_path: Path) -> None:
    async with Receiver([{"error": "All our agents are busy."}]) as receiver, running(tmp_path, Speaking()) as server:
        call = await ring(server.url, server={"url": receiver.url})
        assert call["status"] == "queued"
        async with joining(server.url, call) as caller:
            assert await caller.until_closed(8) == 1000
        assert await ended(server.url, call["id"]) == "assistant-request-returned-error"
        await receiver.until(lambda: receiver.of("end-of-call-report"))
    assert caller.audio
    (told,) = caller.of("status-update", status="ended")
    assert told["endedReason"] == "assistant-request-returned-error"
    assert caller.of("transcript", role="assistant")[-1]["transcript"] == "All our agents are busy."
    assert receiver.of("end-of-call-report")[0]["endedReason"] == "assistant-request-returned-error"


INVALID = "assistant-request-returned-invalid-assistant"
FORWARDING = "assistant-request-returned-forwarding-phone-number"
SHORT = {"maxDurationSeconds": 1}
OF_NOBODY = [
    ({}, "assistant-request-returned-no-assistant"),
    ({"assistantOverrides": {}}, "assistant-request-returned-no-assistant"),
    ({"assistantId": "gone"}, INVALID),
    ({"assistant": {"firstMessageMode": "shout"}}, INVALID),
    ({"assistant": {}, "assistantOverrides": SHORT}, INVALID),
    ({"assistant": "Ada"}, INVALID),
    ({"squadId": "gone"}, INVALID),
    ({"squad": {"members": []}}, INVALID),
    ({"squad": {"members": [{"assistantId": "gone"}]}}, INVALID),
    ({"squad": {"members": [{"assistant": {}, "assistantOverrides": SHORT}]}}, INVALID),
    ({"squad": {"members": [{"assistant": {}}], "membersOverrides": {"model": {}}}}, INVALID),
    ({"squad": {"members": [{"assistant": {}}]}, "squadOverrides": SHORT}, INVALID),
    ({"squad": {"members": [{"assistant": {}}]}, "assistant": {}}, INVALID),
    ({"destination": {"type": "number", "number": "+15550002222"}}, FORWARDING),
    ({"error": ""}, "assistant-request-returned-unspeakable-error"),
    ({"error": "x" * 5000}, "assistant-request-returned-unspeakable-error"),
    ({"error": {"code": 7}}, "assistant-request-returned-unspeakable-error"),
    (response(200, b"<html>"), "assistant-request-failed"),
    (response(302, b""), "assistant-request-failed"),
    (as_json({}, 500), "assistant-request-failed"),
    (NEVER, "assistant-request-failed"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "reason"), OF_NOBODY)
async def test_where_nobody_takes_the_call_it_ends_with_vapis_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, reason: str
) -> None:
    monkeypatch.setattr(inbound, "REQUEST_S", 0.5)
    script = [lambda got: answer if got.message["type"] == "assistant-request" else {}]
    async with Receiver(script) as receiver, running(tmp_path) as server:
        call = await ring(server.url, server={"url": receiver.url})
        assert (call["status"], call["endedReason"]) == ("ended", reason)
        assert call["endedMessage"]
        assert call["endedAt"]
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        async with joining(server.url, call, pump=False) as caller:
            assert await caller.until_closed(3) == 1008
    assert receiver.of("end-of-call-report")[0]["endedReason"] == reason
    if "destination" in call:
        assert call["destination"]["number"] == "+15550002222"


async def test_the_request_may_take_seven_seconds_and_a_half_whatever_the_settings_say() -> None:
    assert inbound.REQUEST_S == 7.5


async def test_a_number_without_assistant_and_server(tmp_path: Path) -> None:
    fallback = {"type": "number", "number": "+15550003333"}
    async with running(tmp_path) as server:
        call = await ring(server.url)
        assert call["endedReason"] == "call-start-error-neither-assistant-nor-server-set"
        call = await ring(server.url, fallbackDestination=fallback)
        assert call["endedReason"] == "call-start-error-neither-assistant-nor-server-set"
        assert call["destination"] == fallback


async def test_the_settings_server_is_asked_for_a_number_without_one(tmp_path: Path) -> None:
    async with Receiver([{}]) as org, running(tmp_path, server_url=org.url, server_secret="s4") as server:
        call = await ring(server.url)
    assert call["endedReason"] == "assistant-request-returned-no-assistant"
    assert org.got[0].headers["x-vapi-secret"] == "s4"


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ({"transport": {"audioFormat": {"sampleRate": 4}}}, "transport.audioFormat.sampleRate"),
        ({"transport": {"provider": "twilio"}}, "transport.provider"),
        ({"nonsense": 1}, "property nonsense should not exist"),
        ({"customer": {"number": "1"}}, "customer.number"),
    ],
)
async def test_a_ring_that_makes_no_sense_is_refused(tmp_path: Path, body: dict[str, Any], finding: str) -> None:
    async with running(tmp_path) as server, httpx.AsyncClient(base_url=server.url) as client:
        number = await post(server.url, "/phone-number", NUMBER)
        answer = await client.post(f"/phone-number/{number['id']}/ring", json=body)
        assert answer.status_code == 400
        assert finding in str(answer.json()["message"])
        assert (await client.post("/phone-number/gone/ring", json={})).status_code == 404
        assert (await client.get("/call")).json() == []


async def test_ringing_needs_the_private_key(tmp_path: Path) -> None:
    async with (
        running(tmp_path, api_key="k" * 32, public_key="p" * 32) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        for headers in ({}, {"Authorization": "Bearer " + "p" * 32}):
            assert (await client.post("/phone-number/x/ring", json={}, headers=headers)).status_code in (401, 403)


async def test_the_record_tells_what_was_said_to_the_caller(tmp_path: Path) -> None:
    async with Receiver([{"error": "Closed today."}]) as receiver, running(tmp_path, Speaking()) as server:
        call = await ring(server.url, server={"url": receiver.url})
        record = await stored(server.url, call["id"])
    assert record["inboundPhoneCallDebuggingArtifacts"] == {"assistantRequestError": "Closed today."}
