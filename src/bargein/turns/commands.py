"""The commands: what the engine asks the call to do. The call performs them in order, at once."""

from dataclasses import dataclass
from typing import Literal

from bargein.turns.languages import ENGLISH_CODE
from bargein.turns.roles import Role

Outcome = Literal["spoken", "interrupted", "superseded", "replaced", "muted", "failed", "call-ended", "discarded"]
"""How a reply ended: heard to its end; interrupted by the caller; dropped before it sounded because the caller went on;
replaced by a `say` or a hook's message; cut by a mute; failed; cut by the end of the call; a preemptive reply that was
discarded."""

Source = Literal["model", "force-say"]


@dataclass(frozen=True, slots=True)
class StartReply:
    """Start a reply: ask the model, or speak a text.

    Attributes:
        turn_id: names the reply.
        text: the text to speak; None: the model is asked with the history.
        tools: the model may call tools.
        prompt: messages that the model sees after the history, for this reply alone.
        said: the caller's words that are not in the history yet. If there are any, the reply is preemptive, and
            `KeepReply` or `CloseReply` follows.
        prepared: it is the rest of a reply that was cut, and `KeepReply` follows if that was a false interruption,
            otherwise `CloseReply`.
        unanswered: the last words of the history are the assistant's, and do not answer what needs an answer.
    """

    turn_id: str
    text: str | None
    tools: bool = True
    prompt: tuple[tuple[Role, str], ...] = ()
    said: str = ""
    prepared: bool = False
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class KeepReply:
    """Make a preemptive or a prepared reply the current one. The commands for its events so far follow."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class Play:
    """Let the reply's audio sound from now on."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class Duck:
    """Lower the level of the reply: the caller may be interrupting."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class Unduck:
    """Bring the reply back to its full level."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class StopPlayback:
    """Stop the reply's playout and drop its audio wherever it is."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class CloseReply:
    """Close the reply and cancel what still runs of it. There is exactly one for each `StartReply`."""

    turn_id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RunTools:
    """Run these tool calls, each once. They go on when the reply that called them is interrupted."""

    turn_id: str
    call_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallHookTool:
    """Prepare a hook's tool call and report it by `HookToolCalled`.

    Attributes:
        turn_id: comes back with the event.
        tool: index of the tool among the assistant's hook tools.
    """

    turn_id: str
    tool: int


@dataclass(frozen=True, slots=True)
class StopTool:
    """Stop waiting for a tool that took too long."""

    call_id: str


@dataclass(frozen=True, slots=True)
class SwitchAssistant:
    """Switch to another assistant: its model, voice, tools and transcriber."""

    successor: int


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A tool call in the history, with what the model's vendor wants back with it (`vendor_state`)."""

    id: str
    name: str
    arguments: str
    vendor_state: str = ""


@dataclass(frozen=True, slots=True)
class Remember:
    """Add an entry to the history: before what began to be said later, a tool's result right after its call.

    Attributes:
        role: who said it.
        text: what was said; of an interrupted reply, what was heard of it.
        start_ms: when it began to be said.
        end_ms: when it was over.
        turn_id: the reply that it belongs to.
        interrupted: the caller interrupted it.
        source: where an assistant's text comes from.
        tool_calls: the tools that a reply called; they are an entry of their own, after the reply's text.
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
    """A piece of the model's output (Vapi's `model-output`)."""

    turn_id: str
    text: str


@dataclass(frozen=True, slots=True)
class UserInterrupted:
    """The caller interrupted a reply (Vapi's `user-interrupted`); without a turn id, one that no model made."""

    turn_id: str | None


@dataclass(frozen=True, slots=True)
class SpeechUpdate:
    """One side started or stopped speaking (Vapi's `speech-update`); `turn` counts the turns from 0."""

    role: Literal["assistant", "user"]
    status: Literal["started", "stopped"]
    turn: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript of one side (Vapi's `transcript`)."""

    role: Literal["assistant", "user"]
    final: bool
    text: str


@dataclass(frozen=True, slots=True)
class VoiceInput:
    """The text that goes to the voice (Vapi's `voice-input`)."""

    text: str


@dataclass(frozen=True, slots=True)
class SpeechProgress:
    """The number of a reply's words that were heard (Vapi's `assistant.speechStarted` with `word-progress` timing)."""

    turn: int
    text: str
    source: Source
    words_spoken: int
    total_words: int


@dataclass(frozen=True, slots=True)
class Hang:
    """The assistant is late (Vapi's `hang`)."""


Message = ModelOutput | UserInterrupted | SpeechUpdate | Transcript | VoiceInput | SpeechProgress | Hang


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to the clients."""

    message: Message


@dataclass(frozen=True, slots=True)
class Decide:
    """Log a decision of the engine with its reason, for people.

    Attributes:
        what: one of: answering, ending, handoff, hook, ignored, resumed, stopped, superseded, unducked.
        why: the reason, a sentence.
        turn_id: the reply it is about.
    """

    what: str
    why: str
    turn_id: str | None = None


@dataclass(frozen=True, slots=True)
class EndCall:
    """End the call; `reason` is the `endedReason`. No command follows."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AskEndpointing:
    """Ask the owner's endpointing model how long to wait; the answer comes as `EndpointingAnswered`.

    Attributes:
        number: comes back with the answer.
        said: the words of the caller's open turn.
    """

    number: int
    said: str


@dataclass(frozen=True, slots=True)
class JudgePause:
    """Ask the end-of-turn detector whether the turn is over; the answer comes as `PauseJudged`.

    Attributes:
        number: comes back with the answer.
        said: the words of the caller's open turn.
        offset_ms: where the voice fell silent.
        after_ms: audio up to here belongs to an earlier turn.
        confidence: the transcriber's least confidence in an utterance of the turn; None: it is not known.
        language: the language of the words, as `Plan.language`.
        asked: the assistant's last text, as it was heard; empty: none yet.
    """

    number: int
    said: str
    offset_ms: int
    after_ms: int
    confidence: float | None = None
    language: str = ENGLISH_CODE
    asked: str = ""


Command = (
    AskEndpointing
    | JudgePause
    | RunTools
    | CallHookTool
    | StopTool
    | SwitchAssistant
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
