"""The checks of a caller: how soon the assistant was silent, whether it kept talking, how soon it answered.

Each returns a `Verdict`. Times are measured at the caller's ear: from the onset of the caller's voice, by its energy,
to the end of the last sound that is still played by a client that drops nothing (`client.playback`).
"""

from bargein.client.connection import Connection
from bargein.client.pacing import PacedSender
from bargein.client.playback import SpeechSegment
from bargein.client.server_api import Server
from bargein.testing.caller_ears import Utterance
from bargein.testing.caller_report import CallerReport
from bargein.testing.caller_timeline import BUSY_MS
from bargein.testing.caller_verdict import Verdict

_LISTENED_MS = 1_000
"""Time after the end of a sound until which the assistant must be heard to go on."""

_PAUSE_MS = 600.0
"""The longest silence of an assistant that is heard to go on: a pause between two sentences is shorter."""


class CallerChecks(CallerReport):
    """The part of `caller.Caller` that judges what was heard; its arguments are those of `CallerReport`."""

    def __init__(self, server: Server, connection: Connection, sender: PacedSender) -> None:
        super().__init__(server, connection, sender)
        self._turn: Utterance | None = None

    def silent_within_ms(self, limit_ms: float, *, utterance: Utterance | None = None) -> Verdict:
        """Return whether the assistant was interrupted, and silent within a time from the onset of the caller's voice.

        Args:
            limit_ms: the time.
            utterance: what the caller talked over the assistant with; by default the last such.
        """
        found = self._talked_over(utterance)
        if found is None or found.over is None:
            return Verdict(False, "the caller has not talked over the assistant yet")  # noqa: FBT003  # a verdict
        event = found.over
        if not event.over_speech:
            return self._verdict(holds=False, reason=f"the assistant was not speaking when {found.name} began")
        if event.message_ms is None:
            return self._verdict(holds=False, reason=f"the assistant was not interrupted by {found.name}")
        if event.silence_ms is None:
            return self._verdict(holds=False, reason=f"the assistant was interrupted by {found.name}, but still heard")
        # what dried up and was heard again before the cut was no silence
        silence_ms = max(event.silence_ms, self._ears.last_sound_ms(event.message_ms)) - event.onset_ms
        reason = f"the assistant was silent {silence_ms:.0f} ms after the onset of {found.name}"
        if silence_ms > limit_ms:
            reason += f", {limit_ms:g} ms were allowed"
        return self._verdict(holds=silence_ms <= limit_ms, reason=reason)

    def kept_talking_through(self, utterance: Utterance | None = None, *, pause_ms: float = _PAUSE_MS) -> Verdict:
        """Return whether the assistant went on while the caller let something be heard, and for a second after it.

        Args:
            utterance: what was heard over the assistant; by default the last such.
            pause_ms: the longest silence that is no stop.
        """
        found = self._talked_over(utterance)
        if found is None or found.over is None:
            return Verdict(False, "nothing was heard over the assistant yet")  # noqa: FBT003  # a verdict
        event = found.over
        if not event.over_speech:
            return self._verdict(holds=False, reason=f"the assistant was not speaking when {found.name} began")
        if not event.missed:
            after_ms = event.after_onset_ms(event.message_ms) or 0.0
            reason = f"the assistant was interrupted by {found.name}, {after_ms:.0f} ms after its onset"
            return self._verdict(holds=False, reason=reason)
        silence_ms = self._ears.longest_silence_ms(found.onset_ms, found.offset_ms + _LISTENED_MS)
        if silence_ms > pause_ms:
            reason = f"the assistant was silent for {silence_ms:.0f} ms during {found.name} or the second after it"
            return self._verdict(holds=False, reason=f"{reason}, {pause_ms:g} ms were allowed")
        return self._verdict(holds=True, reason=f"the assistant kept talking through {found.name}")

    def answered_within_ms(self, limit_ms: float) -> Verdict:
        """Return whether the answer to the last turn began within a time from the end of the caller's voice.

        Call it after `wait_for_answer` or `interrupt_after`.
        """
        if self._turn is None:
            return Verdict(False, "the caller has not said anything yet")  # noqa: FBT003  # a verdict
        answer = self._answer_so_far()
        if answer is None:
            reason = f"no answer to {self._turn.name} was heard yet: `await caller.wait_for_answer()` waits for it"
            return self._verdict(holds=False, reason=reason)
        after_ms = answer.start_ms - self._turn.offset_ms
        reason = f"the answer to {self._turn.name} was heard {after_ms:.0f} ms after its end"
        if after_ms > limit_ms:
            reason += f", {limit_ms:g} ms were allowed"
        return self._verdict(holds=after_ms <= limit_ms, reason=reason)

    def _talked_over(self, utterance: Utterance | None) -> Utterance | None:
        if utterance is not None:
            return utterance
        return next((one for one in reversed(self._utterances) if one.over is not None), None)

    def _answer_so_far(self) -> SpeechSegment | None:
        """Return the beginning of the answer to the last turn, or of the greeting; None: it was not heard yet."""
        segments = self._ears.meter.unflushed.segments
        if self._turn is None:
            return segments[0] if segments else None
        onset_ms, offset_ms = self._turn.onset_ms, self._turn.offset_ms
        return next((one for one in segments if one.start_ms > onset_ms and one.end_ms > offset_ms), None)

    def _verdict(self, *, holds: bool, reason: str) -> Verdict:
        late_ms = self._sender.lateness().p99_ms
        if not holds and late_ms > BUSY_MS:
            reason += f" (this machine was busy: the caller's own frames were up to {late_ms:.0f} ms late)"
        return Verdict(holds, reason)
