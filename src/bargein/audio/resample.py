"""Sample-rate conversion by soxr, in two grades.

soxr answers in blocks, so a stream withholds audio: fed with 20 ms frames its HQ grade holds back 63 ms on average (and
115 ms at worst) from 8 to 16 kHz, 21 (37) ms from 48 to 16, 23 (39) ms from 44.1 to 16 and 45 (73) ms from 24 to 8; LQ
34, 11, 11 and 22 ms. Its QQ grade withholds under 0.3 ms, but is a bare cubic that folds everything above the new
Nyquist frequency back at full strength. Speech that goes out can wait, and gets HQ. On the way in each millisecond
delays the moment a caller is noticed, so `live` is QQ behind (or, going up, before) a short low-pass filter of our own.
"""

from typing import Literal

import numpy as np
import soxr

from bargein.audio import pcm as pcm_
from bargein.audio.pcm import Float32Array, Int16Array

Quality = Literal["live", "best"]
"""`live` holds back 0.4 to 1.1 ms, loses 1.4 dB at 0.4 of the lower rate (4 dB going up) and keeps aliases and
images 40 dB down or more (20 dB where neither rate divides the other, as 24 to 16 kHz). `best` is flat to the edge."""

_LIVE_HALF_WIDTH = 7.0
"""Half the low-pass filter's length, in samples of the lower rate: 0.9 ms at 8 kHz, 0.4 at 16."""


class StreamResampler:
    """Converts a stream of samples, keeping what it needs of the past.

    After `flush` the output has as many samples as the input's duration asks for, aligned to it in time.
    """

    def __init__(self, in_hz: int, out_hz: int, quality: Quality = "best") -> None:
        if in_hz <= 0 or out_hz <= 0:
            raise ValueError(f"sample rates are positive numbers of Hz, not {in_hz} and {out_hz}")
        self._same = in_hz == out_hz
        live = quality == "live"
        self._soxr = soxr.ResampleStream(in_hz, out_hz, 1, dtype="float32", quality="QQ" if live else "HQ")
        self._before = _LowPass(in_hz, out_hz) if live and out_hz < in_hz else None
        self._after = _LowPass(out_hz, in_hz) if live and out_hz > in_hz else None

    def push(self, pcm: Int16Array) -> Int16Array:
        """Take the next samples; give those that are ready, perhaps none (the very same array when rates are equal)."""
        if self._same:
            return pcm
        samples = pcm_.to_float(pcm)
        if self._before is not None:
            samples = self._before.push(samples)
        converted = self._soxr.resample_chunk(samples)
        if self._after is not None:
            converted = self._after.push(converted)
        return pcm_.from_float(converted)

    def flush(self) -> Int16Array:
        """End the stream and give what was held back. The resampler is spent after this."""
        if self._same:
            return np.zeros(0, dtype=np.int16)
        last = np.zeros(0, dtype=np.float32) if self._before is None else self._before.flush()
        converted = self._soxr.resample_chunk(last, last=True)
        if self._after is not None:
            converted = np.concatenate((self._after.push(converted), self._after.flush()))
        return pcm_.from_float(converted)


def resample(pcm: Int16Array, in_hz: int, out_hz: int) -> Int16Array:
    """Convert a whole recording; the very same array when the rates are equal."""
    if in_hz == out_hz:
        return pcm
    return np.asarray(soxr.resample(pcm, in_hz, out_hz, quality="HQ"), dtype=np.int16)


class _LowPass:
    """A symmetric windowed-sinc filter over a stream, its delay taken out: samples wait for those after them."""

    def __init__(self, rate_hz: int, narrow_hz: int) -> None:
        """Pass, of a stream at `rate_hz`, what a stream at `narrow_hz` can hold."""
        ratio = narrow_hz / rate_hz
        self._half = int(np.ceil(_LIVE_HALF_WIDTH / ratio))
        offset = np.arange(-self._half, self._half + 1)
        taps = np.sinc(offset * ratio * 0.9) * np.kaiser(2 * self._half + 1, 4.5)
        self._taps = (taps / taps.sum()).astype(np.float32)
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
