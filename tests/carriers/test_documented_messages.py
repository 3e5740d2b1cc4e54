"""A receiver that reads every documented field of every server message, in whole calls of each kind."""

from pathlib import Path
from typing import Any

import pytest

from bargein.testing import FakeLlm, FakeTranscriber, LlmScript, TimedReply, TranscriberScript
from bargein.testing.http_peer import Exchange
from tests.call.documented import PHONE, STORED, undefined
from tests.call.harness import create_call, joining
from tests.call.stage import STORY, staged
from tests.carriers.stage import on_the_phone
from tests.carriers.twilio.loopback import TwilioLoopback
from tests.webhooks.receiver import Got, Receiver

pytestmark = pytest.mark.anyio

MESSAGES = [
    "assistant.started", "assistant.speechStarted", "conversation-update", "end-of-call-report", "function-call",
    "hang", "model-output", "speech-update", "status-update", "transcript", "tool-calls",
    "transfer-destination-request", "handoff-destination-request", "transfer-update", "user-interrupted",
    "voice-input",
]  # fmt: skip
ELSEWHERE = {"type": "number", "number": "+15550002222", "message": "I connect you."}
ORDER = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Finds an order by its number.",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
    },
}
SAYS = TranscriberScript(
    timed=[
        TimedReply(300, "Where is", "partial"),
        TimedReply(500, "Where is my order 42?"),
        TimedReply(3000, "Wait, stop.", "partial"),
        TimedReply(3300, "Wait, stop. I want a person."),
    ]
)
FREELY = {"waitSeconds": 0.1, "transcriptionEndpointingPlan": {"onPunctuationSeconds": 0.1}}


def clerk(body: dict[str, Any]) -> LlmScript:
    """Look the order up, report at length, and pass on who asks for a person."""
    if body["messages"][-1]["role"] == "tool":
        return STORY
    if sum(one["role"] == "user" for one in body["messages"]) == 1:
        return LlmScript(tokens=["One moment. "], calls=[("find_order", '{"number": "42"}')])
    return LlmScript(tokens=[], calls=[("transferCall", "{}")])


class Answers:
    """The answers of the receiver to the requests among the messages."""

    def __init__(self, assistant: dict[str, Any] | None = None, destination: dict[str, Any] | None = None) -> None:
        self.assistant = assistant
        self.destination = destination

    def __call__(self, got: Got) -> Any:
        match (message := got.message)["type"]:
            case "assistant-request":
                return {"assistant": self.assistant, "assistantOverrides": {"variableValues": {"plan": "gold"}}}
            case "tool-calls":
                return {"results": [{"toolCallId": one["id"], "result": "Packed."} for one in message["toolCallList"]]}
            case "transfer-destination-request" | "handoff-destination-request":
                return {"destination": self.destination}
            case "call.endpointing.request":
                return {"timeoutSeconds": 0.1}
            case _:
                return {}


def check(receiver: Receiver, expected: set[str], more: tuple[str, ...] = ()) -> None:
    """Assert that these messages came, and that nothing that the documentation names is undefined in any message."""
    assert set(receiver.kinds) >= expected
    lacking: dict[str, set[str]] = {}
    for got in receiver.got:
        if fields := undefined(got.message, more):
            lacking.setdefault(got.message["type"], set()).update(fields)
    assert {kind: sorted(fields) for kind, fields in lacking.items()} == {}


def with_tools(given: dict[str, Any], *tools: dict[str, Any]) -> dict[str, Any]:
    """Return an assistant with these tools."""
    return {**given, "model": {**given["model"], "tools": list(tools)}}


async def test_an_inbound_telephone_call_with_a_tool_an_interruption_and_a_transfer(tmp_path: Path) -> None:
    carrier, answers = TwilioLoopback(), Answers(destination=ELSEWHERE)
    async with Receiver([answers]) as receiver, on_the_phone(tmp_path, carrier, llm=clerk, transcriber=SAYS) as setup:
        answers.assistant = with_tools(
            setup.assistant(
                name="Desk",
                server={"url": receiver.url},
                serverMessages=MESSAGES,
                startSpeakingPlan=FREELY,
                stopSpeakingPlan={"numWords": 1},
            ),
            ORDER,
            {"type": "transferCall"},
        )
        await setup.keep(server={"url": receiver.url})
        phone = await carrier.rings()
        await phone.until(lambda: phone.forwarded, 20)
        (report,) = await receiver.until(lambda: receiver.of("end-of-call-report"))
        asked = (await setup.llm.exchange(0)).body
    assert report["endedReason"] == "assistant-forwarded-call"
    assert report["destination"]["number"] == ELSEWHERE["number"]
    assert [one["status"] for one in receiver.of("status-update")][-3:] == ["in-progress", "forwarding", "ended"]
    expected = {*MESSAGES, "assistant-request"} - {"hang", "handoff-destination-request"}
    check(receiver, expected, PHONE)
    assert undefined({"type": "call.deleted", "timestamp": 0, **asked}, PHONE) == []


async def test_an_outbound_telephone_call_to_a_voicemail(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with Receiver() as receiver, on_the_phone(tmp_path, carrier) as setup:
        given = setup.speaker(
            name="Desk",
            server={"url": receiver.url},
            serverMessages=["status-update", "end-of-call-report"],
            voicemailDetection={"provider": "twilio"},
            voicemailMessage="Please call back.",
        )
        stored = (await setup.client.post("/assistant", json=given)).json()
        body = {"assistantId": stored["id"], "phoneNumberId": setup.number["id"], "customer": carrier.customer}
        assert (await setup.client.post("/call", json=body)).status_code == 201
        phone = await carrier.next_placed()
        await carrier.tell_ringing(phone)
        await carrier.answered(phone)
        await phone.until(lambda: phone.sounds() > 100)
        await carrier.tell_machine(phone, "machine_end_beep")
        (report,) = await receiver.until(lambda: receiver.of("end-of-call-report"))
    assert report["endedReason"] == "voicemail"
    assert [one["status"] for one in receiver.of("status-update")] == ["ringing", "in-progress", "ended"]
    check(receiver, {"status-update"}, (*PHONE, *STORED))
    assert report["assistant"]["id"] == stored["id"]


@pytest.mark.parametrize("request_", ["forward", "hang-up"])
async def test_an_owner_who_controls_calls_at_the_carrier_gets_the_call_as_it_is(tmp_path: Path, request_: str) -> None:
    carrier, called = TwilioLoopback(), "transferCall" if request_ == "forward" else "endCall"
    says, model = (
        TranscriberScript(timed=[TimedReply(300, "That is all.")]),
        LlmScript(tokens=[], calls=[(called, "{}")]),
    )
    async with Receiver() as receiver, on_the_phone(tmp_path, carrier, llm=model, transcriber=says) as setup:
        asked = ["phone-call-control", "end-of-call-report"]
        given = setup.assistant(name="Desk", server={"url": receiver.url}, serverMessages=asked)
        await setup.answers(
            with_tools(given, {"type": "transferCall", "destinations": [ELSEWHERE]}, {"type": "endCall"})
        )
        phone = await carrier.rings()
        await phone.until(lambda: phone.closed)
        (told,) = await receiver.until(lambda: receiver.of("phone-call-control"))
        await receiver.until(lambda: receiver.of("end-of-call-report"))
    assert (told["request"], told.get("destination")) == (request_, ELSEWHERE if request_ == "forward" else None)
    assert (phone.ended, phone.forwarded) == (False, None), "the owner's server ends or forwards it"
    check(receiver, {"phone-call-control"}, PHONE)


async def test_a_squad_hands_over_and_its_model_fails(tmp_path: Path) -> None:
    later = TranscriberScript(timed=[TimedReply(1500, "Is anybody there?")])
    answers = Answers()
    async with (
        staged(tmp_path, llm=LlmScript(tokens=["I pass you on. "], calls=[("pass_on", "{}")])) as stage,
        FakeLlm(LlmScript(status=500)) as broken,
        FakeTranscriber(later) as ears,
        Receiver([answers]) as receiver,
    ):
        common = {"server": {"url": receiver.url}, "serverMessages": MESSAGES}
        endpointing = {"provider": "custom-endpointing-model", "server": {"url": receiver.url}}
        tool = {"type": "handoff", "destinations": [{"type": "dynamic"}], "function": {"name": "pass_on"}}
        ada = with_tools(
            stage.assistant(
                name="Ada", **common, startSpeakingPlan={"waitSeconds": 0, "smartEndpointingPlan": endpointing}
            ),
            tool,
        )
        bea = stage.speaker("Bea here.", name="Bea", **common)
        bea["model"] = {**bea["model"], "url": broken.url}
        bea["transcriber"] = {"provider": "custom-transcriber", "server": {"url": ears.url}}
        answers.destination = {"type": "assistant", "assistantName": "Bea"}
        squad = {"name": "Desk", "members": [{"assistant": ada}, {"assistant": bea}]}
        call = await create_call(stage.url, None, squad=squad, customer={"number": "+15551234567", "name": "Ada"})
        async with joining(stage.url, call) as caller:
            assert await caller.until_closed(20) == 1000
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        spoken = [voice_request(exchange) for exchange in stage.voice.exchanges]
    (passed,) = receiver.of("transfer-update")
    assert (passed["fromAssistant"]["name"], passed["toAssistant"]["name"]) == ("Ada", "Bea")
    check(
        receiver,
        {"assistant.started", "hang", "handoff-destination-request", "transfer-update", "call.endpointing.request"},
        ("customer.number", "call.customer.number", "call.squad.members[].assistant.name"),
    )
    assert [undefined(message, ("customer.number",)) for message in spoken] == [[] for _ in spoken]
    by_role = {one["assistantName"] for got in receiver.of("transcript") if got["role"] == "assistant" for one in [got]}
    assert by_role == {"Ada", "Bea"}


def voice_request(exchange: Exchange) -> dict[str, Any]:
    """Return the message of a request to a custom voice."""
    return exchange.body["message"]
