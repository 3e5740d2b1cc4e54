"""Sample rate conversion by soxr, in two grades.

soxr works in blocks, so a stream withholds audio: fed with 20 ms frames its HQ grade withholds 63 ms on average (and
115 ms at most) from 8 to 16 kHz, 21 (37) ms from 48 to 16, 23 (39) ms from 44.1 to 16 and 45 (73) ms from 24 to 8; LQ
34, 11, 11 and 22 ms. Its QQ grade withholds under 0.3 ms, but is a bare cubic that folds everything above the new
Nyquist frequency back at full strength. Outgoing speech can wait, and gets HQ. For incoming audio each millisecond
delays the detection of the caller, so `live` is QQ after (when the rate rises, before) a short low-pass filter, and
where the rate is doubled that filter alone.
"""

from typing import Literal

import numpy as np
import soxr

from bargein.audio import pcm as pcm_
from bargein.audio.pcm import Float32Array, Int16Array

Quality = Literal["live", "best"]
"""`live` withholds 0.4 to 1.1 ms, loses 1.4 dB at 0.4 of the lower rate (4 dB going up, unless by two) and keeps
aliases and images 40 dB down or more (20 dB where neither rate divides the other, as 24 to 16 kHz). `best` is flat to
the edge."""

_LIVE_HALF_WIDTH = 7.0
"""Half the length of the low-pass filter, in samples of the lower rate: 0.9 ms at 8 kHz, 0.4 at 16."""


class StreamResampler:
    """Converter of a stream of samples.

    After `flush` the output has exactly the duration of the input and is aligned to it.
    """

    def __init__(self, in_hz: int, out_hz: int, quality: Quality = "best") -> None:
        if in_hz <= 0 or out_hz <= 0:
            raise ValueError(f"sample rates are positive numbers of Hz, not {in_hz} and {out_hz}")
        self._same = in_hz == out_hz
        live = quality == "live"
        self._doubler = _Doubler() if live and out_hz == 2 * in_hz else None
        self._soxr = soxr.ResampleStream(in_hz, out_hz, 1, dtype="float32", quality="QQ" if live else "HQ")
        self._before = _LowPass(in_hz, out_hz) if live and out_hz < in_hz else None
        self._after = _LowPass(out_hz, in_hz) if live and out_hz > in_hz else None

    def push(self, pcm: Int16Array) -> Int16Array:
        """Convert the next samples; return those that are ready (the same array if the rates are equal)."""
        if self._same:
            return pcm
        if self._doubler is not None:
            return self._doubler.push(pcm)
        samples = pcm_.to_float(pcm)
        if self._before is not None:
            samples = self._before.push(samples)
        converted = self._soxr.resample_chunk(samples)
        if self._after is not None:
            converted = self._after.push(converted)
        return pcm_.from_float(converted)

    def flush(self) -> Int16Array:
        """End the stream and return what was withheld. The resampler cannot be used after this."""
        if self._same:
            return np.zeros(0, dtype=np.int16)
        if self._doubler is not None:
            return self._doubler.flush()
        last = np.zeros(0, dtype=np.float32) if self._before is None else self._before.flush()
        converted = self._soxr.resample_chunk(last, last=True)
        if self._after is not None:
            converted = np.concatenate((self._after.push(converted), self._after.flush()))
        return pcm_.from_float(converted)


def resample(pcm: Int16Array, in_hz: int, out_hz: int) -> Int16Array:
    """Convert a whole recording; the result is the same array if the rates are equal."""
    if in_hz == out_hz:
        return pcm
    return np.asarray(soxr.resample(pcm, in_hz, out_hz, quality="HQ"), dtype=np.int16)


class _Doubler:
    """Doubler of a stream's rate; all audio of telephone calls goes through it.

    A windowed sinc at the higher rate: samples of the input need only the taps at even places, the samples between
    them only those at odd places. That is at most half the work of interpolation followed by a filter.
    """

    def __init__(self) -> None:
        self._half = int(_LIVE_HALF_WIDTH)
        taps = _sinc(2 * self._half, 0.5)
        self._even, self._odd = taps[::2] / taps[::2].sum(), taps[1::2] / taps[1::2].sum()
        self._past = np.zeros(self._half, dtype=np.float32)

    def push(self, pcm: Int16Array) -> Int16Array:
        joined = np.empty(self._past.size + pcm.size, dtype=np.float32)
        joined[: self._past.size] = self._past
        joined[self._past.size :] = pcm
        ready = joined.size - 2 * self._half
        if ready <= 0:
            self._past = joined
            return np.zeros(0, dtype=np.int16)
        self._past = joined[ready:].copy()
        doubled = np.empty((ready, 2), dtype=np.float32)
        doubled[:, 0] = np.convolve(joined, self._even, mode="valid")
        doubled[:, 1] = np.convolve(joined[1:], self._odd, mode="valid")
        np.rint(doubled, out=doubled)
        np.maximum(doubled, -32768.0, out=doubled)
        np.minimum(doubled, 32767.0, out=doubled)
        return doubled.ravel().astype(np.int16)

    def flush(self) -> Int16Array:
        return self.push(np.zeros(self._half, dtype=np.int16))


def _sinc(half: int, ratio: float) -> Float32Array:
    """Return low-pass taps for `ratio` of the rate, `half` of them on either side of the middle one."""
    offset = np.arange(-half, half + 1)
    return (np.sinc(offset * ratio * 0.9) * np.kaiser(2 * half + 1, 4.5)).astype(np.float32)


class _LowPass:
    """Symmetric windowed-sinc filter over a stream without delay: samples wait for those after them."""

    def __init__(self, rate_hz: int, narrow_hz: int) -> None:
        """Make a filter for a stream at `rate_hz` that passes the band of a stream at `narrow_hz`."""
        ratio = narrow_hz / rate_hz
        self._half = int(np.ceil(_LIVE_HALF_WIDTH / ratio))
        taps = _sinc(self._half, ratio)
        self._taps = taps / taps.sum()
        self._past = np.zeros(self._half, dtype=np.float32)

    def push(self, samples: Float32Array) -> Float32Array:
        joined = np.concatenate((self._past, samples))
        if joined.size < self._taps.size:
            self._past = joined
            return np.zeros(0, dtype=np.float32)
        self._past = joined[joined.size - self._taps.size + 1 :]
        return np.asarray(np.convolve(joined, self._taps, mode="valid"), dtype=np.float32)

    def flush(self) -> Float32Array:
        return self.push(np.zeros(self._half, dtype=np.float32))
