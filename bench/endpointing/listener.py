"""The events of a turn as a call's audio input produces them, on a simulated clock."""

import hashlib
import heapq
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

import anyio
import numpy as np

from bargein.audio.pcm import Float32Array, Int16Array
from bargein.call.hearing.audio_input import AudioInput
from bargein.call.hearing.pauses import BEFORE_MS, INTO_MS, Run, runs_of_turn
from bargein.call.hearing.reference import PlayoutReference
from bargein.call.record import journal
from bargein.ports import TranscriptCallback, TurnPause
from bargein.providers.embedded.expected_answer import OPEN, ExpectedAnswer
from bargein.providers.embedded.moonshine_model import NO_WORDS, Transcript
from bargein.providers.embedded.stt import MoonshineStream, MoonshineTranscriber
from bargein.providers.embedded.vad import SileroDetector, StreamState
from bargein.turns import Plan
from bargein.turns.commands import JudgePause
from bargein.turns.events import Event, VoiceStarted, VoiceStopped
from bench.endpointing.corpus import RATE_HZ, Turn

_NO_CALL = journal.Head("", "", Plan())
_FRAME_MS = 20
_SETTLE = 6
_DECODING_MS = 20.0
_DECODING_MS_PER_S = 22.0
"""Time of the transcriber on one thread of the machine that was measured: 40 ms for 1 s of audio, 130 ms for 5 s."""


class SimulatedClock:
    """A clock that advances on request."""

    def __init__(self) -> None:
        self.now_ms = 0.0
        self._count = 0
        self._waiting: list[tuple[float, int, anyio.Event]] = []

    async def sleep_until(self, at_ms: float) -> None:
        """Wait until a time."""
        event = anyio.Event()
        self._count += 1
        heapq.heappush(self._waiting, (at_ms, self._count, event))
        await event.wait()

    async def advance(self, to_ms: float) -> None:
        """Advance to a time, after everything that waits for an earlier time has run."""
        while self._waiting and self._waiting[0][0] <= to_ms:
            at_ms, _, event = heapq.heappop(self._waiting)
            self.now_ms = max(self.now_ms, at_ms)
            event.set()
            await settle()
        self.now_ms = to_ms


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(_SETTLE):
        await anyio.lowlevel.checkpoint()


def paused(turn: Turn, events: Sequence[Event], question: JudgePause) -> TurnPause:
    """Return a pause as `bargein.call.hearing.pauses` cuts it out for the end-of-turn detector."""
    runs, onset_ms = list[Run](), 0
    for event in events:
        if isinstance(event, VoiceStarted):
            onset_ms = event.onset_ms
        elif isinstance(event, VoiceStopped) and event.offset_ms <= question.offset_ms:
            runs.append((onset_ms, event.offset_ms))
    begin, end = (max(0, question.offset_ms + ms) * RATE_HZ // 1000 for ms in (-BEFORE_MS, INTO_MS))
    return TurnPause(
        said=question.said,
        caller=turn.sound[begin:end],
        runs=runs_of_turn(runs, question.after_ms, question.offset_ms),
        language=question.language,
        confidence=question.confidence,
        asked=question.asked or turn.asked,
    )


class Kept:
    """Results that take long and are always the same, kept in a file between runs.

    Args:
        path: file of the results; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._values: dict[str, str] = {}
        if path is not None and path.exists():
            self._values = json.loads(path.read_text(encoding="utf-8"))

    def of(self, kind: str, audio: Int16Array, make: Callable[[], str]) -> str:
        """Return the value for this audio; compute it if there is none."""
        value = self.find(kind, audio)
        return self.keep(kind, audio, make()) if value is None else value

    def find(self, kind: str, audio: Int16Array) -> str | None:
        """Return the value for this audio; None: there is none."""
        return self._values.get(_key(kind, audio))

    def keep(self, kind: str, audio: Int16Array, value: str) -> str:
        """Keep the value for this audio, and return it."""
        self._values[_key(kind, audio)] = value
        return value

    def save(self) -> None:
        """Write the file."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._values), encoding="utf-8")


def _key(kind: str, audio: Int16Array) -> str:
    return f"{kind} {hashlib.sha1(audio.tobytes(), usedforsecurity=False).hexdigest()}"


class _Detecting:
    """A stream of the voice detector that answers at once."""

    def __init__(self, detector: SileroDetector, hear: Callable[[float, float], None]) -> None:
        self._session, self._stream_state = detector.load(), StreamState(RATE_HZ)
        self._hear = hear

    def push(self, window: Float32Array, end_ms: float) -> None:
        self._hear(self._stream_state.infer(self._session, window), end_ms)

    def close(self) -> None: ...


class _Detector:
    def __init__(self, detector: SileroDetector) -> None:
        self._detector = detector

    def open(self, _rate_hz: int, on_probability: Callable[[float, float], None]) -> _Detecting:
        return _Detecting(self._detector, on_probability)


class _Decoding:
    """The transcriber's thread: it handles one request after the other, in simulated time."""

    def __init__(self, transcriber: MoonshineTranscriber, clock: SimulatedClock, kept: Kept) -> None:
        self._transcriber = transcriber
        self._clock = clock
        self._kept = kept
        self._free_ms = 0.0

    async def decode(self, audio: Int16Array, *, partial: bool, expected: ExpectedAnswer = OPEN) -> Transcript:
        began_ms = max(self._clock.now_ms, self._free_ms)
        self._free_ms = began_ms + _DECODING_MS + _DECODING_MS_PER_S * audio.size / RATE_HZ
        try:
            await self._clock.sleep_until(self._free_ms)
        except BaseException:
            self._free_ms = self._clock.now_ms  # a partial that is no longer needed
            raise
        if partial:  # during speech: it ends no turn, and no pause waits for it
            return NO_WORDS
        found = self._kept.of(
            f"transcript {expected}",
            audio,
            lambda: json.dumps(astuple(self._transcriber.transcribe(audio, expected=expected))),
        )
        return Transcript(*json.loads(found))


class _Transcriber:
    def __init__(self, decoding: _Decoding) -> None:
        self._decoding = decoding

    def open(self, on_transcript: TranscriptCallback) -> MoonshineStream:
        return MoonshineStream(self._decoding, on_transcript)


class _Leg:
    """A caller's leg that decodes nothing: its audio has the format of the audio input."""

    rate_hz = RATE_HZ

    def decode(self, data: bytes) -> Int16Array:
        return np.frombuffer(data, np.int16)


class TurnListener:
    """Runs turns through the audio input of a call, each as the first turn of a call.

    Args:
        kept: results of earlier runs for the same audio.
    """

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._detector = SileroDetector()
        self._transcriber = MoonshineTranscriber()

    @contextmanager
    def _audio_input(self, clock: SimulatedClock, post: Callable[[Event], None]) -> Iterator[AudioInput]:
        leg = _Leg()

        def nothing(*_: object) -> None: ...

        audio_input = AudioInput(
            leg,  # pyright: ignore[reportArgumentType] - only its audio is used
            detector=_Detector(self._detector),
            transcriber=_Transcriber(_Decoding(self._transcriber, clock, self._kept)),
            reference=PlayoutReference(leg, nothing),  # pyright: ignore[reportArgumentType]
            now_ms=lambda: clock.now_ms,
            post=post,
            on_probability=nothing,
            on_audio=nothing,
            record=nothing,
        )
        try:
            yield audio_input
        finally:
            audio_input.close()

    async def events(self, turn: Turn) -> list[Event]:
        """Return all events that a call receives about a turn of the caller."""
        known = self._kept.find("events", turn.sound)
        if known is None:
            lines = [journal.head_line(_NO_CALL), *map(journal.event_line, await self._listen(turn))]
            known = self._kept.keep("events", turn.sound, "".join(f"{line}\n" for line in lines))
        return list(journal.read(known.splitlines(keepends=True))[1])

    async def _listen(self, turn: Turn) -> list[Event]:
        clock, events = SimulatedClock(), list[Event]()
        samples = RATE_HZ * _FRAME_MS // 1000
        with self._audio_input(clock, events.append) as audio_input:
            async with anyio.create_task_group() as tasks:
                for work in self._works(audio_input):
                    tasks.start_soon(work)
                await settle()
                for number in range(turn.sound.size // samples):
                    await clock.advance((number + 1) * _FRAME_MS)
                    audio_input.receive(turn.sound[number * samples :][:samples].tobytes())
                    await settle()
                tasks.cancel_scope.cancel()
        return events

    def _works(self, audio_input: AudioInput) -> list[Callable[[], Awaitable[None]]]:
        return [audio_input.transcription.run]
