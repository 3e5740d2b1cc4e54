"""A whole call on a simulated clock, made of the server's own parts except for its threads and its socket.

Time stands still during computations and jumps to the next timer, so that a call of fifteen seconds takes as long as
its models compute. The time that the models would take in a real call is waited for on the simulated clock.
"""

import asyncio
import hashlib
import math
import selectors
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import anyio
import numpy as np
from typing_extensions import override

from bargein.audio import g711, pcm
from bargein.audio.pcm import Float32Array, Int16Array
from bargein.clock import Clock
from bargein.ports import (
    CallRecords,
    ChatMessage,
    InterruptionClassifier,
    InterruptionScore,
    JournalSink,
    Leg,
    Model,
    OverlappingSpeech,
    SpeechChunk,
    SpokenWord,
    Transcriber,
    TranscriptCallback,
    Voice,
    VoiceDetector,
)
from bargein.providers.embedded.expected_answer import OPEN, ExpectedAnswer
from bargein.providers.embedded.moonshine_model import Transcript
from bargein.providers.embedded.runtime import Session
from bargein.providers.embedded.stt import MoonshineStream, MoonshineTranscriber
from bargein.providers.embedded.vad import StreamState
from bargein.wire.base import JsonObject

WORD_MS = 300
"""Length of each of the assistant's words, so that any part of its speech can be played again."""

_EPOCH_MS = 1_700_000_000_000
_DETECTING_S = 0.002
_JUDGING_S = 0.010
_UNDERSTANDING_S = 0.035
_UNDERSTANDING_S_PER_S = 0.020
"""Times of the models on the machine that was measured (`docs/measurements/interruption.md`)."""


class _Jumping(selectors.DefaultSelector):
    """A selector that never waits: where the loop would wait, its time jumps."""

    now_s = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found:
            return found
        if timeout is None:
            raise RuntimeError("no task and no timer is left to wait for")
        self.now_s = round(self.now_s + max(timeout, 0.0), 7)
        return found


class StageLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is simulated."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        return self._jumping.now_s


class StageClock(Clock):
    """The simulated time of the loop."""

    @override
    def monotonic_ms(self) -> float:
        return round(asyncio.get_running_loop().time() * 1000, 4)  # without it 20.04 s are a little less than 20040 ms

    @override
    def epoch_ms(self) -> int:
        return _EPOCH_MS + round(self.monotonic_ms())

    @override
    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        # The clock's next reading: a timer that fires a little early is set again and again, and time stands still.
        return asyncio.get_running_loop().call_at((math.floor(monotonic_ms * 10_000) + 1) / 10_000_000, action)


class StageLeg(Leg):
    """The leg of a caller whose transport cannot drop audio that was sent.

    Args:
        telephone: use 8 kHz mu-law in place of 16 kHz linear samples.
        on_audio: called with each piece of audio that is sent.
        on_message: called with each message that is sent.
    """

    can_clear = False
    has_marks = False
    can_transfer = False
    has_client = True

    def __init__(
        self, *, telephone: bool, on_audio: Callable[[Int16Array], None], on_message: Callable[[str], None]
    ) -> None:
        self.rate_hz = 8_000 if telephone else 16_000
        self._telephone = telephone
        self._on_audio = on_audio
        self._on_message = on_message

    @property
    @override
    def bytes_per_sample(self) -> int:
        return 1 if self._telephone else 2

    @override
    def encode(self, pcm: Int16Array) -> bytes:
        return g711.encode(pcm) if self._telephone else pcm.astype("<i2").tobytes()

    @override
    def decode(self, data: bytes) -> Int16Array:
        return g711.decode(data) if self._telephone else np.frombuffer(data, "<i2").astype(np.int16)

    @override
    def send_audio(self, frame: bytes) -> None:
        self._on_audio(self.decode(frame))

    @override
    def send_text(self, text: str) -> None:
        self._on_message(text)

    @override
    def clear(self) -> None:
        pass

    @override
    def mark(self, name: str) -> None:
        pass

    @override
    def hang_up(self) -> None:
        pass

    @override
    def send_dtmf(self, keys: str) -> None:
        pass

    @override
    async def transfer(self, destination: JsonObject) -> None:
        pass


class Archive(JournalSink, CallRecords):
    """The journal and the records of a call that is only measured: the journal stays in memory, records are dropped."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @override
    def write(self, line: str) -> None:
        self.lines.append(line)

    @override
    async def run(self) -> None:
        pass

    @override
    async def close(self) -> None:
        pass

    @override
    async def begin(self, call_id: str, changes: JsonObject) -> None:
        pass

    @override
    async def update(self, call_id: str, changes: JsonObject) -> None:
        pass

    @override
    async def finish(self, call_id: str, changes: JsonObject) -> None:
        pass


class _DetectorStream:
    def __init__(self, session: Session, rate_hz: int, on_probability: Callable[[float, float], None]) -> None:
        self.session, self.stream_state, self.on_probability = session, StreamState(rate_hz), on_probability

    def push(self, window: Float32Array, end_ms: float) -> None:
        probability = self.stream_state.infer(self.session, window)
        asyncio.get_running_loop().call_later(_DETECTING_S, self.on_probability, probability, end_ms)

    def close(self) -> None:
        self.on_probability = lambda _probability, _end_ms: None


@dataclass(frozen=True, slots=True)
class StageDetector(VoiceDetector):
    """The embedded voice detector without its thread."""

    session: Session

    @override
    def open(self, rate_hz: int, on_probability: Callable[[float, float], None]) -> _DetectorStream:
        return _DetectorStream(self.session, rate_hz, on_probability)


@dataclass(slots=True)
class StageTranscriber(Transcriber):
    """The embedded transcriber without its thread; it keeps its results.

    Attributes:
        known: words by the digest of their audio.
    """

    embedded: MoonshineTranscriber
    known: dict[str, Transcript] = field(default_factory=dict)

    @override
    def open(self, on_transcript: TranscriptCallback) -> MoonshineStream:
        return MoonshineStream(self, on_transcript)

    async def decode(self, audio: Int16Array, *, partial: bool, expected: ExpectedAnswer = OPEN) -> Transcript:
        """Return the words of some audio after the time that the transcriber would take."""
        name = f"{digest(audio)} {expected}"
        if name not in self.known:
            self.known[name] = self.embedded.transcribe(audio, expected=expected)
        await anyio.sleep(_UNDERSTANDING_S + _UNDERSTANDING_S_PER_S * audio.size / 16_000)
        return self.known[name]


@dataclass(frozen=True, slots=True)
class StageClassifier(InterruptionClassifier):
    """A classifier that computes its score at once, and then waits for the time that it would take."""

    score: Callable[[OverlappingSpeech], InterruptionScore]

    @override
    async def classify(self, overlap: OverlappingSpeech) -> InterruptionScore:
        found = self.score(overlap)
        await anyio.sleep(_JUDGING_S)
        return found


class StageVoice(Voice):
    """A voice that speaks numbered words, each a slice of one long recording.

    Args:
        recording: samples at 16 kHz.
    """

    def __init__(self, recording: Float32Array) -> None:
        self._recording = pcm.from_float(recording)
        self._slice = WORD_MS * 16
        self.text = " ".join(f"w{number:03d}" for number in range(self._recording.size // self._slice)) + "."
        """All words of the voice."""

    @override
    async def speak(self, text: str) -> AsyncGenerator[SpeechChunk, None]:
        said = [word.strip(".") for word in text.split()]
        numbers = [int(word[1:]) for word in said]
        sound = [self._recording[number * self._slice : (number + 1) * self._slice] for number in numbers]
        words = tuple(
            SpokenWord((index + 1) * 5 - 1, index * WORD_MS, (index + 1) * WORD_MS) for index in range(len(numbers))
        )
        await anyio.sleep(0.02)
        yield SpeechChunk(np.concatenate(sound), 16_000, words)


@dataclass(frozen=True, slots=True)
class StageModel(Model):
    """A model that always gives the same answer."""

    text: str

    @override
    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
    ) -> AsyncGenerator[str, None]:
        await anyio.sleep(0.2)
        yield self.text


def digest(samples: Int16Array) -> str:
    """Return a name for some audio."""
    return hashlib.sha1(samples.tobytes(), usedforsecurity=False).hexdigest()


def call_record(number: int) -> JsonObject:
    """Return the record of a new call."""
    return {"id": str(UUID(int=number + 1, version=4)), "orgId": "bench", "createdAt": "2024-01-01T00:00:00.000Z"}


def run_on_stage(function: Callable[..., Any], *args: object) -> Any:
    """Run an async function with `anyio.run` on a loop with simulated time."""
    return anyio.run(function, *args, backend_options={"loop_factory": StageLoop})


__all__ = [
    "Archive",
    "InterruptionClassifier",
    "StageClassifier",
    "StageClock",
    "StageDetector",
    "StageLeg",
    "StageLoop",
    "StageModel",
    "StageTranscriber",
    "StageVoice",
    "call_record",
    "digest",
    "run_on_stage",
]
