"""Ducking: the level of a voice is lowered and restored without a click."""

import numpy as np

from bargein.audio.pcm import Int16Array

DUCKED = 0.25
"""Gain of a ducked voice: -12 dB."""

RAMP_MS = 20
"""Length of the ramp down and up; a shorter one is heard as a click."""


class Ducking:
    """The gain of one voice over time.

    Args:
        rate_hz: sample rate of the audio.
    """

    def __init__(self, rate_hz: int) -> None:
        self._step = (1.0 - DUCKED) / (rate_hz * RAMP_MS / 1000)
        self._gain = 1.0
        self._target = 1.0

    def duck(self) -> None:
        """Lower the level."""
        self._target = DUCKED

    def unduck(self) -> None:
        """Restore the full level."""
        self._target = 1.0

    def reset(self) -> None:
        """Set the full level at once, for another voice that begins."""
        self._gain = self._target = 1.0

    @property
    def idle(self) -> bool:
        """Return True if audio passes unchanged, so that it need not go through `apply`."""
        return self._gain == 1.0 and self._target == 1.0

    def apply(self, pcm: Int16Array) -> Int16Array:
        """Return the next samples of the voice at its level."""
        step = self._step if self._target > self._gain else -self._step
        ramp = self._gain + step * np.arange(1, pcm.size + 1, dtype=np.float32)
        low, high = sorted((self._gain, self._target))
        gains = np.clip(ramp, low, high)
        if pcm.size:
            self._gain = self._target if gains[-1] == np.float32(self._target) else float(gains[-1])
        return np.round(pcm * gains).astype(np.int16)
