"""Lowering a voice and bringing it back, without a click."""

import numpy as np

from bargein.audio.pcm import Int16Array

DUCKED = 0.25
"""The level of a ducked voice: 12 dB below its own."""

RAMP_MS = 20
"""How long the way down, and up again, takes: shorter ones are heard as clicks."""


class Ducking:
    """The gain of one voice over time.

    Args:
        rate_hz: sample rate of what passes through.
    """

    def __init__(self, rate_hz: int) -> None:
        self._step = (1.0 - DUCKED) / (rate_hz * RAMP_MS / 1000)
        self._gain = 1.0
        self._target = 1.0

    def duck(self) -> None:
        """Go down."""
        self._target = DUCKED

    def ease(self) -> None:
        """Come back."""
        self._target = 1.0

    def reset(self) -> None:
        """Be at full level at once: another voice begins."""
        self._gain = self._target = 1.0

    @property
    def idle(self) -> bool:
        """Whether everything passes unchanged, so that nothing need go through `apply`."""
        return self._gain == 1.0 and self._target == 1.0

    def apply(self, pcm: Int16Array) -> Int16Array:
        """The next stretch of the voice, at its level."""
        step = self._step if self._target > self._gain else -self._step
        ramp = self._gain + step * np.arange(1, pcm.size + 1, dtype=np.float32)
        low, high = sorted((self._gain, self._target))
        gains = np.clip(ramp, low, high)
        if pcm.size:
            self._gain = self._target if gains[-1] == np.float32(self._target) else float(gains[-1])
        return np.round(pcm * gains).astype(np.int16)
