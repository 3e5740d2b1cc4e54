"""Latencies and interruptions of a call (Vapi's `PerformanceMetrics`), from the engine's events and commands alone.

A replay of the journal gives the same numbers. A turn counts once its answer is heard:

    end of the caller's voice -> last words -> model asked -> first text -> first audio -> first sound
      |   transcriberLatency   | endpointing |   model      |   voice     |  held back   |
      |                              turnLatency                                         |

The five parts follow each other without a gap. The last has no name in Vapi's schema: an answer that is ready is held
back by `waitSeconds`, or while the caller speaks.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bargein.turns import commands as engine
from bargein.turns.events import AddMessage, Event, ReplyToken, SpeechQueued, TranscriptReceived, VoiceStarted
from bargein.wire.base import JsonObject


class TurnLatency(NamedTuple):
    """The latencies of one answer, in milliseconds.

    Attributes:
        transcriber: from the end of the caller's voice to the last transcript of the turn; 0: it came before.
        endpointing: from then to the end of the turn, when the model was asked.
        model: from then to the first text of the answer.
        voice: from then to the first audio of the answer.
        turn: from the end of the caller's voice to the first sound of the answer.
    """

    transcriber: int
    endpointing: int
    model: int
    voice: int
    turn: int


_NAMES = {
    "transcriberLatency": "transcriber",
    "endpointingLatency": "endpointing",
    "modelLatency": "model",
    "voiceLatency": "voice",
    "turnLatency": "turn",
}
"""The latencies by Vapi's names."""

DECIDED = "decided "
"""Prefix of what a watcher gets when a voice over the assistant was decided on: `stopped`, `unducked` or `ignored`."""

Watch = Callable[[str, TurnLatency | None], None]
"""Callback for `turn` with its latencies, `assistant-interrupted`, `user-interrupted`, `resumed`, `preemptive-kept`,
`preemptive-discarded` and `decided …` (see `DECIDED`), as they happen."""


@dataclass(slots=True)
class _PendingAnswer:
    """An answer that has not been heard yet; the times are of the call."""

    turn_id: str
    silent_ms: int
    words_ms: int
    asked_ms: int
    text_ms: int | None = None
    audio_ms: int | None = None


class CallMetrics:
    """The metrics of one call.

    Attributes:
        turns: the latencies of the answers that were heard, in order.
        assistant_interrupted: how often the caller interrupted the assistant; each `user-interrupted` counts. This is
            Vapi's `numAssistantInterrupted`.
        user_interrupted: how often the assistant began to speak while the caller was already speaking, which the
            detector reported only after that. This is Vapi's `numUserInterrupted`.
        resumed: how many interruptions were false, so that the assistant resumed its speech.
        preemptive_kept: how many preemptive replies were kept.
        preemptive_discarded: how many were discarded.
        watch: called for each of these as it happens.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self.watch = watch
        self.turns: list[TurnLatency] = []
        self.assistant_interrupted = 0
        self.user_interrupted = 0
        self.resumed = 0
        self.preemptive_kept = 0
        self.preemptive_discarded = 0
        self._preemptive: _PendingAnswer | None = None
        self._answer: _PendingAnswer | None = None
        self._words_ms = 0
        self._playing_since_ms: int | None = None

    def apply(self, now_ms: int, event: Event, commands: Iterable[engine.Command]) -> None:
        """Apply one step of the engine: an event at `now_ms`, and its commands."""
        self._apply_event(event)
        user: engine.Remember | None = None
        for command in commands:
            match command:
                case engine.Remember(role="user") if not isinstance(event, AddMessage):
                    user = command
                case engine.StartReply(turn_id, None) if user is not None:
                    silent_ms = min(user.end_ms, now_ms)
                    words_ms = min(max(silent_ms, self._words_ms), now_ms)
                    self._answer = _PendingAnswer(turn_id, silent_ms, words_ms, now_ms)
                case engine.Play(turn_id):
                    self._playing_since_ms = now_ms
                    self._end_turn(now_ms, turn_id)
                case engine.CloseReply(outcome=outcome):
                    self._close(outcome)
                case engine.Send(engine.UserInterrupted()):
                    self.assistant_interrupted += 1
                    self._notify("assistant-interrupted")
                case engine.Decide("stopped" | "unducked" | "ignored" as what):
                    self._notify(f"{DECIDED}{what}")
                case engine.Decide("resumed"):
                    self.resumed += 1
                    self._notify("resumed")
                case _:
                    self._apply_preemptive(now_ms, command, user)

    def _close(self, outcome: engine.Outcome) -> None:
        if outcome != "discarded":
            self._answer = self._playing_since_ms = None
            return
        if self._preemptive is None:  # the prepared rest of a reply that was truly interrupted
            return
        self._preemptive = None
        self.preemptive_discarded += 1
        self._notify("preemptive-discarded")

    def _apply_preemptive(self, now_ms: int, command: engine.Command, user: engine.Remember | None) -> None:
        match command:
            case engine.StartReply(turn_id, said=said) if said:
                self._preemptive = _PendingAnswer(turn_id, now_ms, now_ms, now_ms)
            case engine.KeepReply(turn_id):
                self._keep(now_ms, turn_id, user)
            case _:
                pass

    def _keep(self, now_ms: int, turn_id: str, user: engine.Remember | None) -> None:
        """Make a preemptive reply the answer; what it has generated so far cost the caller no time."""
        pending, self._preemptive = self._preemptive, None
        if pending is None:  # the prepared rest of a reply
            return
        self.preemptive_kept += 1
        self._notify("preemptive-kept")
        if user is None or pending.turn_id != turn_id:
            return
        silent_ms = min(user.end_ms, now_ms)
        words_ms = min(max(silent_ms, self._words_ms), now_ms)
        text_ms = None if pending.text_ms is None else now_ms
        audio_ms = None if pending.audio_ms is None else now_ms
        self._answer = _PendingAnswer(turn_id, silent_ms, words_ms, now_ms, text_ms, audio_ms)

    def _apply_event(self, event: Event) -> None:
        answer = self._preemptive or self._answer
        match event:
            case TranscriptReceived(at_ms, text) if text.strip():
                self._words_ms = at_ms
            case ReplyToken(at_ms, turn_id) if answer is not None and answer.turn_id == turn_id:
                answer.text_ms = at_ms if answer.text_ms is None else answer.text_ms
            case SpeechQueued(at_ms, turn_id, _, audio_ms) if (
                audio_ms and answer is not None and answer.turn_id == turn_id
            ):
                answer.audio_ms = at_ms if answer.audio_ms is None else answer.audio_ms
            case VoiceStarted(at_ms, onset_ms) if self._playing_since_ms is not None:
                if onset_ms <= self._playing_since_ms <= at_ms:
                    self.user_interrupted += 1
                    self._notify("user-interrupted")
            case _:
                pass

    def _end_turn(self, now_ms: int, turn_id: str) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.turn_id != turn_id or answer.text_ms is None or answer.audio_ms is None:
            return
        latency = TurnLatency(
            transcriber=answer.words_ms - answer.silent_ms,
            endpointing=answer.asked_ms - answer.words_ms,
            model=answer.text_ms - answer.asked_ms,
            voice=answer.audio_ms - answer.text_ms,
            turn=now_ms - answer.silent_ms,
        )
        self.turns.append(latency)
        self._notify("turn", latency)

    def _notify(self, what: str, latency: TurnLatency | None = None) -> None:
        if self.watch is not None:
            self.watch(what, latency)

    def to_json(self) -> JsonObject:
        """Return Vapi's `PerformanceMetrics`; without averages if nothing was answered.

        The latencies to and from the transport are left out, since they are not measured.
        """
        turns: list[JsonObject] = [
            {name: getattr(turn, field) for name, field in _NAMES.items()} for turn in self.turns
        ]
        averages = {f"{name}Average": round(sum(t[name] for t in turns) / len(turns), 2) for name in _NAMES if turns}
        return {
            "turnLatencies": turns,
            **averages,
            "numAssistantInterrupted": self.assistant_interrupted,
            "numUserInterrupted": self.user_interrupted,
        }
