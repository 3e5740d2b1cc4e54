"""The events: what happens to a call. Each has `at_ms`, the time at which it became known.

Their names and fields also stand in the journal (`bargein.call.record.journal`): a rename needs a new version there.
"""

from dataclasses import dataclass
from typing import Literal

from bargein.turns.plan import Plan
from bargein.turns.roles import Role

Context = Literal["all", "none", "lastNMessages", "userAndAssistantMessages"]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The caller's connection is up, and audio can flow both ways."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """The voice activity detector began to hear a voice.

    Attributes:
        onset_ms: when that voice began, at most `at_ms`; it identifies the run of voice.
        probability: the detector's.
        rising_ms: when the detector's probability began to rise, at most `onset_ms`; None: at `onset_ms`. A voice that
            begins softly is detected late, but its length counts from there.
    """

    at_ms: int
    onset_ms: int
    probability: float = 1.0
    rising_ms: int | None = None


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """The voice activity detector stopped hearing a voice.

    Attributes:
        offset_ms: when the voice fell silent, at most `at_ms`.
        probability: the detector's.
    """

    at_ms: int
    offset_ms: int
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class InterruptionJudged:
    """The interruption classifier judged the sound of a running voice.

    Attributes:
        onset_ms: the onset of the run of voice.
        age_ms: how much of it was judged, from its beginning on, which may be before the detector's onset.
        probability: that it is an interruption, and not a backchannel or no speech.
        echo: how much of it is an echo of the assistant's own voice, from 0 to 1.
    """

    at_ms: int
    onset_ms: int
    age_ms: int
    probability: float
    echo: float = 0.0


@dataclass(frozen=True, slots=True)
class TranscriptReceived:
    """The transcriber put out the text of the running utterance. A partial replaces the one before; a final closes it.

    Attributes:
        text: all of the utterance so far.
        final: the utterance is closed.
        confidence: in the words, from 0 to 1; None: the transcriber gives none.
        complete: a partial that holds all words before the pause that the caller is in.
    """

    at_ms: int
    text: str
    final: bool
    confidence: float | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class PauseJudged:
    """The end-of-turn detector judged a pause: has the caller finished?

    Attributes:
        number: the number of the `JudgePause` command.
        probability: that the turn is over; None: it could not be judged.
    """

    at_ms: int
    number: int
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class ReplyToken:
    """The model put out a piece of the reply's text."""

    at_ms: int
    turn_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TextEnded:
    """The model has finished the reply's text. The voice may be busy with it for long after that."""

    at_ms: int
    turn_id: str


@dataclass(frozen=True, slots=True)
class SpeechRequested:
    """A piece of a reply's text was sent to the voice.

    Attributes:
        turn_id: the reply.
        segment: its index in the reply: 0, 1, 2, …
        char_start: offset of `text` in the reply's text.
        text: the piece.
        spoken: the piece as the voice got it, if it was formatted; empty: nothing of it is spoken; None: as it is.
    """

    at_ms: int
    turn_id: str
    segment: int
    char_start: int
    text: str
    spoken: str | None = None


@dataclass(frozen=True, slots=True)
class TimedWord:
    """The place of a word in a segment.

    Attributes:
        char_end: offset in the segment's text just after the word.
        start_ms: when it begins, from the segment's first sample on.
        end_ms: when it ends.
    """

    char_end: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpeechQueued:
    """Audio of a segment was queued for playout.

    Attributes:
        turn_id: the reply.
        segment: the segment's index.
        audio_ms: how much audio of the segment is queued in all.
        words: the timings of its words that are known in all; empty for a voice that gives none.
        done: no more audio of this segment will come.
    """

    at_ms: int
    turn_id: str
    segment: int
    audio_ms: int
    words: tuple[TimedWord, ...] = ()
    done: bool = False


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """Model and voice have finished the reply: all its audio is queued."""

    at_ms: int
    turn_id: str


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """Model or voice failed.

    Attributes:
        turn_id: the reply.
        reason: the `endedReason` for it.
        detail: more about it, without secrets.
        by_model: the model failed, and the voice may still say something.
    """

    at_ms: int
    turn_id: str
    reason: str
    detail: str = ""
    by_model: bool = False


@dataclass(frozen=True, slots=True)
class Played:
    """The caller has heard a part of the reply's audio.

    Attributes:
        turn_id: the reply.
        position_ms: how much has been heard, from the reply's first sample on.
        drained: everything that was queued has been played.
        heard_ms: how far the last part of that reaches which is loud enough to be heard; None: all of it is.
    """

    at_ms: int
    turn_id: str
    position_ms: int
    drained: bool = False
    heard_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """A client asks to speak a text (Vapi's inbound `say`).

    Attributes:
        text: the text.
        interruptible: `interruptionsEnabled`.
        interrupts: `interruptAssistantEnabled`: replace what the assistant is saying instead of queueing behind it.
        ends_call: `endCallAfterSpoken`.
    """

    at_ms: int
    text: str
    interruptible: bool = True
    interrupts: bool = False
    ends_call: bool = False


@dataclass(frozen=True, slots=True)
class AddMessage:
    """A client adds a message to the conversation (Vapi's inbound `add-message`).

    Attributes:
        role: its role.
        text: its text.
        respond: the model is to answer it (`triggerResponseEnabled`).
    """

    at_ms: int
    role: Role
    text: str
    respond: bool = True


@dataclass(frozen=True, slots=True)
class DelayMessage:
    """A text to be said if a tool has not answered after so long (`request-response-delayed`)."""

    after_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallRequest:
    """A requested tool call, with the messages about it.

    Attributes:
        id: unique within the call.
        name: the function's name.
        arguments: JSON text, as the model wrote it.
        start: said when the tool is called (`request-start`); empty: nothing.
        blocking: the tool runs once `start` has been heard.
        delayed: said while it runs, in order of time.
        is_async: the assistant does not wait for the result.
        timeout_ms: it is given up after so long.
        vendor_state: what the model's vendor wants back with the call; empty: nothing.
    """

    id: str
    name: str
    arguments: str
    start: str = ""
    blocking: bool = False
    delayed: tuple[DelayMessage, ...] = ()
    is_async: bool = False
    timeout_ms: int = 30_000
    vendor_state: str = ""


@dataclass(frozen=True, slots=True)
class ToolsCalled:
    """The model calls tools: all those of one reply."""

    at_ms: int
    turn_id: str
    calls: tuple[ToolCallRequest, ...]


@dataclass(frozen=True, slots=True)
class HookToolCalled:
    """A hook's tool call was prepared; `turn_id` is that of the command. It is empty if there is no such tool."""

    at_ms: int
    turn_id: str
    calls: tuple[ToolCallRequest, ...]


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool has answered or failed.

    Attributes:
        call_id: id of the tool call.
        text: the result for the model.
        failed: the result is an error.
        say: said in place of the model's answer; empty: nothing is said; None: the model is asked.
        system_message: a system message for the model, after the result.
        end_call_reason: the call ends with this `endedReason` once `say`, or the running reply, has been heard.
        metadata: JSON text that is kept with the result and not shown to the model.
        variables: JSON text of an object: variables extracted from the answer, kept for the call's record.
    """

    at_ms: int
    call_id: str
    text: str
    failed: bool = False
    say: str | None = None
    system_message: str | None = None
    end_call_reason: str | None = None
    metadata: str | None = None
    variables: str | None = None


@dataclass(frozen=True, slots=True)
class VariablesSet:
    """Variables of the call have got values; the engine does not use them, and the call's record keeps them.

    Attributes:
        variables: JSON text of an object: the values by name.
    """

    at_ms: int
    variables: str


@dataclass(frozen=True, slots=True)
class HandoffRequested:
    """Another assistant is to take over, once everything to be said has been heard.

    Attributes:
        successor: the number of the new assistant, counted by the call.
        plan: the new assistant's plan.
        context: which part of the conversation it sees (`contextEngineeringPlan.type`).
        max_messages: how many messages `lastNMessages` keeps.
        name: its name, for the call's record.
        assistant_id: the id of a stored assistant, for the call's record.
    """

    at_ms: int
    successor: int
    plan: Plan
    context: Context = "all"
    max_messages: int = 0
    name: str = ""
    assistant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Mute:
    """A client mutes or unmutes one side (Vapi's inbound `control`)."""

    at_ms: int
    side: Literal["assistant", "customer"]
    on: bool


@dataclass(frozen=True, slots=True)
class SayFirstMessage:
    """A client asks for the first message (Vapi's inbound `control: say-first-message`)."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class CallFailed:
    """Something that the call cannot do without has failed, such as the transcriber."""

    at_ms: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The caller, a client or the server ended the call; `reason` is the `endedReason`."""

    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of `wake_at` has come."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class EndpointingAnswered:
    """The owner's endpointing model has answered, or has not in time.

    Attributes:
        number: the number of the `AskEndpointing` command.
        pause_ms: how long after the end of the voice the turn is over; None: there is no usable answer.
    """

    at_ms: int
    number: int
    pause_ms: int | None = None


Event = (
    CallStarted
    | EndpointingAnswered
    | VariablesSet
    | VoiceStarted
    | VoiceStopped
    | InterruptionJudged
    | PauseJudged
    | TranscriptReceived
    | ReplyToken
    | TextEnded
    | SpeechRequested
    | SpeechQueued
    | ReplyEnded
    | ReplyFailed
    | Played
    | Say
    | AddMessage
    | ToolsCalled
    | HookToolCalled
    | ToolReturned
    | HandoffRequested
    | Mute
    | SayFirstMessage
    | CallFailed
    | HangUp
    | Tick
)
