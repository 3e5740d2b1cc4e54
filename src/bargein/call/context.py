"""The context of a live call: providers, the agent's setup, and the call as its components see it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bargein.audio.ambience import BackgroundLoop
from bargein.audio.cancelling import EchoCancellation
from bargein.call.plan.variables import Variables
from bargein.ports import (
    ChatMessage,
    Denoiser,
    EndOfTurnDetector,
    InterruptionClassifier,
    Model,
    OwnerMessenger,
    ProviderError,
    ToolRunner,
    Transcriber,
    Voice,
    VoiceDetector,
)
from bargein.turns import Plan, State
from bargein.turns.events import Event
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject, Template

LoadBackground = Callable[[], Awaitable[BackgroundLoop | None]]
"""Loads a background sound at the leg's rate; None if that failed. It never raises."""


class Notices:
    """The decisions of providers in a call, for those who watch it; what comes before anyone does is kept."""

    def __init__(self) -> None:
        self._listener: Callable[[str, str], None] | None = None
        self._early: list[tuple[str, str]] = []

    def tell(self, what: str, why: str) -> None:
        """Tell a decision and its reason."""
        if self._listener is None:
            self._early.append((what, why))
        else:
            self._listener(what, why)

    def watch(self, listener: Callable[[str, str], None]) -> None:
        """Send everything to `listener` from now on, and first what came before."""
        self._listener = listener
        early, self._early = self._early, []
        for what, why in early:
            listener(what, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """The providers of one call.

    Attributes:
        detector: voice activity detection.
        transcriber: speech to text.
        model: the language model.
        voice: text to speech.
        interruption_classifier: classifies voices over the assistant; None: the length of a voice decides.
        end_of_turn_detector: judges pauses of the caller; None: the words decide.
        tools: runs the tools that reach outside the call; None: they cannot be run.
        owner: the owner's servers; None: there are none.
        echo_cancellation: whether the assistant's own voice is removed from the caller's audio: always (`on`), never
            (`off`), or from the moment at which it is heard there (`auto`).
        background: loads the background sound; None: there is none.
        create_denoiser: makes a denoiser for the transcriber's audio; None: it gets the audio as it is.
        notices: what they decide by themselves.
        change_call: takes changed fields of the call's record, for the servers of providers that are sent the call.
    """

    detector: VoiceDetector
    transcriber: Transcriber
    model: Model
    voice: Voice
    interruption_classifier: InterruptionClassifier | None = None
    end_of_turn_detector: EndOfTurnDetector | None = None
    tools: ToolRunner | None = None
    owner: OwnerMessenger | None = None
    echo_cancellation: EchoCancellation = "off"
    background: LoadBackground | None = None
    create_denoiser: Callable[[], Denoiser] | None = None
    notices: Notices = field(default_factory=Notices)
    change_call: Callable[[JsonObject], None] = lambda _changes: None


@dataclass(frozen=True, slots=True)
class Rejection:
    """The rejection of a caller: a text is said, and the call ends.

    Attributes:
        text: the text.
        reason: the `endedReason` once the text has been said.
    """

    text: str
    reason: str

    @classmethod
    def of(cls, text: str | None, reason: str) -> "Rejection | None":
        """Return a rejection with this text, or None if there is no text."""
        return None if text is None else cls(text, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSetup:
    """The setup of an assistant in a call.

    Attributes:
        call: the call's record, as the store has it.
        assistant: the assistant, with overrides applied and templates rendered.
        assistant_json: the same as JSON.
        plan: the engine's plan, compiled from the assistant.
        instructions: the messages before the conversation (`model.messages`).
        variables: the values for templates that are rendered during the call (`say`).
        rejection: said instead of anything that the assistant would say, then the call ends; None: no rejection.
        tools: the tools that its model may call: Vapi's JSON of each, resolved and expanded.
        hook_tools: the tools that its hooks call, by their number in the plan; None: the tool does not exist.
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
        """Return the call's id."""
        return str(self.call["id"])


class CallContext(Protocol):
    """The call as its components see it.

    Attributes:
        epoch_ms: when the call began, in milliseconds since 1970.
        zero_ms: the clock's reading when the call began.
    """

    epoch_ms: int
    zero_ms: float

    @property
    def setup(self) -> AgentSetup:
        """Return the setup of the current assistant."""
        ...

    @property
    def state(self) -> State:
        """Return the state of the engine."""
        ...

    def now_ms(self) -> float:
        """Return the milliseconds since the call began."""
        ...

    def post(self, event: Event) -> None:
        """Post an event to the engine."""
        ...

    def note_error(self, error: ProviderError) -> None:
        """Keep a provider's error, for the log line of a call that ends by it."""
        ...

    def render(self, text: Template, values: Mapping[str, object]) -> str:
        """Render the templates of a text, which may also use these values."""
        ...

    async def next_step(self) -> None:
        """Wait until the engine has processed another event."""
        ...
