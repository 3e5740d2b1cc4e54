"""Features of telephone calls: voicemail, keys, headers, hooks that speak."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bargein.call.hearing.dtmf import DtmfInput
from bargein.call.plan.variables import Variables
from bargein.testing import TimedReply, TranscriberScript
from bargein.turns.events import AddMessage, Event, TranscriptReceived, VariablesSet
from bargein.wire.telephony import header_variables, overrides_with_variables
from tests.call.test_audio_output import HandClock
from tests.call.test_inbound import Speaking
from tests.carriers.loopback import CALLER, Hook
from tests.carriers.stage import on_the_phone
from tests.carriers.twilio.loopback import ACCOUNT, NUMBER, TwilioLoopback
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

GREETING = TranscriberScript(timed=[TimedReply(300, "Please leave a message after the tone.")])
MESSAGE = "Please call us back."


def beep(ms: int) -> np.ndarray:
    t = np.arange(16 * ms) / 16_000
    return (np.sin(2 * np.pi * 1000 * t) * 6000).astype(np.int16)


@pytest.mark.parametrize("how", ["the beep", "the words", "the carrier"])
async def test_a_message_is_left_after_a_voicemails_greeting(tmp_path: Path, how: str) -> None:
    carrier = TwilioLoopback()
    plan: dict[str, Any] = {"provider": "twilio"} if how == "the carrier" else {"provider": "vapi", "type": "audio"}
    if how == "the words":
        plan["beepMaxAwaitSeconds"] = 1
    script = GREETING if how == "the words" else TranscriberScript()
    async with on_the_phone(tmp_path, carrier, transcriber=script) as setup:
        given = setup.speaker(voicemailDetection=plan, voicemailMessage=MESSAGE)
        call = await setup.call(given)
        phone = await carrier.next_placed()
        await carrier.answered(phone)
        await phone.until(lambda: phone.sounds() > 100)
        if how == "the beep":
            phone.say(beep(400))
        elif how == "the carrier":
            await carrier.tell_machine(phone, "machine_end_beep")
        over = await setup.ended(call["id"])
        await phone.until(lambda: phone.ended)
    assert over["endedReason"] == "voicemail"
    said = [m["message"] for m in over["artifact"]["messages"] if m["role"] == "bot"]
    assert said[-1] == MESSAGE
    assert len(phone.clears) == 1, "what it was saying was cut"


async def test_without_a_message_a_call_to_voicemail_is_hung_up(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier, transcriber=GREETING) as setup:
        call = await setup.call(setup.speaker(voicemailDetection={"provider": "vapi"}))
        phone = await carrier.next_placed()
        await carrier.answered(phone)
        over = await setup.ended(call["id"])
        await phone.until(lambda: phone.ended)
    assert over["endedReason"] == "voicemail"


async def test_a_person_is_no_voicemail(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        call = await setup.call(setup.speaker(voicemailDetection={"provider": "twilio"}, voicemailMessage=MESSAGE))
        phone = await carrier.next_placed()
        await carrier.answered(phone)
        await phone.until(lambda: phone.sounds() > 100)
        await carrier.tell_machine(phone, "human")
        heard = phone.sounds()
        await phone.until(lambda: phone.sounds() > heard + 300)
        await phone.hang_up()
        over = await setup.ended(call["id"])
    assert over["endedReason"] == "customer-ended-call"


async def test_an_inbound_caller_is_never_voicemail(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier, transcriber=GREETING) as setup:
        await setup.answers(setup.assistant(voicemailDetection={"provider": "vapi"}))
        phone = await carrier.rings()
        await phone.until(lambda: phone.sounds() > 100)
        await phone.hang_up()
        over = await setup.ended((await setup.the_call(phone))["id"])
    assert over["endedReason"] == "customer-ended-call"


class FakeCallContext:
    """The call that a keypad works for."""

    def __init__(self, **plan: Any) -> None:
        self.clock = HandClock()
        self.posted: list[str] = []
        self.events: list[Event] = []
        self.setup: Any = self
        self.variables = Variables()
        self.assistant_json = {"keypadInputPlan": plan} if plan else {}

    def now_ms(self) -> float:
        return self.clock.now_ms

    def post(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, TranscriptReceived):
            assert event.final
            self.posted.append(event.text)

    def keypad(self) -> DtmfInput:
        return DtmfInput(self, self.clock)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("plan", "pressed", "posted"),
    [
        ({}, "12#", []),
        ({"enabled": False, "delimiters": "#"}, "12#", []),
        ({"enabled": True, "delimiters": "#"}, "12#3#", ["12", "3"]),
        ({"enabled": True, "delimiters": "#"}, "##", []),
        ({"enabled": True, "delimiters": ["#", "*"]}, "1*2#", ["1", "2"]),
        ({"enabled": True, "timeoutSeconds": 0}, "12", ["1", "2"]),
        ({"enabled": True, "timeoutSeconds": 0, "delimiters": "#"}, "12", []),
        ({"enabled": True, "delimiters": "#"}, "1x2#", ["12"]),
        ({"enabled": True}, "9" * 120, ["9" * 100]),
    ],
)
async def test_the_end_of_an_entry(plan: dict[str, Any], pressed: str, posted: list[str]) -> None:
    host = FakeCallContext(**plan)
    keypad = host.keypad()
    for key in pressed:
        keypad.receive_key(key)
    assert host.posted == posted


async def test_an_entry_becomes_a_variable_and_can_be_silent() -> None:
    host = FakeCallContext(enabled=True, delimiters=["#"], variableName="account")
    keypad = host.keypad()
    for key in "4711#":
        keypad.receive_key(key)
    at_ms = int(host.now_ms())
    assert host.events == [VariablesSet(at_ms, '{"account": "4711"}'), TranscriptReceived(at_ms, "4711", final=True)]
    assert host.variables.extracted.values == {"account": "4711"}

    host.assistant_json["keypadInputPlan"]["triggerResponseEnabled"] = False
    for key in "12#":
        keypad.receive_key(key)
    assert host.events[2:] == [
        VariablesSet(at_ms, '{"account": "12"}'),
        AddMessage(at_ms, "user", "12", respond=False),
    ]
    assert host.variables.extracted.values == {"account": "12"}


async def test_a_pause_ends_an_entry_unless_the_call_is_over() -> None:
    host = FakeCallContext(enabled=True, timeoutSeconds=3)
    keypad = host.keypad()
    keypad.receive_key("1")
    host.clock.until(52_900)
    keypad.receive_key("2")
    host.clock.until(55_800)
    assert not host.posted
    host.clock.until(56_000)
    assert host.posted == ["12"]
    keypad.receive_key("3")
    keypad.close()
    host.clock.until(70_000)
    assert host.posted == ["12"]


async def test_sip_headers_fill_templates_and_are_kept(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.speaker("Hello {{first_name}}."))
        phone = carrier.new_call()
        fields = {
            "CallSid": phone.id,
            "AccountSid": ACCOUNT,
            "From": "sip:ada@example.com",
            "To": NUMBER,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "SipHeader_X-First_Name": "Ada",
        }
        hook: Hook = carrier.hook("voice", fields)
        await carrier.follow(phone, await carrier.send(hook))
        await phone.until(lambda: phone.sounds() > 400)
        call = await setup.the_call(phone)
        await phone.hang_up()
        over = await setup.ended(call["id"])
    assert over["customer"] == {"sipUri": "sip:ada@example.com"}
    assert over["phoneCallTransport"] == "sip"
    assert over["phoneCallProviderDetails"]["sip"]["headers"] == {"X-First_Name": "Ada"}
    assert "Hello" in over["artifact"]["messages"][0]["message"]
    assert over["assistantOverrides"]["variableValues"] == {"first_name": "Ada"}
    assert over["artifact"]["variableValues"]["first_name"] == "Ada"


async def test_variables_of_headers_do_not_override_the_calls_own() -> None:
    assert header_variables({"X-A": "1", "x-B_c": "2", "Via": "3", "X-": "4"}) == {"a": "1", "b_c": "2"}
    call = {"assistantOverrides": {"firstMessage": "Hi", "variableValues": {"a": "own"}}}
    laid = overrides_with_variables(call, {"a": "1", "b": "2"})
    assert laid == {"assistantOverrides": {"firstMessage": "Hi", "variableValues": {"a": "own", "b": "2"}}}
    assert overrides_with_variables(call, {}) == {}


async def test_a_hook_says_something_to_a_ringing_caller_and_the_call_ends(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    hook = {"on": "call.ringing", "do": [{"type": "say", "exact": "We are closed."}]}
    async with on_the_phone(tmp_path, carrier, embedded=Speaking()) as setup:
        await setup.keep(hooks=[hook])
        phone = await carrier.rings()
        over = await setup.ended((await setup.the_call(phone))["id"])
        await phone.until(lambda: phone.ended)
    assert over["endedReason"] == "call.ringing.hook-executed-say"
    assert over["artifact"]["messages"][0]["message"] == "We are closed."
    assert phone.sounds() > 100


async def test_a_hook_handles_rejected_calls(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    reason = "assistant-request-returned-no-assistant"
    filters = [{"type": "oneOf", "key": "call.endedReason", "oneOf": [reason]}]
    hook = {"on": "call.ending", "filters": filters, "do": {"type": "say", "exact": "Nobody is here."}}
    async with Receiver([{}]) as receiver, on_the_phone(tmp_path, carrier, embedded=Speaking()) as setup:
        await setup.keep(hooks=[hook], server={"url": receiver.url})
        phone = await carrier.rings()
        over = await setup.ended((await setup.the_call(phone))["id"])
    assert over["endedReason"] == reason
    assert over["artifact"]["messages"][0]["message"] == "Nobody is here."


async def test_the_owner_gets_the_status_of_a_call(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with Receiver() as receiver, on_the_phone(tmp_path, carrier) as setup:
        await setup.call(setup.speaker(server={"url": receiver.url}))
        phone = await carrier.next_placed()
        await carrier.tell_ringing(phone)
        await receiver.until(lambda: receiver.of("status-update"))
        await carrier.answered(phone)
        await phone.until(lambda: phone.sounds() > 100)
        await phone.hang_up()
        (report,) = await receiver.until(lambda: receiver.of("end-of-call-report"))
        await receiver.until(lambda: len(receiver.of("status-update")) == 3)
    told = [message["status"] for message in receiver.of("status-update")]
    assert told == ["ringing", "in-progress", "ended"]
    for message in (report, *receiver.of("status-update")):
        assert message["phoneNumber"]["number"] == NUMBER
        assert message["customer"] == {"number": CALLER}
    for secret in carrier.secrets:
        assert secret.encode() not in b"".join(got.body for got in receiver.got)
