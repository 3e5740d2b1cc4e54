"""How quick a call was and who cut whom: Vapi's `PerformanceMetrics`, from the engine's events and commands alone.

A journal that is run again gives the same numbers. A turn counts once its answer is heard:

    end of the caller's voice -> last words -> model asked -> first text -> first audio -> first sound
      |   transcriberLatency   | endpointing |   model      |   voice     |  held back   |
      |                              turnLatency                                         |

The five parts lie end to end. What is not named in Vapi's schema is the last: the time that `waitSeconds`, or a caller
who has the floor, holds back an answer which stands ready.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bargein.turns import commands as told
from bargein.turns.events import AddMessage, Event, ReplyToken, SpeechQueued, TranscriptReceived, VoiceStarted
from bargein.wire.base import JsonObject


class TurnLatency(NamedTuple):
    """How long one answer took, in milliseconds.

    Attributes:
        transcriber: from the end of the caller's voice until the last words of the turn had come; 0: before it.
        endpointing: from then until the turn was taken to be over and the model was asked.
        model: from then until the first piece of its text, or of a tool it calls, came.
        voice: from then until the first audio of it stood ready.
        turn: from the end of the caller's voice until the answer began to sound.
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
"""By Vapi's names."""

DECIDED = "decided "
"""Prefix of what a watcher gets when a voice over the assistant was decided on: `stopped`, `unducked` or `ignored`."""

Watch = Callable[[str, TurnLatency | None], None]
"""Gets `turn` with its latencies, `assistant-interrupted`, `user-interrupted`, `resumed`, `draft-kept` and
`draft-discarded`, as they happen, and `decided …` (see `DECIDED`)."""


@dataclass(slots=True)
class _Answer:
    """An answer on its way; the times are of the call."""

    turn_id: str
    silent_ms: int
    words_ms: int
    asked_ms: int
    text_ms: int | None = None
    audio_ms: int | None = None


class CallMetrics:
    """Takes the numbers of one call.

    Attributes:
        turns: the latencies of the answers that were heard, in order.
        assistant_interrupted: how often the caller cut the assistant: each `user-interrupted` counts. This is Vapi's
            `numAssistantInterrupted`.
        user_interrupted: how often the assistant began to sound while the caller was speaking already, which the
            detector heard only after that. This is Vapi's `numUserInterrupted`.
        resumed: how many of the cuts were false alarms, after which the assistant went on.
        drafts_kept: how many answers were begun before the turn was over, and kept.
        drafts_discarded: how many were begun in vain.
        watch: is told of each of these as it happens.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self.watch = watch
        self.turns: list[TurnLatency] = []
        self.assistant_interrupted = 0
        self.user_interrupted = 0
        self.resumed = 0
        self.drafts_kept = 0
        self.drafts_discarded = 0
        self._draft: _Answer | None = None
        self._answer: _Answer | None = None
        self._words_ms = 0
        self._sounds_since_ms: int | None = None

    def apply(self, now_ms: int, event: Event, commands: Iterable[told.Command]) -> None:
        """Take one step of the engine: what it was told at `now_ms`, and what it answered."""
        self._hear(event)
        user: told.Remember | None = None
        for command in commands:
            match command:
                case told.Remember(role="user") if not isinstance(event, AddMessage):
                    user = command
                case told.StartReply(turn_id, None) if user is not None:
                    silent_ms = min(user.end_ms, now_ms)
                    words_ms = min(max(silent_ms, self._words_ms), now_ms)
                    self._answer = _Answer(turn_id, silent_ms, words_ms, now_ms)
                case told.Play(turn_id):
                    self._sounds_since_ms = now_ms
                    self._sound(now_ms, turn_id)
                case told.CloseReply(outcome=outcome):
                    self._close(outcome)
                case told.Send(told.UserInterrupted()):
                    self.assistant_interrupted += 1
                    self._tell("assistant-interrupted")
                case told.Decide("stopped" | "unducked" | "ignored" as what):
                    self._tell(f"{DECIDED}{what}")
                case told.Decide("resumed"):
                    self.resumed += 1
                    self._tell("resumed")
                case _:
                    self._take_of_draft(now_ms, command, user)

    def _close(self, outcome: told.Outcome) -> None:
        if outcome != "discarded":
            self._answer = self._sounds_since_ms = None
            return
        self._draft = None
        self.drafts_discarded += 1
        self._tell("draft-discarded")

    def _take_of_draft(self, now_ms: int, command: told.Command, user: told.Remember | None) -> None:
        match command:
            case told.StartReply(turn_id, said=said) if said:
                self._draft = _Answer(turn_id, now_ms, now_ms, now_ms)
            case told.KeepReply(turn_id):
                self._keep(now_ms, turn_id, user)
            case _:
                pass

    def _keep(self, now_ms: int, turn_id: str, user: told.Remember | None) -> None:
        """A draft is the answer. What it has put out by now took the caller no time."""
        draft, self._draft = self._draft, None
        self.drafts_kept += 1
        self._tell("draft-kept")
        if user is None or draft is None or draft.turn_id != turn_id:
            return
        silent_ms = min(user.end_ms, now_ms)
        words_ms = min(max(silent_ms, self._words_ms), now_ms)
        text_ms = None if draft.text_ms is None else now_ms
        audio_ms = None if draft.audio_ms is None else now_ms
        self._answer = _Answer(turn_id, silent_ms, words_ms, now_ms, text_ms, audio_ms)

    def _hear(self, event: Event) -> None:
        answer = self._draft or self._answer
        match event:
            case TranscriptReceived(at_ms, text) if text.strip():
                self._words_ms = at_ms
            case ReplyToken(at_ms, turn_id) if answer is not None and answer.turn_id == turn_id:
                answer.text_ms = at_ms if answer.text_ms is None else answer.text_ms
            case SpeechQueued(at_ms, turn_id, _, audio_ms) if (
                audio_ms and answer is not None and answer.turn_id == turn_id
            ):
                answer.audio_ms = at_ms if answer.audio_ms is None else answer.audio_ms
            case VoiceStarted(at_ms, onset_ms) if self._sounds_since_ms is not None:
                if onset_ms <= self._sounds_since_ms <= at_ms:
                    self.user_interrupted += 1
                    self._tell("user-interrupted")
            case _:
                pass

    def _sound(self, now_ms: int, turn_id: str) -> None:
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
        self._tell("turn", latency)

    def _tell(self, what: str, latency: TurnLatency | None = None) -> None:
        if self.watch is not None:
            self.watch(what, latency)

    def to_json(self) -> JsonObject:
        """As Vapi's `PerformanceMetrics`; without averages where nothing was answered.

        The latencies to and from the transport are left out: a socket does not tell them.
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
