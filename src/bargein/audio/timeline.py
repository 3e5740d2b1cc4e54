"""A timeline of the two sides of a conversation, to the sample. It has no clock: times come in."""

from collections import deque
from typing import NamedTuple

import numpy as np

from bargein.audio.pcm import Int16Array


class Track:
    """One side of a conversation.

    Audio that begins within `slack_ms` after the end of the audio before it is joined to it without a gap: arrival
    times have jitter, samples have not. Audio that begins later leaves silence before it.

    Args:
        rate_hz: sample rate.
        slack_ms: how late audio may begin and still be joined.
    """

    def __init__(self, rate_hz: int, slack_ms: float) -> None:
        self._per_ms = rate_hz / 1000
        self._slack = round(slack_ms * self._per_ms)
        self._pieces: deque[_Piece] = deque()
        self._end: int | None = None
        self._read = 0

    def add(self, pcm: Int16Array, at_ms: float) -> None:
        """Add audio whose first sample sounds at `at_ms`, or after what has been read already."""
        start = round(at_ms * self._per_ms)
        if self._end is not None and start - self._end <= self._slack:
            start = self._end
        start = max(start, self._read)
        self._pieces.append(_Piece(start, pcm))
        self._end = start + pcm.size

    def cut(self, at_ms: float) -> None:
        """Remove the audio from `at_ms` on, which never sounds."""
        end = max(round(at_ms * self._per_ms), self._read)
        if self._end is None or self._end <= end:
            return
        self._end = end
        while self._pieces and self._pieces[-1].start >= end:
            self._pieces.pop()
        if self._pieces:
            start, pcm = self._pieces[-1]
            self._pieces[-1] = _Piece(start, pcm[: end - start])

    def read_into(self, out: Int16Array) -> None:
        """Fill `out`, which is silent, with the next samples."""
        begin, end = self._read, self._read + out.size
        self._read = end
        while self._pieces and self._pieces[0].start < end:
            start, pcm = self._pieces.popleft()
            now, later = pcm[: end - start], pcm[end - start :]
            out[start - begin : start - begin + now.size] = now
            if later.size:
                self._pieces.appendleft(_Piece(end, later))


class _Piece(NamedTuple):
    start: int
    pcm: Int16Array


class Stereo:
    """Both sides of a conversation as one stereo stream.

    Args:
        rate_hz: sample rate.
        left_slack_ms: `slack_ms` of the left track.
        right_slack_ms: `slack_ms` of the right track.
    """

    def __init__(self, rate_hz: int, left_slack_ms: float, right_slack_ms: float) -> None:
        self.left = Track(rate_hz, left_slack_ms)
        self.right = Track(rate_hz, right_slack_ms)
        self._per_ms = rate_hz / 1000
        self._read = 0

    def read(self, until_ms: float) -> Int16Array:
        """Return the next samples of both sides up to `until_ms`, of shape (samples, 2), with silence in gaps."""
        samples = max(0, round(until_ms * self._per_ms) - self._read)
        self._read += samples
        out = np.zeros((samples, 2), dtype=np.int16)
        self.left.read_into(out[:, 0])
        self.right.read_into(out[:, 1])
        return out
