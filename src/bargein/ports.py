"""What the rooms agree on: the seams between a call and everything that is replaceable.

A call (`bargein.call`) knows these Protocols and nothing behind them. Providers implement `Transcriber`, `Model`,
`Voice` and `VoiceDetector`; carriers implement `Leg`; the store implements `CallRecords` and `JournalSink`;
`bargein.server` puts them together.

All audio that crosses a seam is mono. PCM is `numpy.int16`, and its rate stands beside it in Hz.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from bargein.wire.base import JsonObject

Pcm16 = npt.NDArray[np.int16]
Role = Literal["system", "user", "assistant", "tool"]

TRANSCRIBER_RATE_HZ = 16_000
"""Every transcriber is fed at this rate."""


class BargeinError(Exception):
    """The root of every error that bargein raises on purpose."""


class ProviderError(BargeinError):
    """A model, voice or transcriber failed. Its text may be shown to the owner of the call; it holds no secret.

    Attributes:
        ended_reason: the `endedReason` (one of Vapi's) with which a call ends that cannot go on without the provider.
    """

    def __init__(self, message: str, *, ended_reason: str) -> None:
        super().__init__(message)
        self.ended_reason = ended_reason


class StoreError(BargeinError):
    """The store cannot do now what it was asked to. Its text may be shown; what was asked may be asked again."""


class StoreAwayError(StoreError):
    """The database does not answer, or not now."""


class StoreFullError(StoreError):
    """The disk is full or broken: nothing was written."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a model wants run.

    Attributes:
        id: names this call of it; the result refers to it.
        name: of the function, as the model was told it.
        arguments: JSON text, as the model wrote it; it may be broken.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation, as a model wants it.

    Attributes:
        role: who speaks.
        content: the text; empty where an assistant only called tools.
        tool_calls: the tools that this message of the assistant called; the results follow it.
        tool_call_id: of a message of the role tool: the call that it answers.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What became of a tool call.

    Attributes:
        text: what the model is told: the result, or what went wrong.
        failed: whether it went wrong.
        message: what the tool's own server wants said (`ToolCallResult.message` of Vapi's schema); None: nothing.
        metadata: kept with the history, not told to the model.
        variables: what the tool's `variableExtractionPlan` took from its answer, by name; templates may use them from
            here on, and they are kept in `artifact.variableValues`. The runner knows them already.
    """

    text: str
    failed: bool = False
    message: JsonObject | None = None
    metadata: JsonObject | None = None
    variables: JsonObject | None = None


class ToolRunner(Protocol):
    """Runs the tools of one call that reach outside it (`function`, `apiRequest`, `mcp`, `query`)."""

    async def expand(self, tool: JsonObject) -> Sequence[JsonObject]:
        """What the model may call of a tool: each with its `function` (name, description, parameters) filled in.

        Most tools stand for themselves. One of type `mcp` stands for each tool of its server (none, if that does not
        answer within a few seconds), with the messages that `toolMessages` has for it. What is given back is what `run`
        takes. It raises nothing, and is told before the call's first reply; a tool of a type that this room does not
        know comes back as it is.
        """
        ...

    async def run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        """Run one call of `tool` (Vapi's JSON of it) once. What goes wrong is a result too: it raises nothing.

        It has its own time limit (`tool.server.timeoutSeconds`), and can be cancelled.
        """
        ...

    def close(self) -> None:
        """The call is over: let go of what its tools hold (connections to MCP servers); returns at once."""
        ...


class ServerError(BargeinError):
    """The owner's server gave no usable answer. The text may be shown; it holds no secret and no address.

    Attributes:
        reason: a short word for it: timeout, unreachable, status, invalid, refused.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class ServerLine(Protocol):
    """The servers of a call's owner (`server.url`), as one call reaches them.

    Whoever makes a line knows the call's envelope (call, assistant, customer, phoneNumber) and the order of precedence
    tool > assistant > phone number > settings; a message is given bare, without envelope and timestamp.
    """

    @property
    def reaches_somebody(self) -> bool:
        """Whether there is a server that `tell` tells; it may change with `assume`."""
        ...

    def tell(self, message: JsonObject) -> None:
        """Put a message on its way and return at once. Messages of a call arrive in order."""
        ...

    async def ask(
        self, message: JsonObject, *, server: JsonObject | None = None, timeout_s: float | None = None
    ) -> JsonObject:
        """Send a message that wants an answer, and give the answer's JSON.

        Args:
            message: bare.
            server: goes before the call's own (`tool.server`).
            timeout_s: the longest wait, retries included; not given: the server's `timeoutSeconds` for each try.

        Raises:
            ServerError: there is no such server, or no usable answer.
        """
        ...

    def assume(self, assistant: JsonObject) -> None:
        """Another assistant took the call over: from here on it is its server, and it stands in the envelope.

        Args:
            assistant: overrides applied, with its secrets.
        """
        ...


class Jobs(Protocol):
    """Work that must be done even if this process dies."""

    async def submit(self, kind: str, payload: JsonObject, *, key: str) -> None:
        """Have something done, at least once. It is on record when this returns.

        Args:
            kind: what: `server-message` sends `payload["message"]` to the owner of the call `payload["callId"]`.
            payload: JSON, without secrets.
            key: the same work under the same key is taken once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was submitted, taken to be done.

    Attributes:
        id: its number; later ones are greater.
        kind: see `Jobs.submit`.
        payload: see `Jobs.submit`.
        key: see `Jobs.submit`; the same at each try, so that who is told twice can know it.
        attempts: how often it has failed.
        age_ms: since it was submitted.
    """

    id: int
    kind: str
    payload: JsonObject
    key: str
    attempts: int
    age_ms: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was uploaded (Vapi's `/file`).

    Attributes:
        id: its id.
        name: as it was uploaded; models are told it.
        mimetype: as it was uploaded; may be empty or wrong.
        path: where its bytes are. They never change.
    """

    id: str
    name: str
    mimetype: str
    path: Path


class Files(Protocol):
    """The uploaded files, as knowledge bases need them (`knowledgeBases[].fileIds`)."""

    async def find(self, file_id: str) -> StoredFile | None:
        """A file; None if there is none of that id."""
        ...


class Credentials(Protocol):
    """What proves to others who the owner is (Vapi's `credentialId`)."""

    async def find(self, credential_id: str) -> JsonObject | None:
        """A credential with its secrets in the clear; None if there is none of that id."""
        ...


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """When one word sounds, within the audio of one `Voice.speak`.

    Attributes:
        char_end: offset in the spoken text just after the word (and the punctuation that clings to it).
        start_ms: where it begins, from the first sample of this `speak`.
        end_ms: where it ends.
    """

    char_end: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of speech, in order.

    Attributes:
        pcm: the samples; may be empty when only timings come.
        rate_hz: their rate; the same for all chunks of one `speak`.
        words: timings that became known with this chunk; empty for a voice without timings.
    """

    pcm: Pcm16
    rate_hz: int
    words: tuple[SpokenWord, ...] = ()


class Voice(Protocol):
    """Text to speech."""

    def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
        """Say `text` (a sentence or so), yielding audio as it is made. Closing the iterator stops the work.

        Raises:
            ProviderError: the voice failed, also after some chunks.
        """
        ...


class Model(Protocol):
    """A language model."""

    def reply(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()) -> AsyncIterator[str | ToolCall]:
        """Answer the conversation, yielding the text in pieces as they come, and each tool call once it is complete.

        Closing the iterator stops the work.

        Args:
            messages: the conversation.
            tools: what the model may call, as OpenAI declares functions (`{"type": "function", "function": {…}}`).

        Raises:
            ProviderError: the model failed, also after some pieces.
        """
        ...


class Hear(Protocol):
    """Takes what the caller said in the running utterance."""

    def __call__(self, text: str, final: bool, /, confidence: float | None = None) -> None:  # noqa: FBT001  # given by position
        """Hear a partial, which replaces the partial before it, or a final, which closes the utterance.

        A final's text may be empty: there were no words. `confidence`, from 0 to 1, is how sure the transcriber is of
        a final, where it can tell.
        """


class TranscriberStream(Protocol):
    """The transcription of one call.

    Every method but `run` is called on the event loop's thread and returns at once.
    """

    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        """Take the next stretch of both sides, equally long, at 16 kHz."""
        ...

    def voice_started(self, lead_ms: int) -> None:
        """The caller began to speak `lead_ms` before the end of what was fed."""
        ...

    def voice_stopped(self) -> None:
        """The caller fell silent: a final is wanted."""
        ...

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            ProviderError: the transcriber cannot go on.
        """
        ...


class Transcriber(Protocol):
    """Speech to text."""

    def open(self, hear: Hear) -> TranscriberStream:
        """Begin a call. `hear` is called on the event loop's thread, from `run`."""
        ...


class DetectorStream(Protocol):
    """Voice detection in one call."""

    def push(self, window: npt.NDArray[np.float32], end_ms: float) -> None:
        """Take one window of samples in [-1, 1]; returns at once, the answer comes through `hear`, in order."""
        ...

    def close(self) -> None:
        """Forget the stream; answers still under way are dropped."""
        ...


class VoiceDetector(Protocol):
    """Voice activity detection: one for the process, shared by all calls."""

    def open(self, rate_hz: int, hear: Callable[[float, float], None]) -> DetectorStream:
        """Begin a call at 8000 or 16000 Hz (windows of 256 or 512 samples: 32 ms).

        `hear(probability, end_ms)` gets each window's voice probability with the `end_ms` it was pushed with, on the
        event loop's thread.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """A voice that cuts in while the assistant speaks, as far as it has been heard.

    Attributes:
        onset_ms: where the detector heard it begin; names it.
        age_ms: how much of it has been heard since.
        caller: the caller's side at 16 kHz, from a little before the onset on.
        assistant: what was played meanwhile, and some time before; it ends with `caller`.
        voice: the detector's probabilities since the onset.
    """

    onset_ms: int
    age_ms: int
    caller: Pcm16
    assistant: Pcm16
    voice: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a voice that cuts in is.

    Attributes:
        floor: the probability that it takes the floor; else it only listens aloud, or is no speech.
        echo: how sure it is that it is the assistant's own voice come back, from 0 to 1.
    """

    floor: float
    echo: float


class FloorJudge(Protocol):
    """Tells voices that take the floor from those that do not: one for the process, shared by all calls."""

    async def judge(self, overlap: Overlap) -> Verdict:
        """Judge what has been heard of a voice.

        Raises:
            ProviderError: it cannot.
        """
        ...


class CarrierError(BargeinError):
    """A carrier cannot do, or did not manage, what it was asked. The text may be shown, also to a model."""


class Leg(Protocol):
    """A caller's live connection, as the call sees it. Every method returns at once; the carrier does the waiting.

    Attributes:
        rate_hz: sample rate of the audio in both directions.
        can_clear: whether the far end drops, on `clear`, the audio that was sent to it.
        can_transfer: whether the caller can be given to a telephone number or SIP address (`transfer`).
    """

    rate_hz: int
    can_clear: bool
    can_transfer: bool

    def encode(self, pcm: Pcm16) -> bytes:
        """Turn samples at `rate_hz` into the carrier's bytes; called once per piece of speech, not per frame."""
        ...

    def decode(self, data: bytes) -> Pcm16:
        """Read what the far end sent as samples at `rate_hz`.

        Raises:
            ValueError: it is no audio in the format that was agreed.
        """
        ...

    @property
    def bytes_per_sample(self) -> int:
        """How many encoded bytes make a sample."""
        ...

    def send_audio(self, frame: bytes) -> None:
        """Put one encoded frame on its way."""
        ...

    def send_text(self, text: str) -> None:
        """Put one message on its way, ahead of any audio that has not left yet."""
        ...

    def clear(self) -> None:
        """Drop the audio that has not left yet and, where `can_clear`, what the far end still holds."""
        ...

    def hang_up(self) -> None:
        """Send what is queued as text, then close the connection normally."""
        ...

    def press(self, keys: str) -> None:
        """Press keys of the telephone, in order (0 to 9, *, #, A to D; w waits half a second, W one).

        Raises:
            CarrierError: this transport has no keys.
        """
        ...

    async def transfer(self, destination: JsonObject) -> None:
        """Give the caller to a number or SIP address (Vapi's `TransferDestinationNumber`, `TransferDestinationSip`).

        Returns once the carrier has taken that over: then the call here is to end.

        Raises:
            CarrierError: this transport cannot transfer, or it failed; the caller is still here.
        """
        ...


class Recorder(Protocol):
    """Where the sound of a call goes. All audio is at `TRANSCRIBER_RATE_HZ`; times are of the call."""

    def customer(self, pcm: Pcm16, at_ms: float) -> None:
        """Take what was heard of the caller, and when its first sample sounded; returns at once."""
        ...

    def assistant(self, pcm: Pcm16, at_ms: float) -> None:
        """Take what the caller hears of the assistant, and when its first sample sounds; returns at once."""
        ...

    def cut(self, at_ms: float) -> None:
        """What was taken of the assistant is not heard from `at_ms` on."""
        ...

    async def run(self, now_ms: Callable[[], float]) -> None:
        """Bring sound to rest until cancelled; at most two seconds' worth is ever unwritten."""
        ...

    async def close(self, end_ms: float) -> None:
        """Bring the rest to rest: the call ended at `end_ms`."""
        ...


class Unrecorded:
    """The `Recorder` of a call that is not recorded."""

    def customer(self, pcm: Pcm16, at_ms: float) -> None:
        """See `Recorder.customer`."""

    def assistant(self, pcm: Pcm16, at_ms: float) -> None:
        """See `Recorder.assistant`."""

    def cut(self, at_ms: float) -> None:
        """See `Recorder.cut`."""

    async def run(self, now_ms: Callable[[], float]) -> None:
        """See `Recorder.run`."""

    async def close(self, end_ms: float) -> None:
        """See `Recorder.close`."""


class JournalSink(Protocol):
    """Where a call's journal goes: one JSON value a line."""

    def write(self, line: str) -> None:
        """Take a line; returns at once."""
        ...

    async def run(self) -> None:
        """Bring lines to rest until cancelled; at most a second's worth is ever unwritten."""
        ...

    async def close(self) -> None:
        """Bring what is left to rest."""
        ...


class CallRecords(Protocol):
    """Where a live call keeps what must outlast it.

    Each method returns once it is written, or after a few seconds where that cannot be done now; it is then written as
    soon as it can be. None raises.
    """

    async def begin(self, call_id: str, changes: JsonObject) -> None:
        """The call goes live here: replace the named top-level fields of the stored `Call` (Vapi's JSON)."""
        ...

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """Replace the named top-level fields."""
        ...

    async def finish(self, call_id: str, changes: JsonObject) -> None:
        """The call is over: replace the named top-level fields, and put on record that its owner is to be told.

        All of it is one transaction.
        """
        ...
