"""Detection of machines that answer outbound calls: voicemails, call screening services and menus.

They are known by their words in any language (`answering`), a voicemail also by its beep or by the carrier's report.
"""

import structlog

from bargein.audio.beep import BeepDetector
from bargein.call.context import CallContext
from bargein.call.hearing.answering import Machine, classify
from bargein.call.hearing.answering.classify import MOST_CHARS
from bargein.call.tools.declarations import name_of
from bargein.clock import Clock, Timer
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16
from bargein.turns.events import AddMessage, HangUp, Mute, Say
from bargein.wire.json import as_list
from bargein.wire.voicemail import beep_wait_ms, listening_ms, voicemail_plan

VOICEMAIL = "voicemail"
"""The `endedReason`."""

QUIET_MS = 4000
"""After so much silence a greeting without a beep is over, if the assistant does not say how long to wait."""

_BEEP_MS = 30_000
"""Vapi's default of `beepMaxAwaitSeconds`."""
_CARRIER_WORDS = ("machine_end_beep", "machine_end_silence")
"""Vapi's default of `voicemailDetectionTypes`."""

SCREENED = (
    "A call screening service has answered, not a person. Say in one or two short sentences who you are and why you"
    " call, and ask for nothing. Then wait until a person speaks."
)
"""The message to the model when a screening service answers."""

IN_A_MENU = "An automatic menu has answered, not a person. Do not greet it and do not talk to it."
_WITH_KEYS = " Press the keys that it asks for with the tool {name}, without a word, until a person speaks."
_WITHOUT_KEYS = " If it can be answered by voice, say the one word that it asks for and nothing else."

_log = structlog.get_logger("bargein.call")


class VoicemailDetector:
    """The detection of machines in an outbound call whose assistant has `voicemailDetection`.

    From the moment at which a voicemail is known the assistant is silent. After the greeting `voicemailMessage` is said
    and the call ends with `voicemail`; without a message it ends at once. The greeting is over at the beep, when the
    carrier says so, or `beepMaxAwaitSeconds` after the call began; without that field also when it has been silent
    behind the greeting for `QUIET_MS`.

    For a screening service or a menu the assistant stops what it is saying, which nobody hears, and the model is told
    who has answered; it then answers the service or chooses with the keys. A voicemail may still follow.

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
        self._finals = ""
        self._machine: Machine | None = None
        self._by_carrier = False
        self._detected_ms = 0.0
        self._mutes = False
        self._over = self._plan is None
        self._timer: Timer | None = None
        self.leaving = False

    def receive_audio(self, pcm: Pcm16) -> None:
        """Search audio of the other side, at `TRANSCRIBER_RATE_HZ`, for a beep or for the end of a greeting."""
        if not self._is_active():
            return
        if self._beeps.push(pcm) and self._trusts_beeps():
            self._leave("beep")
        elif self._machine == "voicemail" and self._is_quiet():
            self._leave("silence behind the greeting")

    def receive_transcript(self, text: str, *, final: bool = True) -> None:
        """Search a transcript of the other side, together with those before it, for the words of a machine."""
        if not self._is_active() or (self._machine == "voicemail" and not self._by_carrier):
            return
        said = f"{self._finals} {text}"[-MOST_CHARS:]
        if final:
            self._finals = said
        found = classify(said, final=final)
        if found == "voicemail":
            self._by_carrier = False
            self._expect_beep("greeting")
        elif found is not None and (self._machine is None or self._by_carrier):
            self._answer_machine(found)

    def handle_answered_by(self, by: str, detail: str) -> None:
        """Handle the carrier's answering machine detection.

        Args:
            by: `human` or `machine`.
            detail: the carrier's own word (`voicemailDetectionTypes` names those that mean the greeting is over).
        """
        plan = self._plan or {}
        words = as_list(plan.get("voicemailDetectionTypes")) or _CARRIER_WORDS
        # A carrier takes a menu and a screening service for a voicemail.
        if not self._is_active() or self._machine in ("screening", "menu"):
            return
        if detail in words:
            self._leave("carrier")
        elif by == "machine" and self._machine is None:
            self._by_carrier = True
            self._expect_beep("carrier")

    def close(self) -> None:
        """End the detection."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_active(self) -> bool:
        if self._machine != "voicemail" and self._context.now_ms() > listening_ms(self._plan or {}):
            self._over = True
        return not self._over

    def _trusts_beeps(self) -> bool:
        """Return True if a beep means a voicemail: not a service's own, nor one alone where only words are to count."""
        if self._machine == "voicemail":
            return True
        return self._machine is None and (self._plan or {}).get("type") != "transcript"

    def _is_quiet(self) -> bool:
        if beep_wait_ms(self._plan or {}) is not None:
            return False
        caller = self._context.state.caller
        heard_ms = max(caller.offset_ms, caller.words_at_ms, self._detected_ms)
        return not caller.voiced and self._context.now_ms() - heard_ms >= QUIET_MS

    def _expect_beep(self, why: str) -> None:
        self._machine, self._detected_ms = "voicemail", self._context.now_ms()
        if not self._message():
            self._leave(why)
            return
        self._be_silent()
        given_ms = beep_wait_ms(self._plan or {})
        at_ms = self._context.zero_ms + (_BEEP_MS if given_ms is None else given_ms)
        if self._timer is None:
            self._timer = self._clock.call_at(at_ms, lambda: self._leave("no beep in time"))

    def _be_silent(self) -> None:
        """Stop what the assistant is saying: nobody listens to it, and the voicemail would record it."""
        if not self._mutes and not self._context.state.assistant_muted:
            self._mutes = True
            self._context.post(Mute(int(self._context.now_ms()), "assistant", on=True))

    def _speak_again(self) -> None:
        """Let the assistant speak, unless a client has muted it."""
        if self._mutes:
            self._mutes = False
            self._context.post(Mute(int(self._context.now_ms()), "assistant", on=False))

    def _answer_machine(self, machine: Machine) -> None:
        """Stop what the assistant is saying, and tell the model what has answered; it answers at the turn's end."""
        context, at_ms = self._context, int(self._context.now_ms())
        self._machine, self._by_carrier = machine, False
        if self._timer is not None:  # the carrier took it for a voicemail
            self._timer.cancel()
            self._timer = None
        _log.info("a machine answered the call", call_id=context.setup.call_id, machine=machine)
        self._be_silent()
        self._speak_again()
        context.post(
            AddMessage(at_ms, "system", SCREENED if machine == "screening" else self._menu_hint(), respond=False)
        )

    def _menu_hint(self) -> str:
        keys = next((tool for tool in self._context.setup.tools if tool.get("type") == "dtmf"), None)
        return IN_A_MENU + (_WITHOUT_KEYS if keys is None else _WITH_KEYS.format(name=name_of(keys)))

    def _leave(self, why: str) -> None:
        """Say the message, if there is one, and end the call: the greeting is over."""
        if self._over:
            return
        self.close()
        context = self._context
        at_ms = int(context.now_ms())
        _log.info("a voicemail answered the call", call_id=context.setup.call_id, why=why)
        message = self._message()
        if not message:
            context.post(HangUp(at_ms, VOICEMAIL))
            return
        self.leaving = True
        context.post(Say(at_ms, message, interruptible=False, interrupts=True, ends_call=True))
        self._speak_again()

    def _message(self) -> str:
        return (self._context.setup.assistant.voicemail_message or "").strip()
