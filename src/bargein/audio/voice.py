"""Voice activity: windows for a detector, and its probabilities turned into edges, utterances and pauses.

All of it runs 31 times a second for each call, so it creates no objects but those that it returns.
"""

from dataclasses import dataclass

import numpy as np

from bargein.audio.pcm import Float32Array, Int16Array

WINDOW_MS = 32
"""Length of the detector's window: 256 samples at 8 kHz, 512 at 16 kHz."""

WINDOW_SAMPLES = {8_000: 256, 16_000: 512}
"""Samples of a window by the sample rates at which voice is detected."""

_SCALE = np.float32(1.0 / 32768.0)


class Windower:
    """Splitter of frames of any length into windows of 32 ms, each with the time at which it ended.

    A frame ends when it arrives, so a window that ends n samples before its frame's end ended n samples before the
    arrival: a client that sends half a second at once is measured as if it had sent frame by frame. Frames that were
    delayed and arrive together would overlap that way, so the times never go back.
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
        """The number of samples that complete the next window."""
        return self._size - self._filled

    def push(self, pcm: Int16Array, arrival_ms: float) -> list[tuple[Float32Array, float]]:
        """Add a frame that arrived at `arrival_ms`.

        Returns:
            The windows that it completes, mostly none or one, with their `end_ms`: arrays of their own of floats in
            [-1, 1).
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
        voiced: True if it began.
        at_ms: the beginning of the first window with (or, at a stop, without) voice, on the call's clock.
        probability: the detector's for that window.
        rising_ms: where voice began, the beginning of the windows before it whose probability was rising; where it
            stopped, None.
    """

    voiced: bool
    at_ms: int
    probability: float
    rising_ms: int | None = None


_RISING_PROBABILITY = 0.02
_RISING_WINDOWS = 4
"""The detector recognises a soft onset up to four windows late, some later still. In silence its probability is mostly
below this."""


class VoiceGate:
    """Hysteresis without hangover: each change is reported with the window that shows it."""

    def __init__(self, start_probability: float = 0.5, stop_probability: float = 0.35) -> None:
        if not 0.0 <= stop_probability <= start_probability <= 1.0:
            raise ValueError(
                f"0 <= stop <= start <= 1 must hold, not stop {stop_probability}, start {start_probability}"
            )
        self._start = start_probability
        self._stop = stop_probability
        self._rising = 0
        self.voiced = False
        """True if the last window had voice."""

    def push(self, probability: float, end_ms: float) -> VoiceEdge | None:
        """Process the probability of the window that ended at `end_ms`; return an edge if voice began or stopped."""
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
        started: True if it began.
        at_ms: when its voice began or, at the end, fell silent: `hang_ms` or more before the end became known.
    """

    started: bool
    at_ms: int


class UtteranceGate:
    """Joiner of voice into utterances: one ends when there was no voice for `hang_ms`."""

    def __init__(self, hang_ms: int) -> None:
        if hang_ms < 0:
            raise ValueError(f"the hang is not negative, as {hang_ms} ms is")
        self._hang_ms = hang_ms
        self._silent_since_ms: int | None = None
        self.open = False
        """True while an utterance is running."""

    def push(self, edge: VoiceEdge | None, end_ms: float) -> UtteranceEdge | None:
        """Process the result of `VoiceGate.push` for the window that ended at `end_ms`."""
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
    """Detector of pauses in an utterance: one begins after `after_ms` without voice, before the utterance is over."""

    def __init__(self, after_ms: int) -> None:
        if after_ms < 0:
            raise ValueError(f"the time after which a pause begins is not negative, as {after_ms} ms is")
        self._after_ms = after_ms
        self._silent_since_ms: int | None = None
        self.paused_ms: int | None = None
        """When the voice stopped, while there is a pause; else None."""

    def push(self, edge: VoiceEdge | None, end_ms: float) -> bool | None:
        """Process the result of `VoiceGate.push` for the window that ended at `end_ms`.

        Returns:
            True if a pause begins, False if the voice returns after one, else None.
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
