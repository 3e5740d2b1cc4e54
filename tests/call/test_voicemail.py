"""Behaviour of a call that a voicemail, a screening service or a menu answers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bargein.call.hearing.voicemail import IN_A_MENU, QUIET_MS, SCREENED, VoicemailDetector
from bargein.turns import State
from bargein.turns.events import AddMessage, Event, HangUp, Mute, Say
from bargein.turns.state import Caller
from tests.call.test_audio_output import HandClock

GREETING = "Bitte hinterlassen Sie eine Nachricht nach dem Signalton."
SERVICE = "Please say your name and why you are calling."
MENU = "For sales press 1, for support press 2."
MESSAGE = "Please call us back."


class Call:
    """The call that is listened to; the caller is silent unless `state` says otherwise."""

    def __init__(self, *, message: str | None = MESSAGE, kind: str = "outboundPhoneCall", **plan: Any) -> None:
        self.clock = HandClock(now_ms=50_000)
        self.zero_ms = 50_000.0
        self.setup: Any = self
        self.call = {"type": kind}
        self.call_id = "a-call"
        self.assistant: Any = self
        self.assistant_json = {"voicemailDetection": {"provider": "vapi", **plan}}
        self.voicemail_message = message
        self.tools: tuple[dict[str, Any], ...] = ()
        self.state = State(call_id="a-call")
        self.posted: list[Event] = []
        self.detector = VoicemailDetector(self, self.clock)  # type: ignore[arg-type]

    def now_ms(self) -> float:
        return self.clock.now_ms - self.zero_ms

    def post(self, event: Event) -> None:
        self.posted.append(event)
        if isinstance(event, Mute):
            self.state = replace(self.state, assistant_muted=event.on)

    def at(self, ms: float) -> "Call":
        self.clock.until(self.zero_ms + ms)
        return self

    def hear(self, text: str, *, final: bool = True) -> None:
        self.detector.receive_transcript(text, final=final)

    def listen(self, pcm: Any = None) -> None:
        self.detector.receive_audio(np.zeros(320, dtype=np.int16) if pcm is None else pcm)

    def beep(self) -> None:
        t = np.arange(16 * 400) / 16_000
        self.listen((np.sin(2 * np.pi * 1000 * t) * 6000).astype(np.int16))
        self.listen(np.zeros(3200, dtype=np.int16))

    def left_at(self) -> int | None:
        return next((event.at_ms for event in self.posted if isinstance(event, Say)), None)


def test_the_assistant_is_silent_from_the_greeting_until_the_message() -> None:
    call = Call().at(2000)
    call.hear(GREETING)
    assert call.posted == [Mute(2000, "assistant", on=True)]
    call.at(5000).beep()
    assert call.posted[1:] == [
        Say(5000, MESSAGE, interruptible=False, interrupts=True, ends_call=True),
        Mute(5000, "assistant", on=False),
    ]
    assert call.detector.leaving
    call.at(60_000).beep()
    assert len(call.posted) == 3


def test_a_greeting_without_a_beep_is_over_after_a_silence() -> None:
    call = Call().at(2000)
    call.hear(GREETING)
    call.state = replace(call.state, caller=Caller(voiced=True, onset_ms=500))
    call.at(2000 + QUIET_MS + 1000).listen()
    assert call.left_at() is None, "the greeting goes on"
    call.state = replace(call.state, caller=Caller(offset_ms=7000))
    call.at(7000 + QUIET_MS - 1).listen()
    assert call.left_at() is None
    call.at(7000 + QUIET_MS).listen()
    assert call.left_at() == 7000 + QUIET_MS


@pytest.mark.parametrize(
    ("plan", "left_ms"), [({"beepMaxAwaitSeconds": 20}, 20_000), ({"beepMaxAwaitSeconds": 0}, 2000)]
)
def test_a_given_wait_for_the_beep_is_kept_to(plan: dict[str, Any], left_ms: int) -> None:
    call = Call(**plan).at(2000)
    call.hear(GREETING)
    call.at(2000 + 2 * QUIET_MS).listen()
    assert call.left_at() in (None, left_ms)
    call.at(40_000)
    assert call.left_at() == left_ms or left_ms == 2000


def test_without_a_message_the_call_ends_at_once() -> None:
    call = Call(message=None).at(2000)
    call.hear(GREETING)
    assert call.posted == [HangUp(2000, "voicemail")]


def test_a_greeting_in_several_utterances_is_put_together() -> None:
    call = Call().at(2000)
    call.hear("You have reached the office of Dr. Weber.")
    assert call.posted == []
    call.hear("We are not available")
    assert call.posted == [Mute(2000, "assistant", on=True)]


def test_a_screening_service_is_answered() -> None:
    call = Call().at(1500)
    call.hear(SERVICE)
    assert call.posted == [
        Mute(1500, "assistant", on=True),
        Mute(1500, "assistant", on=False),
        AddMessage(1500, "system", SCREENED, respond=False),
    ]
    call.at(9000).beep()
    call.detector.handle_answered_by("machine", "machine_end_beep")
    assert len(call.posted) == 3, "neither its beep nor the carrier makes it a voicemail"


def test_a_voicemail_may_follow_a_screening_service() -> None:
    call = Call().at(1500)
    call.hear(SERVICE)
    call.at(9000).hear("Please leave a message after the tone.")
    call.at(12_000).beep()
    assert call.left_at() == 12_000


@pytest.mark.parametrize("tools", [(), ({"type": "dtmf", "function": {"name": "keys"}},)])
def test_in_a_menu_the_model_is_told_how_to_choose(tools: tuple[dict[str, Any], ...]) -> None:
    call = Call()
    call.tools = tools
    call.at(1500).hear(MENU, final=False)
    added = call.posted[-1]
    assert isinstance(added, AddMessage)
    assert added.text.startswith(IN_A_MENU)
    assert ("the tool keys" in added.text) == bool(tools)
    call.hear(MENU)
    assert len(call.posted) == 3, "it is told once"


def test_what_a_carrier_takes_for_a_voicemail_may_be_a_screening_service() -> None:
    call = Call(provider="twilio").at(1000)
    call.detector.handle_answered_by("machine", "machine_start")
    assert call.posted == [Mute(1000, "assistant", on=True)]
    call.at(3000).hear(SERVICE)
    assert call.posted[1:] == [
        Mute(3000, "assistant", on=False), AddMessage(3000, "system", SCREENED, respond=False),
    ]  # fmt: skip
    call.at(60_000)
    assert call.left_at() is None


def test_a_client_that_has_muted_the_assistant_unmutes_it_itself() -> None:
    call = Call()
    call.state = replace(call.state, assistant_muted=True)
    call.at(2000).hear(GREETING)
    call.beep()
    assert [type(event) for event in call.posted] == [Say]


@pytest.mark.parametrize(("plan", "detected"), [({"type": "audio"}, True), ({"type": "transcript"}, False), ({}, True)])
def test_a_beep_alone_is_a_voicemail_unless_the_plan_wants_words(plan: dict[str, Any], detected: bool) -> None:
    call = Call(**plan).at(3000)
    call.beep()
    assert (call.left_at() is not None) == detected


@pytest.mark.parametrize(
    ("plan", "last_s"),
    [
        ({}, 30),
        ({"backoffPlan": {}}, 35),
        ({"backoffPlan": {"startAtSeconds": 2, "frequencySeconds": 2.5, "maxRetries": 2}}, 7),
    ],
)
def test_a_machine_is_listened_for_as_long_as_the_plan_says(plan: dict[str, Any], last_s: int) -> None:
    for at_ms, detected in ((last_s * 1000, True), (last_s * 1000 + 1, False)):
        call = Call(**plan).at(at_ms)
        call.hear(GREETING)
        assert bool(call.posted) == detected


def test_a_person_and_an_inbound_caller_are_no_machines() -> None:
    person, inbound = Call().at(1000), Call(kind="inboundPhoneCall").at(1000)
    person.hear("Hello, who is this?")
    inbound.hear(GREETING)
    assert person.posted == inbound.posted == []
    person.detector.close()
    person.hear(GREETING)
    assert person.posted == []
