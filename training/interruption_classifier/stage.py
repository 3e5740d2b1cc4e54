"""A whole call on a simulated clock: every part of it is the product's own, but for its threads and its socket.

Time stands still while something is worked out and jumps to the next moment at which something happens, so that a call
of fifteen seconds takes as long as its models think. What they would have taken is waited for on the simulated clock.
"""

import asyncio
import hashlib
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
from bargein.ports import (
    ChatMessage,
    InterruptionClassifier,
    InterruptionScore,
    OverlappingSpeech,
    SpeechChunk,
    SpokenWord,
    TranscriptCallback,
)
from bargein.providers.embedded.runtime import Session
from bargein.providers.embedded.stt import MoonshineStream, MoonshineTranscriber
from bargein.providers.embedded.vad import StreamState
from bargein.wire.base import JsonObject

WORD_MS = 300
"""The assistant says a word in so much time, so that any part of what it says can be said again."""

_EPOCH_MS = 1_700_000_000_000
_DETECTING_S = 0.002
_JUDGING_S = 0.010
_UNDERSTANDING_S = 0.035
_UNDERSTANDING_S_PER_S = 0.020
"""What the models take on the machine that measured (`docs/measurements/interruption.md`)."""


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing: where the loop would wait, its time jumps."""

    now_s = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found:
            return found
        if timeout is None:
            raise RuntimeError("nothing will ever happen any more")
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


class StageClock:
    """See `bargein.clock.Clock`: the loop's own time."""

    def monotonic_ms(self) -> float:
        """See `Clock.monotonic_ms`."""
        return round(asyncio.get_running_loop().time() * 1000, 4)  # else 20.04 s are a little less than 20040 ms

    def epoch_ms(self) -> int:
        """See `Clock.epoch_ms`."""
        return _EPOCH_MS + round(self.monotonic_ms())

    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        """See `Clock.call_at`."""
        return asyncio.get_running_loop().call_at(monotonic_ms / 1000, action)


class StageLeg:
    """A caller at the other end of a wire that cannot be cleared (see `bargein.ports.Leg`).

    Args:
        telephone: 8 kHz mu-law instead of 16 kHz linear samples.
        hear: takes each piece of audio that is sent.
        read: takes each message.
    """

    can_clear = False
    has_marks = False
    can_transfer = False
    has_client = True

    def __init__(self, *, telephone: bool, hear: Callable[[Int16Array], None], read: Callable[[str], None]) -> None:
        self.rate_hz = 8_000 if telephone else 16_000
        self.bytes_per_sample = 1 if telephone else 2
        self._telephone = telephone
        self._hear = hear
        self.send_text = read

    def encode(self, samples: Int16Array) -> bytes:
        """See `Leg.encode`."""
        return g711.encode(samples) if self._telephone else samples.astype("<i2").tobytes()

    def decode(self, data: bytes) -> Int16Array:
        """See `Leg.decode`."""
        return g711.decode(data) if self._telephone else np.frombuffer(data, "<i2").astype(np.int16)

    def send_audio(self, frame: bytes) -> None:
        """See `Leg.send_audio`."""
        self._hear(self.decode(frame))

    def clear(self) -> None:
        """See `Leg.clear`."""

    def mark(self, name: str) -> None:
        """See `Leg.mark`."""

    def hang_up(self) -> None:
        """See `Leg.hang_up`."""

    def press(self, keys: str) -> None:
        """See `Leg.press`."""

    async def transfer(self, destination: JsonObject) -> None:
        """See `Leg.transfer`."""


class Archive:
    """What does not come to rest: journal, records and recordings of a call that is only measured."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        """See `JournalSink.write`."""
        self.lines.append(line)

    async def run(self) -> None:
        """See `JournalSink.run`."""

    async def close(self) -> None:
        """See `JournalSink.close`."""

    async def begin(self, call_id: str, changes: JsonObject) -> None:
        """See `CallRecords.begin`."""

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """See `CallRecords.update`."""

    async def finish(self, call_id: str, changes: JsonObject) -> None:
        """See `CallRecords.finish`."""


class _DetectorStream:
    def __init__(self, session: Session, rate_hz: int, hear: Callable[[float, float], None]) -> None:
        self.session, self.stream_state, self.hear = session, StreamState(rate_hz), hear

    def push(self, window: Float32Array, end_ms: float) -> None:
        probability = self.stream_state.infer(self.session, window)
        asyncio.get_running_loop().call_later(_DETECTING_S, self.hear, probability, end_ms)

    def close(self) -> None:
        self.hear = lambda _probability, _end_ms: None


@dataclass(frozen=True, slots=True)
class StageDetector:
    """See `bargein.ports.VoiceDetector`; without a thread."""

    session: Session

    def open(self, rate_hz: int, hear: Callable[[float, float], None]) -> _DetectorStream:
        """See `VoiceDetector.open`."""
        return _DetectorStream(self.session, rate_hz, hear)


@dataclass(slots=True)
class StageTranscriber:
    """The embedded transcriber without its thread; what was understood once is not worked out again.

    Attributes:
        known: the words by the audio they were understood in.
    """

    embedded: MoonshineTranscriber
    known: dict[str, str] = field(default_factory=dict)

    def open(self, hear: TranscriptCallback) -> MoonshineStream:
        """See `Transcriber.open`."""
        return MoonshineStream(self, hear)

    async def decode(self, audio: Int16Array, *, partial: bool) -> str:
        """See `bargein.providers.embedded.decoding.Decoder.decode`."""
        name = digest(audio)
        if name not in self.known:
            self.known[name] = self.embedded.transcribe(audio, lambda: False)
        await anyio.sleep(_UNDERSTANDING_S + _UNDERSTANDING_S_PER_S * audio.size / 16_000)
        return self.known[name]


@dataclass(frozen=True, slots=True)
class StageJudge:
    """A judge that works out its verdict at once, and then waits for as long as it would have taken."""

    verdict: Callable[[OverlappingSpeech], InterruptionScore]

    async def classify(self, overlap: OverlappingSpeech) -> InterruptionScore:
        """See `InterruptionClassifier.classify`."""
        found = self.verdict(overlap)
        await anyio.sleep(_JUDGING_S)
        return found


class StageVoice:
    """Says numbered words, each a slice of one long recording.

    Args:
        recording: at 16 kHz.
    """

    def __init__(self, recording: Float32Array) -> None:
        self._recording = pcm.from_float(recording)
        self._slice = WORD_MS * 16
        self.text = " ".join(f"w{number:03d}" for number in range(self._recording.size // self._slice)) + "."
        """All it can say."""

    async def speak(self, text: str) -> AsyncGenerator[SpeechChunk, None]:
        """See `Voice.speak`."""
        said = [word.strip(".") for word in text.split()]
        numbers = [int(word[1:]) for word in said]
        sound = [self._recording[number * self._slice : (number + 1) * self._slice] for number in numbers]
        words = tuple(
            SpokenWord((index + 1) * 5 - 1, index * WORD_MS, (index + 1) * WORD_MS) for index in range(len(numbers))
        )
        await anyio.sleep(0.02)
        yield SpeechChunk(np.concatenate(sound), 16_000, words)


@dataclass(frozen=True, slots=True)
class StageModel:
    """Says the same again and again."""

    text: str

    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
    ) -> AsyncGenerator[str, None]:
        """See `Model.reply`."""
        await anyio.sleep(0.2)
        yield self.text


def digest(samples: Int16Array) -> str:
    """A name for what was heard."""
    return hashlib.sha1(samples.tobytes(), usedforsecurity=False).hexdigest()


def call_record(number: int) -> JsonObject:
    """A call's record, as the store would have it."""
    return {"id": str(UUID(int=number + 1, version=4)), "orgId": "bench", "createdAt": "2024-01-01T00:00:00.000Z"}


def run_on_stage(function: Callable[..., Any], *args: object) -> Any:
    """`anyio.run` on a loop whose time is simulated."""
    return anyio.run(function, *args, backend_options={"loop_factory": StageLoop})


__all__ = [
    "Archive",
    "InterruptionClassifier",
    "StageClock",
    "StageDetector",
    "StageJudge",
    "StageLeg",
    "StageLoop",
    "StageModel",
    "StageTranscriber",
    "StageVoice",
    "call_record",
    "digest",
    "run_on_stage",
]
