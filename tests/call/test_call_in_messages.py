"""The call in every message: it is the call that the API returns, without secrets."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.testing import LlmScript, TimedReply, TranscriberScript
from bargein.wire.assistant import DEFAULT_SERVER_MESSAGES, Assistant, client_messages_of, server_messages_of
from bargein.wire.call import DEFINITIONS, call_in_messages
from bargein.wire.client_messages import CLIENT_MESSAGES
from tests.call.harness import Caller, create_call, joining, stored
from tests.call.stage import STORY, Stage, staged
from tests.call.test_server_messages import LEAN, check
from tests.sdk.test_messages import NUMBER as ELSEWHERE
from tests.webhooks.receiver import Got, Receiver

pytestmark = pytest.mark.anyio

VALUES = {"userId": "u-7"}
CUSTOMER = {"number": "+15551234567", "name": "Jo"}
SIP = {"provider": "vapi", "sipUri": "sip:x@sip.example.com"}
BOOK: dict[str, Any] = {
    "type": "function",
    "function": {"name": "book", "parameters": {"type": "object", "properties": {}}},
}
SUBSCRIBED = [
    "assistant.started", "assistant.speechStarted", "conversation-update", "end-of-call-report", "function-call",
    "hang", "model-output", "speech-update", "status-update", "tool-calls", "transcript", "transfer-update",
    "user-interrupted", "voice-input", "phone-call-control",
]  # fmt: skip
SENT = {*SUBSCRIBED, "assistant-request", "call.endpointing.request"} - {"hang"}
SAYS = TranscriberScript(
    timed=[TimedReply(200, "Tell me a story."), TimedReply(2500, "Stop, book it."), TimedReply(5000, "Forward me.")]
)
CHANGES = {"status", "updatedAt", "endedAt", "endedReason", "endedMessage", "startedAt", "artifactPlan"}
"""Fields that are not known from the beginning, or change."""
AFTER = {"messages", "artifact", "analysis", "summary", "cost", "costs", "costBreakdown", "destination", "durationMs",
         "durationSeconds", "durationMinutes"}  # fmt: skip
"""Fields that a call's record gets at its end, or that the messages about the end have beside the call."""


def answers(body: dict[str, Any]) -> LlmScript:
    last = body["messages"][-1]
    if last["role"] == "tool":
        return LlmScript(tokens=["Booked. "])
    if "story" in last["content"]:
        return STORY
    if "book" in last["content"]:
        return LlmScript(tokens=[], calls=[("book", '{"city": "Berlin"}')])
    return LlmScript(tokens=[], calls=[("transferCall", "{}")])


def given(stage: Stage, url: str, **more: Any) -> dict[str, Any]:
    """Return an assistant whose server is sent every kind of message of a call."""
    endpointing = {"provider": "custom-endpointing-model", "server": {"url": url}}
    made = stage.assistant(
        server={"url": url, "secret": "hush"},
        serverMessages=SUBSCRIBED,
        clientMessages=sorted(CLIENT_MESSAGES),
        startSpeakingPlan={"waitSeconds": 0, "smartEndpointingPlan": endpointing},
        stopSpeakingPlan={"numWords": 1},
        **more,
    )
    transfer = {"type": "transferCall", "destinations": [ELSEWHERE]}
    return {**made, "model": {**made["model"], "tools": [BOOK, transfer]}}


def same_call(told: dict[str, Any], returned: dict[str, Any], *, lean: bool = False) -> None:
    """Assert that a message's call is the one that the API returns, as far as it was known."""
    beside = CHANGES | AFTER | {"phoneNumber"} | (DEFINITIONS if lean else frozenset[str]())
    expected = call_in_messages(returned)
    assert {n: v for n, v in told.items() if n not in beside} == {n: v for n, v in expected.items() if n not in beside}
    for name in ("startedAt", "artifactPlan"):
        if told["status"] not in ("queued", "ringing"):
            assert told[name] == expected[name]


async def test_the_call_of_every_server_message_is_the_call_that_the_api_returns(tmp_path: Path) -> None:
    def answer(got: Got) -> Any:
        match got.message["type"]:
            case "assistant-request":
                return {
                    "assistant": {**given(stage, receiver.url), "metadata": {"of": "assistant"}},
                    "assistantOverrides": {"variableValues": VALUES},
                }
            case "call.endpointing.request":
                return {"timeoutSeconds": 0.1}
            case "tool-calls":
                return {"results": [{"toolCallId": got.message["toolCallList"][0]["id"], "result": "ok"}]}
            case _:
                return {}

    async with (
        Receiver([answer]) as receiver,
        staged(tmp_path, llm=answers, transcriber=SAYS) as stage,
        httpx.AsyncClient(base_url=stage.url, timeout=20) as client,
    ):
        number = (await client.post("/phone-number", json={**SIP, "server": {"url": receiver.url}})).json()
        call = (await client.post(f"/phone-number/{number['id']}/ring", json={"customer": CUSTOMER})).json()
        async with joining(stage.url, call) as caller:
            await caller.until(lambda: caller.of("user-interrupted"), 15)
            await caller.until_closed(20)
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        record = await stored(stage.url, call["id"], until=lambda one: one["status"] == "ended")
        bodies = [exchange.body for exchange in stage.llm.exchanges]
        voiced = [exchange.body["message"] for exchange in stage.voice.exchanges]
    assert {got.message["type"] for got in receiver.got} >= SENT
    for message in (got.message for got in receiver.got):
        told = message["call"]
        check(message)
        if message["type"] != "assistant-request":
            lean = message["type"] in LEAN or message.get("transcriptType") == "partial"
            same_call(told, record, lean=lean)
            assert lean or told["assistantOverrides"]["variableValues"] == VALUES
        assert told["customer"] == CUSTOMER
        assert told["phoneNumber"]["sipUri"] == SIP["sipUri"]
        assert told["phoneNumberId"] == number["id"]
        assert told["type"] == "inboundPhoneCall"
        assert "hush" not in str(message)
    for told in (one["call"] for one in (*bodies, *voiced)):
        same_call({**told, "monitor": record["monitor"]}, record)
        assert told["status"] == "in-progress"
        assert told["assistantOverrides"]["variableValues"] == VALUES
    check_functions(receiver)
    check_client(caller, record)


def check_functions(receiver: Receiver) -> None:
    """Assert that a tool call is told in both forms, each with the arguments as an object."""
    (called,), (by_function_call,) = receiver.of("tool-calls"), receiver.of("function-call")
    arguments = {"city": "Berlin"}
    for told in (called["toolCallList"][0], called["toolCalls"][0], called["toolWithToolCallList"][0]["toolCall"]):
        assert told["function"] == {"name": "book", "arguments": arguments}
    assert called["toolWithToolCallList"][0]["name"] == "book"
    assert by_function_call["functionCall"] == {"name": "book", "parameters": arguments}


def check_client(caller: Caller, record: dict[str, Any]) -> None:
    """Assert that a client with the owner's rights gets the whole call, but not many times a second."""
    (cut,) = caller.of("user-interrupted")
    same_call({**cut["call"], "monitor": record["monitor"]}, record)
    assert cut["call"]["customer"] == CUSTOMER
    assert "monitor" not in cut["call"]
    assert len(caller.of("function-call")) == 1
    for kind in ("model-output", "voice-input", "assistant.speechStarted"):
        assert all("call" not in message for message in caller.of(kind))
    assert all("assistantOverrides" not in message["call"] for message in caller.of("speech-update"))


async def test_a_page_sees_no_more_of_the_call_than_before(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SAYS, api_key="private-key", public_key="public-key") as stage:
        overrides = {"variableValues": VALUES}
        body: dict[str, Any] = {"assistantOverrides": overrides, "metadata": {"a": 1}, "customer": CUSTOMER}
        for key, shown in ((None, False), ("private-key", True)):
            made = stage.assistant(clientMessages=["status-update"])
            call = await create_call(stage.url, made, key="private-key", **body)
            async with joining(stage.url, call, key=key) as caller:
                (told,) = await caller.until(lambda c=caller: c.of("status-update"))
            assert (told["call"].get("assistantOverrides") == overrides) == shown
            assert ("metadata" in told["call"], "assistant" in told["call"]) == (shown, shown)
            assert told["call"]["customer"] == CUSTOMER


@pytest.mark.parametrize(
    ("asked", "tools", "notified"),
    [
        (None, "tool-calls", False),
        (["function-call"], "function-call", False),
        (["function-call", "tool-calls"], "tool-calls", True),
        (["status-update"], "tool-calls", False),
    ],
)
async def test_a_function_is_requested_in_the_form_that_is_subscribed_to(
    tmp_path: Path, asked: list[str] | None, tools: str, notified: bool
) -> None:
    assistant = Assistant.from_json({} if asked is None else {"serverMessages": asked, "clientMessages": asked})
    assert ("function-call" in server_messages_of(assistant)) == notified
    assert ("function-call" in client_messages_of(assistant)) == ("function-call" in (asked or ()))
    assert "function-call" in DEFAULT_SERVER_MESSAGES, "Vapi's defaults have both"
    if asked is None or notified:
        return

    def answer(got: Got) -> Any:
        return {"result": {"seats": 2}} if got.message["type"] in {"tool-calls", "function-call"} else {}

    says = TranscriberScript(timed=[TimedReply(200, "Please book it.")])
    async with Receiver([answer]) as receiver, staged(tmp_path, llm=answers, transcriber=says) as stage:
        made = stage.assistant(server={"url": receiver.url}, serverMessages=asked)
        call = await create_call(stage.url, {**made, "model": {**made["model"], "tools": [BOOK]}})
        async with joining(stage.url, call) as caller:
            await caller.until(lambda: caller.of("transcript", role="assistant", transcript="Booked."), 15)
        asked_again = (await stage.llm.exchange(1)).body["messages"][-1]
    assert asked_again["content"] == '{"seats": 2}'
    assert [kind for kind in receiver.kinds if kind in {"tool-calls", "function-call"}] == [tools]
    if tools == "function-call":
        (message,) = receiver.of("function-call")
        check(message)
        assert message["functionCall"] == {"name": "book", "parameters": {"city": "Berlin"}}
