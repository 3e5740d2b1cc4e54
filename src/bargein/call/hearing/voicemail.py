"""Voicemail detection in outbound calls: by the greeting's words, by its beep, or by what the carrier reports."""

import re

import structlog

from bargein.audio.beep import BeepDetector
from bargein.call.context import CallContext
from bargein.clock import Clock, Timer
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16
from bargein.turns.events import HangUp, Say
from bargein.wire.json import as_list
from bargein.wire.voicemail import voicemail_plan

VOICEMAIL = "voicemail"
"""The `endedReason`."""

LISTEN_MS = 30_000
"""Detection ends after so much of the call, so that a person is not taken for a voicemail later on."""

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
    """The voicemail detection of an outbound call whose assistant has `voicemailDetection`.

    After the greeting `voicemailMessage` is said and the call ends with `voicemail`; without a message it ends at once.
    The greeting is over at the beep, when the carrier says so, or `beepMaxAwaitSeconds` after the call began.

    Args:
        context: the call.
        clock: the clock.

    Attributes:
        leaving: whether the message is being said.
    """

    def __init__(self, context: CallContext, clock: Clock) -> None:
        outbound = context.setup.call.get("type") == "outboundPhoneCall"
        self._plan = voicemail_plan(context.setup.assistant_json) if outbound else None
        self._context = context
        self._clock = clock
        self._beeps = BeepDetector(TRANSCRIBER_RATE_HZ)
        self._detected = False
        self._over = self._plan is None
        self._timer: Timer | None = None
        self.leaving = False

    def receive_audio(self, pcm: Pcm16) -> None:
        """Search audio of the other side, at `TRANSCRIBER_RATE_HZ`, for a beep."""
        if self._is_active() and self._beeps.push(pcm):
            self._leave("beep")

    def receive_transcript(self, text: str) -> None:
        """Search a transcript of the other side for the phrases of a greeting."""
        if self._is_active() and not self._detected and _PHRASES.search(text.lower()):
            self._expect_beep("greeting")

    def handle_answered_by(self, by: str, detail: str) -> None:
        """Handle the carrier's answering machine detection.

        Args:
            by: `human` or `machine`.
            detail: the carrier's own word (`voicemailDetectionTypes` names those that mean the greeting is over).
        """
        plan = self._plan or {}
        words = as_list(plan.get("voicemailDetectionTypes")) or _CARRIER_WORDS
        if not self._is_active():
            return
        if detail in words:
            self._leave("carrier")
        elif by == "machine":
            self._expect_beep("carrier")

    def close(self) -> None:
        """End the detection."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_active(self) -> bool:
        if not self._detected and self._context.now_ms() > LISTEN_MS:
            self._over = True
        return not self._over

    def _expect_beep(self, why: str) -> None:
        self._detected = True
        if not self._message():
            self._leave(why)
            return
        given: object = (self._plan or {}).get("beepMaxAwaitSeconds", _BEEP_S)
        wait_ms = (float(given) if isinstance(given, int | float) else _BEEP_S) * 1000
        at_ms = self._context.zero_ms + wait_ms
        if self._timer is None:
            self._timer = self._clock.call_at(at_ms, lambda: self._leave("no beep in time"))

    def _leave(self, why: str) -> None:
        """Say the message, if there is one, and end the call: the greeting is over."""
        if self._over:
            return
        self.close()
        context = self._context
        at_ms = int(context.now_ms())
        _log.info("a voicemail answered the call", call_id=context.setup.call_id, why=why)
        message = self._message()
        if message:
            self.leaving = True
            context.post(Say(at_ms, message, interruptible=False, interrupts=True, ends_call=True))
        else:
            context.post(HangUp(at_ms, VOICEMAIL))

    def _message(self) -> str:
        return (self._context.setup.assistant.voicemail_message or "").strip()
