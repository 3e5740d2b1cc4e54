"""The messages of a call to its client and its owner's server are read by the types of Vapi's Python SDK without loss.

The SDK's union of all messages mistakes some for others, so a message's type is selected by its `type`.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from bargein.testing import FakeTranscriber, LlmScript, TimedReply, TranscriberScript
from bargein.wire import contract
from bargein.wire.client_messages import CLIENT_MESSAGES
from tests.call.harness import Caller, calling, joining, stored
from tests.call.stage import STORY, Stage, staged
from tests.sdk.conftest import Sdk
from tests.webhooks.receiver import Got, Receiver

pytestmark = pytest.mark.anyio

Body = dict[str, Any]

TO_SERVER = [
    "assistant.started", "assistant.speechStarted", "conversation-update", "end-of-call-report", "hang", "model-output",
    "speech-update", "status-update", "tool-calls", "transcript", "transfer-update", "user-interrupted", "voice-input",
]  # fmt: skip
ASKED = {
    "assistant-request", "call.endpointing.request", "handoff-destination-request", "phone-call-control",
    "transfer-destination-request", "voice-request",
}  # fmt: skip
"""Messages that are sent only if the assistant or the number has something that causes them."""

ELSEWHERE = {
    "ClientMessageStatusUpdate": "ServerMessageStatusUpdate",
    "ServerMessageAssistantStarted": "ClientMessageAssistantStarted",
}
"""Messages that both sides can subscribe to, but that the SDK has for one side only."""
NOT_IN_THE_SDK = {"tool.completed", "function-call"}
"""Vapi lists them among its messages, but has no types for them."""

NAMED = ("type", "role", "status", "provider", "transcriptType", "source", "endedReason")
"""Fields whose value selects the type of the others, or is one of a list."""

HEARD = TranscriberScript(
    timed=[
        TimedReply(200, "Tell me a story."),
        TimedReply(1800, "Stop, what is the weather?"),
        TimedReply(4200, "Pass me on."),
    ]
)
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
HANDOFF = {"type": "handoff", "destinations": [{"type": "dynamic"}], "function": {"name": "pass_on"}}
NUMBER = {"type": "number", "number": "+14155550100"}
CUSTOMER = {"number": "+15551234567", "name": "Ada"}


def answers(body: Body) -> LlmScript:
    """Return the scripted answer of the model."""
    last = body["messages"][-1]
    said = last["content"] if last["role"] == "user" else ""
    if "fail" in said:
        return LlmScript(status=500)
    if "story" in said:
        return STORY
    if "weather" in said:
        return LlmScript(tokens=["Let ", "me see. "], calls=[("weather", '{"city": "Berlin"}')])
    if "Pass" in said:
        return LlmScript(tokens=[], calls=[("pass_on", '{"destination": "dynamic"}')])
    if "forward" in said:
        return LlmScript(tokens=[], calls=[("transferCall", "{}")])
    return LlmScript(tokens=["It ", "rains. "])


class Owner(Receiver):
    """An owner's server that answers every request."""

    def __init__(self, stage: Stage) -> None:
        super().__init__([self._answer])
        self._stage = stage

    def assistant(self, **more: Any) -> Body:
        given = self._stage.assistant(clientMessages=[*CLIENT_MESSAGES], serverMessages=TO_SERVER, **more)
        return {**given, "stopSpeakingPlan": {"numWords": 1}, "server": {"url": self.url}}

    def ada(self) -> Body:
        endpointing = {"provider": "custom-endpointing-model", "server": {"url": self.url}}
        ada = self.assistant(name="Ada", startSpeakingPlan={"waitSeconds": 0, "smartEndpointingPlan": endpointing})
        return {**ada, "model": {**ada["model"], "tools": [WEATHER, HANDOFF]}}

    def bea(self) -> Body:
        return self.assistant(name="Bea", firstMessage="Bea here.", firstMessageMode="assistant-speaks-first")

    def _answer(self, got: Got) -> Any:
        match got.message["type"]:
            case "assistant-request":
                return {"assistant": self.ada()}
            case "call.endpointing.request":
                return {"timeoutSeconds": 0.1}
            case "handoff-destination-request":
                return {"destination": {"type": "assistant", "assistant": self.bea()}}
            case "transfer-destination-request":
                return {"destination": NUMBER}
            case "tool-calls":
                wanted = got.message["toolCallList"]
                return {"results": [{"toolCallId": call["id"], "result": "It rains."} for call in wanted]}
            case _:
                return {}


async def called_in(stage: Stage, owner: Owner) -> Caller:
    """Make a call to a stored number: an interrupted story, a tool, and a handoff to an assistant that fails."""
    number = {"provider": "twilio", "number": "+15550001111", "twilioAccountSid": "AC0", "server": {"url": owner.url}}
    async with httpx.AsyncClient(base_url=stage.url, timeout=20) as client:
        kept = (await client.post("/phone-number", json=number)).json()
        call = (await client.post(f"/phone-number/{kept['id']}/ring", json={"customer": CUSTOMER})).json()
    async with joining(stage.url, call) as caller:
        await caller.until(lambda: caller.of("transcript", transcript="Bea here.", transcriptType="final"), 20)
        await caller.send({"type": "add-message", "message": {"role": "user", "content": "Now fail."}})
        await caller.until_closed(20)
    return caller


async def forwarded(stage: Stage, owner: Owner) -> Caller:
    """Make a call that its owner forwards."""
    given = owner.assistant(name="Cy")
    given["serverMessages"] = [*TO_SERVER, "phone-call-control"]
    given["model"] = {**given["model"], "tools": [{"type": "transferCall"}]}
    asks = TranscriberScript(timed=[TimedReply(200, "Please forward me.")])
    async with FakeTranscriber(asks) as transcriber:
        given["transcriber"] = {"provider": "custom-transcriber", "server": {"url": transcriber.url}}
        async with calling(stage.url, given) as caller:
            await caller.until_closed()
    return caller


def differences(sent: Any, back: Any, where: str = "") -> Iterator[str]:
    """List differences between a message and what the SDK writes for it; times may have another format."""
    if isinstance(sent, dict) and isinstance(back, dict):
        for name in sent.keys() | back.keys():
            yield from differences(sent.get(name), back.get(name), f"{where}.{name}")
    elif isinstance(sent, list) and isinstance(back, list) and len(sent) == len(back):
        for n, (one, other) in enumerate(zip(sent, back, strict=True)):
            yield from differences(one, other, f"{where}[{n}]")
    elif sent != back and not _same_time(sent, back):
        yield f"{where}: {sent!r} became {back!r}"


def _same_time(one: Any, other: Any) -> bool:
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (TypeError, ValueError):
        return False


@pytest.mark.timeout(300)  # the SDK takes a second for a call with an assistant
async def test_every_message_is_read_and_nothing_of_it_is_lost(tmp_path: Path, python_sdk: Sdk) -> None:
    async with staged(tmp_path, llm=answers, transcriber=HEARD) as stage, Owner(stage) as owner:
        calls = await called_in(stage, owner), await forwarded(stage, owner)
        await owner.until(lambda: len(owner.of("end-of-call-report")) == 2)
        records = [await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended") for caller in calls]
        voiced = [exchange.body["message"] for exchange in stage.voice.exchanges]
    to_clients = [message for caller in calls for _, message in caller.messages]
    to_servers = [got.message for got in owner.got] + voiced
    assert {m["type"] for m in to_clients} == {*CLIENT_MESSAGES}
    assert {m["type"] for m in to_servers} == {*TO_SERVER, *ASKED}
    problems: set[str] = set()
    seen: set[str] = set()
    for side, messages in (("ClientMessage", to_clients), ("ServerMessage", to_servers)):
        for message in messages:
            if message["type"] not in NOT_IN_THE_SDK and (new := {*parts(side, message)} - seen):
                seen |= new
                name = contract.messages(side)[message["type"]]
                problems.update(await anyio.to_thread.run_sync(unread, python_sdk, ELSEWHERE.get(name, name), message))
    for record in records:
        problems.update(await anyio.to_thread.run_sync(unread, python_sdk, "Call", record))
    assert not problems, "\n".join(sorted(problems))


def parts(side: str, message: Body) -> Iterator[str]:
    """List the structures of a message's fields and its call's: a message without a new one is not checked."""
    for name, value in message.items():
        if name == "call":
            yield from (f"{side} call.{field} {shape(inner)}" for field, inner in value.items())
        else:
            yield f"{side} {message['type']} {name} {shape(value)}"


def shape(value: Any) -> Any:
    """Return the structure of a value: of two that differ only in numbers and free text, one is checked."""
    if isinstance(value, dict):
        return {name: value[name] if name in NAMED else shape(value[name]) for name in sorted(value)}
    return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__


def with_arguments_as_text(message: Body) -> Body:
    """Return a `tool-calls` message as the SDK types it: an object in the place of arguments is an error to it."""
    copy = json.loads(json.dumps(message))
    listed = [*copy["toolCallList"], *copy["toolCalls"], *(one["toolCall"] for one in copy["toolWithToolCallList"])]
    for function in (call["function"] for call in listed):
        function["arguments"] = json.dumps(function["arguments"])
    return copy


def unread(sdk: Sdk, name: str, message: Body) -> list[str]:
    """List what the SDK cannot read of a message or a call's record, and what it would lose of it."""
    if message["type"] == "model-output":
        assert isinstance(message["output"], str)  # the SDK's type says an object; every client reads a string
        message = {**message, "output": {}}
    if message["type"] == "tool-calls":
        message = with_arguments_as_text(message)
    answer = sdk.ask(parse=name, message=message)
    return [*differences(message, answer["back"], name)] if answer["ok"] else [f"{name}: {answer['why']}"]
