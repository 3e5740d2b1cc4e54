"""What happens to a call, as the engine is told. Each event carries the time it became known."""

from dataclasses import dataclass
from typing import Literal

from bargein.turns.plan import Plan
from bargein.turns.roles import Role

Context = Literal["all", "none", "lastNMessages", "userAndAssistantMessages"]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The caller's connection is up and audio can flow both ways."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """The detector began to hear a voice.

    Attributes:
        at_ms: when that was known.
        onset_ms: when that voice began, at most `at_ms`: it names the voice.
        probability: the detector's.
        rising_ms: since when the detector has leaned towards it, at most `onset_ms`; None: not before. A voice that
            sets in softly is believed late, but lasts since then.
    """

    at_ms: int
    onset_ms: int
    probability: float = 1.0
    rising_ms: int | None = None


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """The detector stopped hearing a voice; `offset_ms` is when it fell silent, at most `at_ms`."""

    at_ms: int
    offset_ms: int
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class InterruptionJudged:
    """What the sound of a running voice says so far: does it take the floor?

    Attributes:
        onset_ms: names the run of voice: where it began.
        age_ms: how much of it was judged, from its onset on.
        floor: the probability that it takes the floor; else it is only listening aloud, or no speech at all.
        echo: how much of it is the assistant's own voice come back, from 0 to 1.
    """

    at_ms: int
    onset_ms: int
    age_ms: int
    floor: float
    echo: float = 0.0


@dataclass(frozen=True, slots=True)
class TranscriptReceived:
    """The transcriber's text of the running utterance. A partial replaces the one before; a final closes it.

    `confidence`, from 0 to 1, is how sure the transcriber is of a final, where it tells. A partial is `whole` if it
    holds all that was said before a pause in which the caller still is, so that nothing has to be waited for.
    """

    at_ms: int
    text: str
    final: bool
    confidence: float | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class PauseJudged:
    """How likely it is that the caller has finished, and does not only pause.

    Attributes:
        number: of the question (`JudgePause`).
        done: the probability that the turn is over; None: it could not be judged.
    """

    at_ms: int
    number: int
    done: float | None = None


@dataclass(frozen=True, slots=True)
class ReplyToken:
    """The model put out a piece of text."""

    at_ms: int
    turn_id: str
    text: str


@dataclass(frozen=True, slots=True)
class SpeechRequested:
    """A piece of a reply's text went to the voice.

    Attributes:
        segment: 0, 1, 2, … within the reply.
        char_start: offset of `text` in the reply's text.
    """

    at_ms: int
    turn_id: str
    segment: int
    char_start: int
    text: str


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word's place in text (offset just after it) and in audio (from the segment's first sample)."""

    char_end: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpeechQueued:
    """Audio of a segment now stands ready to be played: `audio_ms` of it in all so far.

    Attributes:
        words: timings known in all so far; empty for a voice that gives none.
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
    """Model and voice are through with the reply: all its audio is queued."""

    at_ms: int
    turn_id: str


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """Model or voice gave up. `reason` is the `endedReason` that fits, `detail` says more and holds no secret."""

    at_ms: int
    turn_id: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Played:
    """The caller has heard `position_ms` of the reply's audio, counted from its first sample.

    Attributes:
        drained: everything that was queued has been played.
    """

    at_ms: int
    turn_id: str
    position_ms: int
    drained: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this text (Vapi's inbound `say`).

    Attributes:
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
    """Put a message into the conversation (Vapi's inbound `add-message`); `respond` is `triggerResponseEnabled`."""

    at_ms: int
    role: Role
    text: str
    respond: bool = True


@dataclass(frozen=True, slots=True)
class Staged:
    """Something to be said if a tool has not answered after so long (`request-response-delayed`)."""

    after_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class ToolAsked:
    """A tool call of a reply, with what the assistant has to say about it.

    Attributes:
        id: unique within the call.
        name: of the function.
        arguments: JSON text, as the model wrote it.
        start: said when the tool is called (`request-start`); empty: nothing.
        blocking: the tool runs once `start` has been heard.
        delayed: said while it runs, in order of time.
        is_async: nobody waits for the result.
        timeout_ms: it is given up after so long.
    """

    id: str
    name: str
    arguments: str
    start: str = ""
    blocking: bool = False
    delayed: tuple[Staged, ...] = ()
    is_async: bool = False
    timeout_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class ToolsCalled:
    """The model wants tools run: all that one reply calls."""

    at_ms: int
    turn_id: str
    calls: tuple[ToolAsked, ...]


@dataclass(frozen=True, slots=True)
class HookToolCalled:
    """A hook's tool, made out; `turn_id` is that of the command. No calls: there is no such tool."""

    at_ms: int
    turn_id: str
    calls: tuple[ToolAsked, ...]


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool has answered, or failed.

    Attributes:
        text: the result, as the model is told it.
        say: said in place of an answer of the model's; empty: nothing is said; None: the model is asked.
        tell: a system message for the model, after the result.
        ends: the call ends with this `endedReason` once `say`, or what is being said, has been heard.
        metadata: JSON text that is kept with the result, and is not told to the model.
        variables: JSON text of an object: what was taken from the answer, kept for the call's record.
    """

    at_ms: int
    call_id: str
    text: str
    failed: bool = False
    say: str | None = None
    tell: str | None = None
    ends: str | None = None
    metadata: str | None = None
    variables: str | None = None


@dataclass(frozen=True, slots=True)
class HandedOff:
    """Another assistant is to take over, once what is being said has been heard.

    Attributes:
        successor: which one, by the shell's count.
        plan: what it goes by.
        context: what it is told of the conversation (Vapi's `contextEngineeringPlan.type`).
        most: of `lastNMessages`: how many.
        name: the successor's name, for the call's record.
        assistant_id: of a stored assistant: its id, for the same.
    """

    at_ms: int
    successor: int
    plan: Plan
    context: Context = "all"
    most: int = 0
    name: str = ""
    assistant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Mute:
    """Vapi's inbound `control`: silence one side, or give it back its voice."""

    at_ms: int
    side: Literal["assistant", "customer"]
    on: bool


@dataclass(frozen=True, slots=True)
class SayFirstMessage:
    """Vapi's inbound `control: say-first-message`."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Fail:
    """Something the call cannot go on without is gone (the transcriber, say)."""

    at_ms: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Somebody ended the call; `reason` is the `endedReason`."""

    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; sent when `wake_at` has come."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class EndpointingAnswered:
    """The owner's endpointing model has answered, or has not.

    Attributes:
        number: of the question (`AskEndpointing`).
        pause_ms: how long after the end of the voice the turn is over; None: no usable answer.
    """

    at_ms: int
    number: int
    pause_ms: int | None = None


Event = (
    CallStarted
    | EndpointingAnswered
    | VoiceStarted
    | VoiceStopped
    | InterruptionJudged
    | PauseJudged
    | TranscriptReceived
    | ReplyToken
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
    | HandedOff
    | Mute
    | SayFirstMessage
    | Fail
    | HangUp
    | Tick
)
