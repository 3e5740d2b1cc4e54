"""Voice activity without a model: cutting windows, and turning probabilities into edges and utterances.

All of it runs 31 times a second for each call, so it makes no more objects than it hands out.
"""

from dataclasses import dataclass

import numpy as np

from bargein.audio.pcm import Float32Array, Int16Array

WINDOW_MS = 32
"""Length of the detector's window: 256 samples at 8 kHz, 512 at 16 kHz."""

WINDOW_SAMPLES = {8_000: 256, 16_000: 512}
"""Samples of a window by the rates at which voice is detected."""

_SCALE = np.float32(1.0 / 32768.0)


class Windower:
    """Cuts frames of any length into windows of 32 ms and tells when, on the call's clock, each of them ended.

    A frame ends when it arrives, so a window that ends n samples before its frame's end ended n samples before the
    arrival: a client that sends half a second at once is measured as if it had sent frame by frame. Frames that were
    held up and arrive together would overlap that way; the times never run backwards.
    """

    def __init__(self, rate_hz: int) -> None:
        if rate_hz not in WINDOW_SAMPLES:
            raise ValueError(f"voice is detected at 8000 or 16000 Hz, not {rate_hz}")
        self._size = WINDOW_SAMPLES[rate_hz]
        self._ms_per_sample = 1000.0 / rate_hz
        self._samples: Int16Array = np.empty(self._size, dtype=np.int16)
        self._filled = 0
        self._last_end_ms = 0.0

    @property
    def missing(self) -> int:
        """How many samples complete the next window."""
        return self._size - self._filled

    def push(self, pcm: Int16Array, arrival_ms: float) -> list[tuple[Float32Array, float]]:
        """Take a frame that arrived at `arrival_ms`.

        Returns:
            The windows it completes, mostly none or one: floats in [-1, 1), the receiver's to keep, and their `end_ms`.
        """
        windows: list[tuple[Float32Array, float]] = []
        taken = 0
        while taken < pcm.size:
            count = min(self._size - self._filled, pcm.size - taken)
            self._samples[self._filled : self._filled + count] = pcm[taken : taken + count]
            taken += count
            self._filled += count
            if self._filled == self._size:
                window: Float32Array = np.multiply(self._samples, _SCALE, dtype=np.float32)
                self._filled = 0
                end_ms = arrival_ms - (pcm.size - taken) * self._ms_per_sample
                self._last_end_ms = max(self._last_end_ms, end_ms)
                windows.append((window, self._last_end_ms))
        return windows


@dataclass(frozen=True, slots=True)
class VoiceEdge:
    """Voice began or stopped.

    Attributes:
        voiced: whether it began.
        at_ms: the beginning of the first window with (or, at a stop, without) voice, on the call's clock.
        probability: the detector's, of that window.
        rising_ms: where voice began, the beginning of the windows before it that were not silent either; else None.
    """

    voiced: bool
    at_ms: int
    probability: float
    rising_ms: int | None = None


_RISING_PROBABILITY = 0.05
_RISING_WINDOWS = 2
"""After a silence the detector believes a soft onset up to two windows late; in silence it gives less."""


class VoiceGate:
    """Window by window hysteresis without hangover: each change is told with the very window that shows it."""

    def __init__(self, start_probability: float = 0.5, stop_probability: float = 0.35) -> None:
        if not 0.0 <= stop_probability <= start_probability <= 1.0:
            raise ValueError(
                f"0 <= stop <= start <= 1 must hold, not stop {stop_probability}, start {start_probability}"
            )
        self._start = start_probability
        self._stop = stop_probability
        self._rising = 0
        self.voiced = False
        """Whether the last window had voice."""

    def push(self, probability: float, end_ms: float) -> VoiceEdge | None:
        """Take the probability of the window that ended at `end_ms`; tell if it changed the answer."""
        voiced = probability >= (self._stop if self.voiced else self._start)
        rising = self._rising
        if voiced or probability < _RISING_PROBABILITY:
            self._rising = 0
        elif rising < _RISING_WINDOWS:
            self._rising = rising + 1
        if voiced == self.voiced:
            return None
        self.voiced = voiced
        rising_ms = max(0, round(end_ms - WINDOW_MS * (1 + rising))) if voiced else None
        return VoiceEdge(voiced, max(0, round(end_ms - WINDOW_MS)), probability, rising_ms)


@dataclass(frozen=True, slots=True)
class UtteranceEdge:
    """An utterance began or ended.

    Attributes:
        started: whether it began.
        at_ms: when its voice began or, at the end, fell silent: `hang_ms` or more before the end became known.
    """

    started: bool
    at_ms: int


class UtteranceGate:
    """Joins stretches of voice into utterances: one ends when there was no voice for `hang_ms`."""

    def __init__(self, hang_ms: int) -> None:
        if hang_ms < 0:
            raise ValueError(f"the hang is a time, not {hang_ms} ms")
        self._hang_ms = hang_ms
        self._silent_since_ms: int | None = None
        self.open = False
        """Whether an utterance is running."""

    def push(self, edge: VoiceEdge | None, end_ms: float) -> UtteranceEdge | None:
        """Take what `VoiceGate.push` gave for the window that ended at `end_ms`."""
        if edge is not None and edge.voiced:
            self._silent_since_ms = None
            if self.open:
                return None
            self.open = True
            return UtteranceEdge(started=True, at_ms=edge.at_ms)
        if edge is not None:
            self._silent_since_ms = edge.at_ms
        since_ms = self._silent_since_ms
        if since_ms is None or end_ms - since_ms < self._hang_ms:
            return None
        self._silent_since_ms = None
        self.open = False
        return UtteranceEdge(started=False, at_ms=since_ms)


class PauseGate:
    """Tells, long before an utterance is over, that its voice pauses: after `after_ms` without voice."""

    def __init__(self, after_ms: int) -> None:
        if after_ms < 0:
            raise ValueError(f"a pause is told of after a time, not after {after_ms} ms")
        self._after_ms = after_ms
        self._silent_since_ms: int | None = None
        self.paused_ms: int | None = None
        """Since when there has been no voice, once that is a pause."""

    def push(self, edge: VoiceEdge | None, end_ms: float) -> bool | None:
        """Take what `VoiceGate.push` gave for the window that ended at `end_ms`.

        Returns:
            True where a pause begins to be one, False where the voice comes back after one, else None.
        """
        if edge is not None:
            paused, self.paused_ms = self.paused_ms is not None, None
            self._silent_since_ms = None if edge.voiced else edge.at_ms
            return False if paused and edge.voiced else None
        since_ms = self._silent_since_ms
        if since_ms is None or end_ms - since_ms < self._after_ms:
            return None
        self._silent_since_ms, self.paused_ms = None, since_ms
        return True
