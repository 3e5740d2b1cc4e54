"""Estimation of the echo: how much of the received audio is the assistant's own voice.

An echo is the played audio, delayed and coloured by the room. So at one certain delay the two are similar: wave by wave
in a dry room, otherwise in the shape of their spectra. Another speaker's voice is similar at no delay.
"""

import numpy as np
import numpy.typing as npt

from bargein.audio.pcm import Float32Array

RATE_HZ = 16_000
LONGEST_DELAY_MS = 400
"""The longest delay from a played sample to the microphone: network, buffers, loudspeaker, room."""

_LEAST_LEVEL = 1e-4
_HOP = RATE_HZ // 100
_WINDOW = RATE_HZ // 40
_FFT = 512
_BANDS = 20
_LOWEST_HZ, _HIGHEST_HZ = 150.0, 6000.0
_REVERBERATION = 0.5
"""Share of a band's power that is left one hop later in a usual room."""

_HEARD_DB = 25.0
"""Frames that are quieter than the loudest one by more than this do not count."""

# Different voices exceed 0.88 in one of a hundred cases; an echo at -20 dB in a room is below it in one of twenty.
_UNLIKE, _ALIKE = 0.56, 1.2
_WAVE_WEIGHT = 1.5

_Array = npt.NDArray[np.float64]


def echo_share(heard: Float32Array, played: Float32Array) -> float:
    """Estimate how likely `heard` is an echo of `played`: 0 (no similarity) to 1; from 0.5 on more likely than not.

    Args:
        heard: samples from the microphone at 16 kHz, a third of a second or more.
        played: the samples that were played meanwhile and `LONGEST_DELAY_MS` before; it ends with `heard`.
    """
    longest = RATE_HZ * LONGEST_DELAY_MS // 1000
    played = played[-(heard.size + longest) :]
    if heard.size < 2 * _WINDOW or played.size < heard.size or _level(played) < _LEAST_LEVEL:
        return 0.0
    likeness = _spectral_likeness(heard, played) + _WAVE_WEIGHT * _wave_likeness(heard, played)
    return float(np.clip((likeness - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0, 1.0))


def _level(samples: Float32Array) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def _wave_likeness(heard: Float32Array, played: Float32Array) -> float:
    """Return the largest normalised cross-correlation over all delays.

    It uses first differences: speech falls off by about 6 dB an octave, so that loud vowels would dominate otherwise.
    """
    mine = np.diff(heard, prepend=heard[:1]).astype(np.float64)
    theirs = np.diff(played, prepend=played[:1]).astype(np.float64)
    size = 1 << (theirs.size + mine.size - 1).bit_length()
    spectrum = np.fft.rfft(theirs, size) * np.conj(np.fft.rfft(mine, size))
    products = np.fft.irfft(spectrum, size)[: theirs.size - mine.size + 1]
    squares = np.concatenate(([0.0], np.cumsum(np.square(theirs))))
    energies = squares[mine.size :] - squares[: squares.size - mine.size]
    norms = np.sqrt(np.maximum(energies, 1e-12) * max(float(np.square(mine).sum()), 1e-12))
    return float(np.max(np.abs(products) / norms))


def _spectral_likeness(heard: Float32Array, played: Float32Array) -> float:
    """Return the largest correlation over all delays of the changes in spectral shape, whatever the room's colour."""
    mine, theirs = _powers(heard), _powers(played)
    for at in range(1, len(theirs)):
        theirs[at] += _REVERBERATION * theirs[at - 1]
    loudness_db = 10 * np.log10(mine.sum(axis=1) + 1e-9)
    weights = np.clip((loudness_db - loudness_db.max() + _HEARD_DB) / _HEARD_DB, 0.0, 1.0)[:, np.newaxis]
    shape = _change(_shape(mine), weights)
    shapes = _shape(theirs)
    best = 0.0
    for lag in range(len(shapes) - len(shape) + 1):
        other = _change(shapes[lag : lag + len(shape)], weights)
        norm = np.sqrt((weights * shape**2).sum() * (weights * other**2).sum())
        best = max(best, float((weights * shape * other).sum() / max(norm, 1e-9)))
    return best


def _powers(samples: Float32Array) -> _Array:
    """Return the power in mel bands, every 10 ms."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    return np.asarray(np.abs(np.fft.rfft(frames * _TAPER, _FFT)) ** 2 @ _BANK, dtype=np.float64)


def _shape(powers: _Array) -> _Array:
    logs = np.log(powers + 1e-7)
    return logs - logs.mean(axis=1, keepdims=True)


def _change(shapes: _Array, weights: _Array) -> _Array:
    return shapes - (weights * shapes).sum(axis=0) / max(float(weights.sum()), 1e-9)


def _mel(hz: npt.ArrayLike) -> _Array:
    return 2595.0 * np.log10(1.0 + np.asarray(hz, dtype=np.float64) / 700.0)


def _bank() -> _Array:
    """Return triangular mel filters, one a column."""
    hz = np.fft.rfftfreq(_FFT, 1.0 / RATE_HZ)
    edges = np.interp(np.linspace(float(_mel(_LOWEST_HZ)), float(_mel(_HIGHEST_HZ)), _BANDS + 2), _mel(hz), hz)
    rising = (hz[:, np.newaxis] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz[:, np.newaxis]) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0.0, None)


_BANK = _bank()
_TAPER = np.hanning(_WINDOW)
