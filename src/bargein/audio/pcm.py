"""Linear PCM: conversion between bytes, integers and floats, and levels."""

import numpy as np
import numpy.typing as npt

from bargein.errors import BargeinError

Int16Array = npt.NDArray[np.int16]
Float32Array = npt.NDArray[np.float32]

SILENCE_DBFS = -96.0
"""The level of digital silence and of anything quieter than one 16-bit step."""

_SCALE = np.float32(1.0 / 32768.0)


class OddPcmError(BargeinError, ValueError):
    """Bytes of 16-bit audio end in the middle of a sample."""


def from_bytes(data: bytes | bytearray | memoryview) -> Int16Array:
    """Read `pcm_s16le` bytes as samples, without a copy where the machine is little-endian.

    Raises:
        OddPcmError: the number of bytes is odd.
    """
    count = memoryview(data).nbytes
    if count % 2:
        raise OddPcmError(f"16-bit audio has two bytes a sample, but {count} bytes came")
    return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)


def to_bytes(pcm: Int16Array) -> bytes:
    """Write samples as `pcm_s16le` bytes."""
    return pcm.astype("<i2", copy=False).tobytes()


def to_float(pcm: Int16Array) -> Float32Array:
    """Scale samples to floats in [-1, 1)."""
    return np.multiply(pcm, _SCALE, dtype=np.float32)


def from_float(samples: Float32Array) -> Int16Array:
    """Round floats to samples, the inverse of `to_float`; values outside [-1, 1] are clipped."""
    return np.clip(np.rint(samples * np.float32(32768.0)), -32768, 32767).astype(np.int16)


def level_dbfs(pcm: Int16Array) -> float:
    """Return the root-mean-square level in dBFS: 0 is a full-scale square wave, a full-scale sine has -3.01.

    Returns:
        The level, at least `SILENCE_DBFS`, also for no samples.
    """
    if pcm.size == 0:
        return SILENCE_DBFS
    samples = pcm.astype(np.float64)
    mean_square = float(np.dot(samples, samples)) / pcm.size / 32768.0**2
    if mean_square <= 0.0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, float(10.0 * np.log10(mean_square)))
