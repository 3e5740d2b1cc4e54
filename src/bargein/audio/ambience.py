"""Background sounds: a loop that is mixed under a voice, and the noise of an office, which is computed.

The office has no speech in it, so that no voice detector takes its echo for a caller.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from bargein.audio.pcm import Float32Array, Int16Array, from_float, to_float

LEVEL_DBFS = -42.0
"""The level (RMS) of a background sound: some 18 dB below a usual voice."""

PEAK_DBFS = -26.0
"""The highest sample of a background sound; a louder one is limited."""

LONGEST_S = 60
"""A loop has at most this much of a sound."""

_SEAM_S = 0.5
_SLACK_S = 1
_SEED = 1913
_OFFICE_S = 20
_KEYS_A_SECOND = 1.6
_RATE_HZ = 16_000

_Array = npt.NDArray[np.float64]


class BackgroundLoop:
    """A sound that is repeated without a gap.

    Args:
        pcm: the sound, at least a second of it.
        rate_hz: its sample rate.

    Attributes:
        peak: its highest sample, without sign.
    """

    def __init__(self, pcm: Int16Array, rate_hz: int) -> None:
        self._length = pcm.size
        # The beginning follows the end once more, so that a frame never has to be put together from two pieces.
        self._pcm = np.concatenate((pcm, pcm[: _SLACK_S * rate_hz]))
        self.peak = int(np.abs(pcm.astype(np.int32)).max(initial=0))

    def cursor(self) -> "BackgroundCursor":
        """Return a position in the loop, at its beginning."""
        return BackgroundCursor(self._pcm, self._length, self.peak)


class BackgroundCursor:
    """A position in a loop, for one call; it moves with what is taken."""

    def __init__(self, pcm: Int16Array, length: int, peak: int) -> None:
        self._pcm = pcm
        self._length = length
        self._lowest, self._highest = np.int16(peak - 32768), np.int16(32767 - peak)
        self._at = 0

    def take(self, samples: int) -> Int16Array:
        """Return the next samples, at most a second of them; the array must not be changed."""
        begin = self._at
        self._at = (begin + samples) % self._length
        return self._pcm[begin : begin + samples]

    def mixed(self, voice: Int16Array) -> Int16Array:
        """Return a voice with the next samples under it; its highest samples are limited to leave room for them."""
        both = np.minimum(voice, self._highest)
        np.maximum(both, self._lowest, out=both)
        return np.add(both, self.take(voice.size), out=both)


def loop_of(samples: Float32Array, rate_hz: int) -> BackgroundLoop:
    """Return a sound as a loop at the level of background sounds, with its ends faded into each other.

    Raises:
        ValueError: it is shorter than a second, or silent.
    """
    samples = samples[: LONGEST_S * rate_hz]
    seam = int(_SEAM_S * rate_hz)
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
    if samples.size < rate_hz + seam:
        raise ValueError("it is shorter than 1.5 seconds")
    if level < 1e-5 or not np.isfinite(level):
        raise ValueError("it is silent")
    into = np.linspace(0.0, np.pi / 2, seam, dtype=np.float32)
    joined = samples[: samples.size - seam].copy()
    joined[:seam] = joined[:seam] * np.sin(into) + samples[samples.size - seam :] * np.cos(into)
    peak = 10 ** (PEAK_DBFS / 20)
    return BackgroundLoop(
        from_float(np.clip(joined * np.float32(10 ** (LEVEL_DBFS / 20) / level), -peak, peak)), rate_hz
    )


@cache
def office() -> Float32Array:
    """Return the noise of an office at 16 kHz: air, a hum, keyboards and a chair now and then.

    It is computed from a fixed seed, in some 40 ms.
    """
    rng = np.random.default_rng(_SEED)
    size = _OFFICE_S * _RATE_HZ
    sound = _air(rng, size)
    for _ in range(round(_KEYS_A_SECOND * _OFFICE_S / 5)):  # words are typed, of some five letters
        at, loudness = int(rng.integers(size)), 10 ** (rng.uniform(-26, -14) / 20)
        for _ in range(rng.integers(2, 9)):
            _add(sound, _key(rng) * loudness * rng.uniform(0.6, 1.0), at)
            at += int(rng.uniform(0.09, 0.24) * _RATE_HZ)
    for _ in range(3):
        _add(sound, _chair(rng) * 10 ** (rng.uniform(-24, -18) / 20), int(rng.integers(size)))
    return to_float(from_float((sound / np.abs(sound).max() * 0.5).astype(np.float32)))


def _air(rng: np.random.Generator, size: int) -> _Array:
    """Return noise as of ventilation, louder the lower it is, with a faint hum. It is periodic: a loop has no seam."""
    hz = np.fft.rfftfreq(size, 1 / _RATE_HZ)
    gain = 1 / np.maximum(hz, 60) ** 0.85 * (hz > 40) / (1 + (hz / 3500) ** 4)
    noise = np.fft.irfft(gain * np.exp(2j * np.pi * rng.random(hz.size)), size)
    noise *= 0.05 / np.sqrt(np.mean(noise**2))
    time_s = np.arange(size) / _RATE_HZ
    swell = 1 + 0.15 * np.sin(2 * np.pi * time_s / 10 + 1.0)
    return np.asarray(noise * swell + 0.004 * np.sin(2 * np.pi * 100 * time_s), dtype=np.float64)


def _key(rng: np.random.Generator) -> _Array:
    """Return a key that is struck: two short clicks, of the cap and of its way back."""
    size = _RATE_HZ // 12
    time_s = np.arange(size) / _RATE_HZ
    noise = rng.standard_normal(size)
    click = np.diff(noise, prepend=0.0) * np.exp(-time_s / 0.004)
    back = np.roll(np.diff(noise[::-1], prepend=0.0) * np.exp(-time_s / 0.003), int(0.055 * _RATE_HZ)) * 0.4
    return np.asarray(click + back, dtype=np.float64)


def _chair(rng: np.random.Generator) -> _Array:
    """Return a low thump."""
    size = _RATE_HZ // 2
    time_s = np.arange(size) / _RATE_HZ
    noise = np.convolve(rng.standard_normal(size), np.ones(60) / 60, mode="same")
    return np.asarray(noise * 4 * np.exp(-time_s / 0.06) * np.minimum(1, time_s / 0.01), dtype=np.float64)


def _add(sound: _Array, part: _Array, at: int) -> None:
    """Add a part to a loop, over its end if it must be."""
    where = np.arange(at, at + part.size) % sound.size
    sound[where] += part
