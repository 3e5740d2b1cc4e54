"""Detection of the beep after which a voicemail records: one pure tone of a fifth of a second to two seconds."""

import numpy as np

from bargein.audio.pcm import Int16Array

FRAME_MS = 20
SHORTEST_MS = 180
LONGEST_MS = 2000
"""A longer tone is a dial or ringing tone."""

_LOWEST_HZ = 350.0
_HIGHEST_HZ = 2400.0
_PURE = 0.8
"""Least share of a frame's energy around one frequency; two tones at once (RFC 4733 keys, ringing) have less."""
_LEAST_RMS = 200.0
_SPREAD_HZ = 75.0


class BeepDetector:
    """Detector of beeps in a stream.

    Args:
        rate_hz: sample rate of the stream.
    """

    def __init__(self, rate_hz: int) -> None:
        self._size = rate_hz * FRAME_MS // 1000
        self._window = np.hanning(self._size)
        self._frequencies = np.fft.rfftfreq(self._size, 1 / rate_hz)
        self._rest = np.zeros(0, dtype=np.int16)
        self._tone_hz = 0.0
        self._lasted_ms = 0

    def push(self, pcm: Int16Array) -> bool:
        """Process the next samples; return True if a beep has ended in them."""
        samples = np.concatenate((self._rest, pcm))
        whole = samples.size // self._size * self._size
        self._rest = samples[whole:]
        ended = False
        for frame in samples[:whole].reshape(-1, self._size):
            ended = self._ends(self._tone_of(frame.astype(np.float64))) or ended
        return ended

    def _tone_of(self, frame: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
        """Return the frequency of a frame that is a pure tone; None: it has several, or is too quiet."""
        if float(np.sqrt(np.mean(frame**2))) < _LEAST_RMS:
            return None
        power = np.abs(np.fft.rfft(frame * self._window)) ** 2
        peak_hz = float(self._frequencies[int(np.argmax(power))])
        near = np.abs(self._frequencies - peak_hz) <= _SPREAD_HZ
        pure = float(power[near].sum()) >= _PURE * float(power.sum())
        return peak_hz if pure and _LOWEST_HZ <= peak_hz <= _HIGHEST_HZ else None

    def _ends(self, tone_hz: float | None) -> bool:
        """Process a frame's tone; return True if a beep ended before it."""
        if tone_hz is not None and self._lasted_ms and abs(tone_hz - self._tone_hz) <= _SPREAD_HZ:
            self._lasted_ms += FRAME_MS
            return False
        lasted_ms, self._lasted_ms = self._lasted_ms, 0
        if tone_hz is not None:
            self._tone_hz, self._lasted_ms = tone_hz, FRAME_MS
        return SHORTEST_MS <= lasted_ms <= LONGEST_MS
