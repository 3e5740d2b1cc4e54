"""Recordings: read as a caller's speech, and written as the two sides of a call. Only this module uses soundfile."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile

from bargein.audio.pcm import Int16Array
from bargein.audio.resample import resample
from bargein.client.errors import ClientError

_HOP_MS = 5
_WINDOW_MS = 10
_BELOW_PEAK_DB = 30.0
_STEADY_HOPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A recording of a caller's speech.

    Attributes:
        name: the file's name.
        pcm: the samples.
        rate_hz: the sample rate.
        onset_ms: where the voice begins, by energy.
        offset_ms: where it ends, by energy.
    """

    name: str
    pcm: Int16Array
    rate_hz: int
    onset_ms: float
    offset_ms: float

    @property
    def duration_ms(self) -> float:
        """Length of the whole clip."""
        return self.pcm.size * 1000 / self.rate_hz


def load_clip(path: Path, rate_hz: int) -> Clip:
    """Read a recording of any sample rate, with its channels mixed to one. Blocks.

    Raises:
        ClientError: the file cannot be read, or contains only silence.
    """
    sound = cast("Any", soundfile)  # has no types
    try:
        samples, file_hz = sound.read(path, dtype="int16", always_2d=True)
    except (OSError, sound.LibsndfileError) as error:
        raise ClientError(f"cannot read {path}: {error}") from None
    mono = cast("Int16Array", samples.mean(axis=1).round().astype(np.int16))
    return make_clip(path.name, resample(mono, int(file_hz), rate_hz), rate_hz)


def make_clip(name: str, pcm: Int16Array, rate_hz: int) -> Clip:
    """Make a clip of samples and find the beginning and end of its voice.

    Raises:
        ClientError: the samples contain only silence.
    """
    span = voice_span_ms(pcm, rate_hz)
    if span is None:
        raise ClientError(f"{name} contains only silence")
    return Clip(name=name, pcm=pcm, rate_hz=rate_hz, onset_ms=span[0], offset_ms=span[1])


def voice_span_ms(pcm: Int16Array, rate_hz: int) -> tuple[float, float] | None:
    """Return the beginning and end of a clip's voice in ms; None for silence.

    The voice begins where the level first stays within 30 dB of the loudest window for four windows in a row (10 ms
    each, one every 5 ms), and ends where it last does. Only energy is used and no voice detector, since the detector is
    part of what the client measures.
    """
    levels = levels_db(pcm, rate_hz)
    active = levels >= max(levels.max(initial=-100.0) - _BELOW_PEAK_DB, -70.0)
    steady = np.convolve(active, np.ones(_STEADY_HOPS), mode="valid") >= _STEADY_HOPS
    windows = np.flatnonzero(steady)
    if windows.size == 0:
        return None
    end_ms = (int(windows[-1]) + _STEADY_HOPS - 1) * _HOP_MS + _WINDOW_MS
    return float(windows[0]) * _HOP_MS, min(float(end_ms), pcm.size * 1000 / rate_hz)


def levels_db(pcm: Int16Array, rate_hz: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the root-mean-square level in dBFS of windows of 10 ms, one every 5 ms; -100 for silence."""
    window, hop = rate_hz * _WINDOW_MS // 1000, rate_hz * _HOP_MS // 1000
    energy = np.concatenate(([0.0], np.cumsum((pcm.astype(np.float64) / 32768) ** 2)))
    first = np.arange(0, pcm.size - window + 1, hop)
    return 10 * np.log10((energy[first + window] - energy[first]) / window + 1e-10)


def write_stereo(path: Path, left: Int16Array, right: Int16Array, rate_hz: int) -> None:
    """Write two tracks as one stereo file (wav or flac, by its name); the shorter is padded with silence. Blocks.

    Raises:
        ClientError: the file cannot be written.
    """
    both = np.zeros((max(left.size, right.size), 2), dtype=np.int16)
    both[: left.size, 0] = left
    both[: right.size, 1] = right
    sound = cast("Any", soundfile)
    try:
        sound.write(path, both, rate_hz, subtype="PCM_16")
    except (OSError, TypeError, ValueError, sound.LibsndfileError) as error:
        raise ClientError(f"cannot write {path}: {error}") from None
