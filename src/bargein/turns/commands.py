"""What the engine tells the shell to do. The shell performs them in order, at once."""

from dataclasses import dataclass
from typing import Literal

from bargein.turns.roles import Role

Outcome = Literal["spoken", "interrupted", "superseded", "replaced", "muted", "failed", "call-ended", "discarded"]
"""How a reply ended: heard to its end; cut by the caller; dropped unheard because the caller went on; cut by a `say`;
cut by a mute; broken; cut by the end of the call; a draft that nobody was told of, thrown away."""

Source = Literal["model", "force-say"]


@dataclass(frozen=True, slots=True)
class StartReply:
    """Begin a reply. With `text` None the model is asked with the history as it stands; else `text` is spoken.

    `tools` tells whether the model may call tools; `prompt` is what it sees after the history, for this reply alone.
    `said` is what the caller has said beyond the history: then it is a draft, and `KeepReply` or `CloseReply` follows.
    """

    turn_id: str
    text: str | None
    tools: bool = True
    prompt: tuple[tuple[Role, str], ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class KeepReply:
    """The turn is over: a draft is its answer. What it has put out so far follows."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class Play:
    """The reply's audio may sound from now on."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class Duck:
    """Lower the reply's voice: the caller may be about to take the floor."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class Unduck:
    """Bring the reply's voice back to its full level."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class StopPlayback:
    """Nothing more of this reply may sound: drop its audio wherever it is."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class CloseReply:
    """The reply is over; whatever of it still runs must be cancelled. Exactly one for each `StartReply`."""

    turn_id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RunTools:
    """Run these tool calls, each of them once. They go on when the reply that called them is cut."""

    turn_id: str
    call_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallHookTool:
    """A hook calls a tool: make it out, and tell the engine by `HookToolCalled`."""

    turn_id: str
    tool: int


@dataclass(frozen=True, slots=True)
class StopTool:
    """A tool took too long: its answer is no longer wanted."""

    call_id: str


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Another assistant has the call from here on: its model, voice and transcriber."""

    successor: int


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A tool call, as the conversation has it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Remember:
    """The conversation now holds this, as its last message or, for a tool's result, right after the call of the tool.

    For an interrupted reply, `text` is what was heard of it.

    Attributes:
        start_ms: when it began to be said.
        end_ms: when it was over.
        source: where an assistant's text came from.
        tool_calls: the tools that a reply called: a message of the assistant's own, after the text of that reply.
        tool_call_id: of a tool's result: the call that it answers.
        failed: of a tool's result: it is an error.
        metadata: of a tool's result: JSON text for clients and the record.
    """

    role: Role
    text: str
    start_ms: int
    end_ms: int
    turn_id: str | None = None
    interrupted: bool = False
    source: Source = "model"
    tool_calls: tuple[CalledTool, ...] = ()
    tool_call_id: str | None = None
    failed: bool = False
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """Vapi's `model-output`."""

    turn_id: str
    text: str


@dataclass(frozen=True, slots=True)
class UserInterrupted:
    """Vapi's `user-interrupted`. Without a turn id: a first message or a `say` was cut, which no model made."""

    turn_id: str | None


@dataclass(frozen=True, slots=True)
class SpeechUpdate:
    """Vapi's `speech-update`; `turn` counts the turns of the conversation from 0."""

    role: Literal["assistant", "user"]
    status: Literal["started", "stopped"]
    turn: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """Vapi's `transcript`."""

    role: Literal["assistant", "user"]
    final: bool
    text: str


@dataclass(frozen=True, slots=True)
class VoiceInput:
    """Vapi's `voice-input`: the text that goes to the voice."""

    text: str


@dataclass(frozen=True, slots=True)
class SpeechProgress:
    """Vapi's `assistant.speechStarted` with `word-progress` timing."""

    turn: int
    text: str
    source: Source
    words_spoken: int
    total_words: int


@dataclass(frozen=True, slots=True)
class Hang:
    """Vapi's `hang`: the assistant is late."""


Message = ModelOutput | UserInterrupted | SpeechUpdate | Transcript | VoiceInput | SpeechProgress | Hang


@dataclass(frozen=True, slots=True)
class Send:
    """Tell the client."""

    message: Message


@dataclass(frozen=True, slots=True)
class Decide:
    """Why the engine did, or did not do, something: for people, never for machines.

    Attributes:
        what: one of a few words: stopped, ignored, superseded, resumed, answering, ending.
        why: a sentence.
        turn_id: the reply it is about.
    """

    what: str
    why: str
    turn_id: str | None = None


@dataclass(frozen=True, slots=True)
class EndCall:
    """The call is over. `reason` is the `endedReason`; no command follows, ever."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AskEndpointing:
    """Ask the owner's endpointing model how long to wait for more; the answer comes as `EndpointingAnswered`.

    Attributes:
        number: comes back with the answer.
        said: the words of the caller's open turn.
    """

    number: int
    said: str


@dataclass(frozen=True, slots=True)
class JudgePause:
    """Have a pause of the caller's judged: is the turn over? The answer comes as `PauseJudged`.

    Attributes:
        number: comes back with the answer.
        said: the words of the caller's open turn.
        offset_ms: where the voice fell silent.
        after_ms: what was said up to here does not belong to it.
    """

    number: int
    said: str
    offset_ms: int
    after_ms: int


Command = (
    AskEndpointing
    | JudgePause
    | RunTools
    | CallHookTool
    | StopTool
    | TakeOver
    | StartReply
    | KeepReply
    | Play
    | Duck
    | Unduck
    | StopPlayback
    | CloseReply
    | Remember
    | Send
    | Decide
    | EndCall
)
