"""A reply and its parts, as frozen values: every change makes a new one."""

from dataclasses import dataclass
from typing import Literal

from bargein.turns.commands import Remember
from bargein.turns.events import (
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    TextEnded,
    TimedWord,
    ToolsCalled,
)
from bargein.turns.hooks.plan import HookOn
from bargein.turns.roles import Role

ReplyKind = Literal["model", "resumed", "first", "say"]
"""The model's answer; the unheard rest of a reply after a false interruption; the first message; a `say`."""

GeneratedEvent = ReplyToken | TextEnded | ToolsCalled | SpeechRequested | SpeechQueued | ReplyEnded | ReplyFailed
"""Events of the model and the voice about a reply, all but its playout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSay:
    """A text that the assistant will say word for word as soon as it may.

    Attributes:
        text: the text; empty where there is a `prompt`.
        interruptible: the caller may interrupt it.
        end_call_reason: the `endedReason` with which the call ends once it has been heard; None: the call goes on.
        starts_tool: id of the tool call that runs once it has been heard.
        ends_for: id of the tool call that asked for the end; None: no tool did.
        tool_call_id: id of the unanswered tool call that it is about.
        turn_id: the reply that called that tool; it is dropped when the caller interrupts that reply.
        only_while_running: it is dropped once the tool has answered.
        prompt: messages that the model sees after the history; the model then says something instead of `text`.
        hook: the hook that queued it.
    """

    text: str
    interruptible: bool = True
    end_call_reason: str | None = None
    starts_tool: str | None = None
    ends_for: str | None = None
    tool_call_id: str | None = None
    turn_id: str | None = None
    only_while_running: bool = False
    prompt: tuple[tuple[Role, str], ...] = ()
    hook: HookOn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a reply's text and its synthesized audio.

    Attributes:
        char_start: offset of `text` in the reply's text.
        text: the piece.
        start_ms: where its audio begins in the reply's audio.
        audio_ms: how much of its audio is queued so far.
        words: timings of its words, as far as they are known.
        done: all of its audio is queued.
        transcript_sent: how many of its characters the last assistant `transcript` held; -1: its final has been sent.
        unspoken: nothing of it is spoken (an emoji, marks of a layout), so that it is heard with what was before it.
    """

    char_start: int
    text: str
    start_ms: int
    audio_ms: int = 0
    words: tuple[TimedWord, ...] = ()
    done: bool = False
    transcript_sent: int = 0
    unspoken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The reply that is being generated or spoken. There is at most one.

    Attributes:
        turn_id: names the reply; unique within the call.
        kind: where its text comes from.
        requested_ms: when it was requested.
        last_activity_ms: when model, voice or playout last made progress.
        not_before_ms: it must not sound before this time.
        interruptible: the caller may interrupt it.
        end_call_reason: the `endedReason` with which the call ends once it has been heard; None: the call goes on.
        ends_for: id of the tool call that asked for that end; None: no tool did.
        starts_tool: id of the tool call that runs once it has been heard.
        called_tools: it has called tools, so the model will not add text to it.
        turn: Vapi's `turn`, once it is audible.
        text: all of its text so far.
        text_ended: no more text will come.
        repeated_chars: how many characters at its beginning repeat what was heard before a false interruption.
        segments: the pieces of its text that were sent to the voice, in order.
        audible_ms: when it began to sound; None: not yet.
        played_ms: how much of its audio has been played to the caller.
        sound_ms: how far the last audible part of that reaches; 0: nothing audible has been played.
        model_output_sent: a `model-output` of it was sent.
        words_reported: the last `wordsSpoken` that was sent; -1: none.
        ended: model and voice have finished it.
        drained: everything queued has been played.
        hang_sent: `hang` has been sent since its last activity.
        ducked: it sounds at a lower level now.
        hook: the hook that made it.
        interrupted_caller: it sounded while the caller went on speaking, and hooks have been triggered for that.
    """

    turn_id: str
    kind: ReplyKind
    requested_ms: int
    last_activity_ms: int
    not_before_ms: int
    interruptible: bool = True
    end_call_reason: str | None = None
    ends_for: str | None = None
    starts_tool: str | None = None
    called_tools: bool = False
    turn: int = -1
    text: str = ""
    text_ended: bool = False
    repeated_chars: int = 0
    segments: tuple[Segment, ...] = ()
    audible_ms: int | None = None
    played_ms: int = 0
    sound_ms: int = 0
    model_output_sent: bool = False
    words_reported: int = -1
    ended: bool = False
    drained: bool = False
    hang_sent: bool = False
    ducked: bool = False
    hook: HookOn | None = None
    interrupted_caller: bool = False

    @property
    def by_model(self) -> bool:
        """Return True if a model made it, so that `model-output` messages have told clients its `turnId`."""
        return self.kind in ("model", "resumed")

    @property
    def audio_ms(self) -> int:
        """The audio queued so far, in ms."""
        return sum(s.audio_ms for s in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreemptiveReply:
    """A reply that is being generated before it is certain that it is wanted. No client knows of it.

    It is an answer before the turn is surely over, or the rest of a reply that was cut before it is certain that this
    was a false interruption.

    Attributes:
        turn_id: names the reply.
        said: the caller's words that it answers, without case and punctuation.
        history: the conversation that it answers.
        events: the events about it so far, which are applied if it is kept.
        resumes: turn id of the reply that was cut and whose rest it says; None: it is an answer.
    """

    turn_id: str
    said: tuple[str, ...]
    history: tuple[Remember, ...]
    events: tuple[GeneratedEvent, ...] = ()
    resumes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseInterruption:
    """A reply that was cut, while it is not known yet whether that was a false interruption.

    The caller's words decide, or their absence. No other reply begins until then.

    Attributes:
        turn_id: the reply that was cut.
        kind: the kind of the reply that would resume it.
        was_question: it ended with a question mark, so that a backchannel ("yes") answers it.
        rest: the text to resume with; empty: there is none.
        repeated_chars: how many characters at the beginning of `rest` had been heard.
        asks_model: the model had not finished, so that it is asked for another answer after `rest`.
        prepared: the voice has been asked for `rest` already.
        end_call_reason: as in the reply.
        ends_for: as in the reply.
        starts_tool: as in the reply.
        backoff_until_ms: `State.backoff_until_ms` before the cut.
    """

    turn_id: str
    kind: ReplyKind
    was_question: bool
    rest: str
    repeated_chars: int
    asks_model: bool
    end_call_reason: str | None
    starts_tool: str | None
    backoff_until_ms: int
    ends_for: str | None = None
    prepared: bool = False
