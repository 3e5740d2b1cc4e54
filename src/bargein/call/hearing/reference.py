"""The assistant's audio beside the caller's: the reference for echo cancellation and the second transcribed channel."""

from collections.abc import Callable

import numpy as np

from bargein.audio.resample import StreamResampler
from bargein.ports import TRANSCRIBER_RATE_HZ, Leg, Pcm16

_PER_MS = TRANSCRIBER_RATE_HZ / 1000
_KEPT = TRANSCRIBER_RATE_HZ * 2
_PLAYOUT_SLACK = round(5 * _PER_MS)
"""Frames that follow each other play without a gap; their times are rounded."""

_CAPTURE_SLACK = round(20 * _PER_MS)
"""The caller's audio is read without a gap as long as its times differ by no more than this from its length."""

_SILENCE: Pcm16 = np.zeros(TRANSCRIBER_RATE_HZ, dtype=np.int16)
_SILENCE.flags.writeable = False  # slices of it are handed out


def silence(samples: int) -> Pcm16:
    """Return silence as a read-only array, without allocating one for each frame."""
    return _SILENCE[:samples] if samples <= _SILENCE.size else np.zeros(samples, dtype=np.int16)


class _Track:
    """The last two seconds of some audio, by the time at which it plays."""

    def __init__(self, rate_hz: int) -> None:
        self._resampler = StreamResampler(rate_hz, TRANSCRIBER_RATE_HZ, "live")
        self._ring: Pcm16 = np.zeros(_KEPT, dtype=np.int16)
        self._end: int | None = None

    def add(self, pcm: Pcm16, at_ms: float) -> Pcm16:
        """Add audio that begins to play at `at_ms`, and return it at the transcriber's rate."""
        pcm = self._resampler.push(pcm)
        start = round(at_ms * _PER_MS)
        end = self._end
        if end is not None and abs(start - end) <= _PLAYOUT_SLACK:
            start = end
        elif end is not None and start > end:
            self._write(end, silence(min(start - end, _KEPT)))
        self._write(start, pcm)
        self._end = start + pcm.size
        return pcm

    def read(self, begin: int, samples: int) -> Pcm16:
        """Return what plays from the sample `begin` of the call on."""
        if self._end is None or begin >= self._end:
            return silence(samples)
        reference = np.zeros(samples, dtype=np.int16)
        first, last = max(begin, self._end - _KEPT), min(begin + samples, self._end)
        if last > first:
            reference[first - begin : last - begin] = self._ring[np.arange(first, last) % _KEPT]
        return reference

    def _write(self, start: int, pcm: Pcm16) -> None:
        pcm = pcm[-_KEPT:]
        self._ring[np.arange(start, start + pcm.size) % _KEPT] = pcm


class PlayoutReference:
    """The assistant's audio as the caller hears it, at the transcriber's rate, by the time at which it plays.

    What the caller loses or sends late moves nothing: an echo keeps its delay for the whole call.

    Args:
        leg: the connection that the frames are encoded for.
        record: receives the same audio, and when it begins to play, in milliseconds of the call.
    """

    def __init__(self, leg: Leg, record: Callable[[Pcm16, float], None]) -> None:
        self._leg = leg
        self._record = record
        self._all = _Track(leg.rate_hz)
        self._voice: _Track | None = None
        self._read: int | None = None

    def add_frame(self, frame: bytes, at_ms: float) -> None:
        """Add a frame that was sent to the caller and begins to play at `at_ms`."""
        self._record(self._all.add(self._leg.decode(frame), at_ms), at_ms)

    def separate_voice(self) -> None:
        """Keep the voice apart from here on: a background sound begins, and `add_voice` is called."""
        self._voice = self._voice or _Track(self._leg.rate_hz)

    def add_voice(self, frame: bytes, at_ms: float) -> None:
        """Add the voice alone of a frame that was added with a background sound under it."""
        if self._voice is not None:
            self._voice.add(self._leg.decode(frame), at_ms)

    def read(self, samples: int, end_ms: float) -> Pcm16:
        """Return what played while the caller's next `samples` samples were recorded, which end at `end_ms`."""
        begin = round(end_ms * _PER_MS) - samples
        if self._read is not None and abs(begin - self._read) <= _CAPTURE_SLACK:
            begin = self._read
        self._read = begin + samples
        return self._all.read(begin, samples)

    def read_voice(self, samples: int) -> Pcm16 | None:
        """Return the voice alone of the last `samples` samples that were read; None: there is no background sound."""
        return None if self._voice is None or self._read is None else self._voice.read(self._read - samples, samples)
