"""Mu-law of ITU-T G.711, one byte a sample, by two tables."""

import numpy as np
import numpy.typing as npt

from bargein.audio.pcm import Int16Array

SILENCE_BYTE = 0xFF
"""Code of positive zero, for silence."""

_BIAS = 33
"""G.711 adds 33 to the 14-bit magnitude, so that each segment begins at a power of two."""

_LARGEST = 8158
"""The largest 14-bit magnitude that can be coded; louder samples are clipped to it."""


def _decoding_table() -> Int16Array:
    """Return the 16-bit value of each of the 256 codes (G.711, table 2: the 14-bit value, shifted left by two)."""
    code = ~np.arange(256, dtype=np.int64) & 0xFF
    segment = (code >> 4) & 0x07
    step = code & 0x0F
    magnitude = ((2 * step + _BIAS) << segment) - _BIAS
    return (4 * np.where(code & 0x80, -magnitude, magnitude)).astype(np.int16)


def _encoding_table() -> npt.NDArray[np.uint8]:
    """Return the code of each 16-bit sample; the index is the sample's two's-complement bits."""
    sample = np.arange(65536, dtype=np.int64)
    sample[sample >= 32768] -= 65536
    magnitude = np.minimum(np.abs(sample) >> 2, _LARGEST) + _BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int64) - 5
    step = (magnitude >> (segment + 1)) & 0x0F
    sign = np.where(sample < 0, 0x80, 0)
    return (~(sign | (segment << 4) | step) & 0xFF).astype(np.uint8)


_DECODE = _decoding_table()
_ENCODE = _encoding_table()


def decode(data: bytes | bytearray | memoryview) -> Int16Array:
    """Expand mu-law bytes to 16-bit samples."""
    return _DECODE[np.frombuffer(data, dtype=np.uint8)]


def encode(pcm: Int16Array) -> bytes:
    """Compress 16-bit samples to mu-law bytes, one each."""
    return _ENCODE[pcm.view(np.uint16)].tobytes()
