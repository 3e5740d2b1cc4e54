"""A voicemail that answered a call of ours: told by its words, its beep, or its carrier, and left a message."""

import re
from typing import Any, cast

import structlog

from bargein.audio.beep import BeepDetector
from bargein.call.context import CallContext
from bargein.clock import Clock, Timer
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16
from bargein.turns.events import HangUp, Say
from bargein.wire.voicemail import voicemail_plan

VOICEMAIL = "voicemail"
"""The `endedReason`."""

LISTEN_MS = 30_000
"""Later in a call nobody takes a person for a voicemail."""

_BEEP_S = 30.0
_CARRIER_WORDS = ("machine_end_beep", "machine_end_silence")
"""Vapi's default of `voicemailDetectionTypes`."""
_PHRASES = re.compile(
    r"leave (?:me |us |him |her |them )?(?:a |your )?(?:brief |short |detailed )?(?:message|name)"
    r"|record (?:a |your )message"
    r"|(?:after|at|following) the (?:tone|beep|signal)"
    r"|voice ?mail|mailbox|answering machine"
    r"|(?:can(?:no|')t|unable to|not able to|not available to) (?:come to the phone|take your call|answer)"
    r"|(?:is|am|are|'m|'re) (?:currently )?(?:not available|unavailable)"
    r"|(?:get|call) back to you as soon as"
)

_log = structlog.get_logger("bargein.call")


class VoicemailDetector:
    """Listens at the beginning of a call that went out, where the assistant has a `voicemailDetection`.

    Once its greeting is over `voicemailMessage` is said and the call ends with `voicemail`; without a message it ends
    at once. The greeting is over at the beep, when the carrier says so, or `beepMaxAwaitSeconds` after the call began.

    Args:
        host: the call.
        clock: the one clock.

    Attributes:
        leaving: the message is being said.
    """

    def __init__(self, context: CallContext, clock: Clock) -> None:
        outbound = context.setup.call.get("type") == "outboundPhoneCall"
        self._plan: dict[str, Any] | None = voicemail_plan(context.setup.assistant_json) if outbound else None
        self._context = context
        self._clock = clock
        self._beeps = BeepDetector(TRANSCRIBER_RATE_HZ)
        self._known = False
        self._over = self._plan is None
        self._timer: Timer | None = None
        self.leaving = False

    def receive_audio(self, pcm: Pcm16) -> None:
        """Take what is heard of the other side, at `TRANSCRIBER_RATE_HZ`."""
        if self._listens() and self._beeps.push(pcm):
            self._leave("it beeped")

    def receive_transcript(self, text: str) -> None:
        """Take words of the other side."""
        if self._listens() and not self._known and _PHRASES.search(text.lower()):
            self._expect_beep("its words")

    def handle_answered_by(self, by: str, detail: str) -> None:
        """Take what the carrier says of who answered: human or machine, and its own word for it."""
        plan = self._plan or {}
        words = cast("list[object]", plan.get("voicemailDetectionTypes") or _CARRIER_WORDS)
        if not self._listens():
            return
        if detail in words:
            self._leave("the carrier says so")
        elif by == "machine":
            self._expect_beep("the carrier says so")

    def close(self) -> None:
        """The call is over."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _listens(self) -> bool:
        if not self._known and self._context.now_ms() > LISTEN_MS:
            self._over = True
        return not self._over

    def _expect_beep(self, why: str) -> None:
        self._known = True
        if not self._message():
            self._leave(why)
            return
        given: object = (self._plan or {}).get("beepMaxAwaitSeconds", _BEEP_S)
        wait_ms = (float(given) if isinstance(given, int | float) else _BEEP_S) * 1000
        at_ms = self._context.zero_ms + wait_ms
        if self._timer is None:
            self._timer = self._clock.call_at(at_ms, lambda: self._leave("no beep came"))

    def _leave(self, why: str) -> None:
        """Its greeting is over: say the message, if there is one, and end the call."""
        if self._over:
            return
        self.close()
        context = self._context
        at_ms = int(context.now_ms())
        _log.info("a voicemail answered", call_id=context.setup.call_id, why=why)
        message = self._message()
        if message:
            self.leaving = True
            context.post(Say(at_ms, message, interruptible=False, interrupts=True, ends_call=True))
        else:
            context.post(HangUp(at_ms, VOICEMAIL))

    def _message(self) -> str:
        return (self._context.setup.assistant.voicemail_message or "").strip()
