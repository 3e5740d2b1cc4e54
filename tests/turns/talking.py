"""Helpers to script a call for the engine: events in, commands out."""

from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from bargein.turns import Plan, State, step, wake_at
from bargein.turns.commands import CloseReply, Command, Decide, EndCall, Message, Send, UserInterrupted
from bargein.turns.events import (
    CallStarted,
    Event,
    Played,
    ReplyEnded,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    Tick,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)

C = TypeVar("C", bound=Command)
M = TypeVar("M", bound=Message)

CALL_ID = "3f6c2b1e-7f0a-4c1d-9b2e-5a6b7c8d9e0f"
WAITING = "assistant-waits-for-user"


def waiting(**changes: Any) -> Plan:
    """Return a plan of Vapi's defaults with changes, for a call in which the caller speaks first."""
    return replace(Plan(first_message_mode=WAITING), **changes)


@dataclass
class Call:
    """A scripted call; ticks come by themselves, exactly when the engine needs them."""

    plan: Plan = field(default_factory=waiting)
    state: State = field(default_factory=lambda: State(call_id=CALL_ID))
    log: list[tuple[int, Command]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def feed(self, event: Event) -> list[Command]:
        """Feed the ticks that are due before the event, then the event."""
        while (due := wake_at(self.state, self.plan)) is not None and due <= event.at_ms:
            self._step(Tick(due))
        return self._step(event)

    def _step(self, event: Event) -> list[Command]:
        self.events.append(event)
        self.state, commands = step(self.state, event, self.plan)
        self.log.extend((self.state.now_ms, c) for c in commands)
        due = wake_at(self.state, self.plan)
        assert due is None or due > self.state.now_ms, "the timer spins"
        return list(commands)

    def until(self, at_ms: int) -> list[Command]:
        """Let time pass."""
        start = len(self.log)
        self.feed(Tick(at_ms))
        return [c for _, c in self.log[start:]]

    def commands(self, kind: type[C]) -> list[C]:
        return [c for _, c in self.log if isinstance(c, kind)]

    def messages(self, kind: type[M]) -> list[M]:
        return [c.message for _, c in self.log if isinstance(c, Send) and isinstance(c.message, kind)]

    def outcomes(self) -> list[str]:
        """Return how each reply ended, in order."""
        return [c.outcome for c in self.commands(CloseReply)]

    def cuts(self) -> list[str | None]:
        """Return the turn id of each `user-interrupted`."""
        return [m.turn_id for m in self.messages(UserInterrupted)]

    def decisions(self) -> list[str]:
        return [c.what for c in self.commands(Decide)]

    def ended_reason(self) -> str | None:
        return next((c.reason for c in self.commands(EndCall)), None)

    def remembered(self) -> list[tuple[str, str]]:
        """Return the roles and texts of the history."""
        return [(m.role, m.text) for m in self.state.history]

    def when(self, kind: type) -> list[int]:
        return [t for t, c in self.log if isinstance(c, kind) or (isinstance(c, Send) and isinstance(c.message, kind))]

    # Common parts of a conversation.

    def start(self, at_ms: int = 0) -> "Call":
        self.feed(CallStarted(at_ms))
        return self

    def voice(self, from_ms: int, to_ms: int) -> None:
        """Feed a voice, reported by a detector that is 32 ms late."""
        self.feed(VoiceStarted(from_ms + 32, from_ms))
        self.feed(VoiceStopped(to_ms + 32, to_ms))

    def user_says(self, at_ms: int, text: str, voice_ms: int = 600) -> int:
        """Feed an utterance; return when its words have come."""
        self.voice(at_ms, at_ms + voice_ms)
        self.feed(TranscriptReceived(at_ms + voice_ms + 300, text, final=True))
        return at_ms + voice_ms + 300

    def reply(self) -> str:
        """Return the id of the running reply."""
        assert self.state.reply is not None
        return self.state.reply.turn_id

    def model_says(self, at_ms: int, text: str, audio_ms: int, *, ended: bool = True) -> str:
        """Give the running reply text and audio at once."""
        turn_id = self.reply()
        assert self.state.reply is not None
        if self.state.reply.kind == "model":
            self.feed(ReplyToken(at_ms, turn_id, text))
        self.feed(SpeechRequested(at_ms, turn_id, 0, 0, text))
        self.feed(SpeechQueued(at_ms, turn_id, 0, audio_ms, done=True))
        if ended:
            self.feed(ReplyEnded(at_ms, turn_id))
        return turn_id

    def hear(self, at_ms: int, position_ms: int, *, drained: bool = False) -> None:
        self.feed(Played(at_ms, self.reply(), position_ms, drained))

    def talking(self, text: str = "one two three four five six seven eight nine ten", audio_ms: int = 3000) -> int:
        """Bring the call to a reply that has just begun to sound; return when it did."""
        self.start()
        at_ms = self.user_says(100, "Hello there.")
        at_ms = self.settle(at_ms)
        self.model_says(at_ms, text, audio_ms)
        self.until(at_ms + 2000)
        assert self.state.reply is not None
        assert self.state.reply.audible_ms is not None
        return self.state.reply.audible_ms

    def spoken(self, at_ms: int) -> None:
        """Play the running reply to its end."""
        assert self.state.reply is not None
        self.hear(at_ms, self.state.reply.audio_ms, drained=True)

    def settle(self, at_ms: int) -> int:
        """Go on until a reply has been requested."""
        while self.state.reply is None:
            due = wake_at(self.state, self.plan)
            assert due is not None
            assert due < at_ms + 20_000
            self.until(due)
        return self.state.now_ms
