"""The context of a live call: providers, the agent's setup, and the call as its components see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bargein.call.plan.variables import Variables
from bargein.ports import (
    ChatMessage,
    EndOfTurnDetector,
    InterruptionClassifier,
    Model,
    OwnerMessenger,
    ToolRunner,
    Transcriber,
    Voice,
    VoiceDetector,
)
from bargein.turns import Plan, State
from bargein.turns.events import Event
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Who does the work of one call.

    Attributes:
        judge: tells voices that take the floor from those that do not; None: a voice's length decides.
        turn_judge: tells the end of a turn from a pause in it; None: the words decide.
        tools: runs the tools that reach outside of the call; None: nobody does.
        line: the owner's servers; None: there is none.
        cancels_echo: whether the assistant's own voice is taken out of what is heard (`bargein.audio.cancelling`).
    """

    detector: VoiceDetector
    transcriber: Transcriber
    model: Model
    voice: Voice
    interruption_classifier: InterruptionClassifier | None = None
    end_of_turn_detector: EndOfTurnDetector | None = None
    tools: ToolRunner | None = None
    owner: OwnerMessenger | None = None
    cancels_echo: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """The caller is told something, and the call ends.

    Attributes:
        text: what is said.
        reason: the `endedReason` once it has been said.
    """

    text: str
    reason: str

    @classmethod
    def of(cls, text: str | None, reason: str) -> "Rejection | None":
        """One with this text, if there is any."""
        return None if text is None else cls(text, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSetup:
    """What a call begins with.

    Attributes:
        call: its record, as the store has it.
        assistant: the assistant it runs, overrides applied.
        assistant_json: the same as JSON.
        plan: compiled from it.
        instructions: the messages that stand before the conversation (`model.messages`).
        variables: what the `{{…}}` in a `say` may name; the assistant's own texts have been filled in.
        rejection: nobody takes the call: this is said instead of anything that the assistant would say.
        tools: what its model may call: Vapi's JSON of each, resolved and expanded.
        hook_tools: what its hooks call, by the plan's count; None: it is not there.
    """

    call: JsonObject
    assistant: Assistant
    assistant_json: JsonObject
    plan: Plan
    instructions: tuple[ChatMessage, ...] = ()
    variables: Variables = field(default_factory=Variables)
    rejection: Rejection | None = None
    tools: tuple[JsonObject, ...] = ()
    hook_tools: tuple[JsonObject | None, ...] = ()

    @property
    def call_id(self) -> str:
        """The call's id."""
        return str(self.call["id"])


class CallContext(Protocol):
    """The call that a part works for.

    Attributes:
        epoch_ms: milliseconds since 1970 at which the call's time began.
        zero_ms: the clock's reading at that moment.
    """

    epoch_ms: int
    zero_ms: float

    @property
    def setup(self) -> AgentSetup:
        """Of the assistant that has the call."""
        ...

    @property
    def state(self) -> State:
        """Where the engine stands."""
        ...

    def now_ms(self) -> float:
        """Milliseconds since the call began."""
        ...

    def post(self, event: Event) -> None:
        """Tell the engine."""
        ...

    def render(self, text: str, values: Mapping[str, object]) -> str:
        """Fill in the templates of a text, which may also name these values."""
        ...

    async def next_step(self) -> None:
        """Wait until the engine has been told something more."""
        ...
