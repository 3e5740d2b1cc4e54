"""Two sides of a conversation laid on one time line, sample by sample. It has no clock: times come in."""

from collections import deque
from typing import NamedTuple

import numpy as np

from bargein.audio.pcm import Int16Array


class Track:
    """One side.

    Audio that follows what was laid before it within `slack_ms` is joined to it without a seam: its times waver, its
    samples do not. What begins later than that leaves silence before it.

    Args:
        rate_hz: of the samples.
        slack_ms: how late audio may come and still be joined.
    """

    def __init__(self, rate_hz: int, slack_ms: float) -> None:
        self._per_ms = rate_hz / 1000
        self._slack = round(slack_ms * self._per_ms)
        self._pieces: deque[_Piece] = deque()
        self._end: int | None = None
        self._taken = 0

    def lay(self, pcm: Int16Array, at_ms: float) -> None:
        """Add audio whose first sample sounds at `at_ms`; what was taken already is not changed any more."""
        start = round(at_ms * self._per_ms)
        if self._end is not None and start - self._end <= self._slack:
            start = self._end
        start = max(start, self._taken)
        self._pieces.append(_Piece(start, pcm))
        self._end = start + pcm.size

    def cut(self, at_ms: float) -> None:
        """What was laid from `at_ms` on never sounds."""
        end = max(round(at_ms * self._per_ms), self._taken)
        if self._end is None or self._end <= end:
            return
        self._end = end
        while self._pieces and self._pieces[-1].start >= end:
            self._pieces.pop()
        if self._pieces:
            start, pcm = self._pieces[-1]
            self._pieces[-1] = _Piece(start, pcm[: end - start])

    def take_into(self, out: Int16Array) -> None:
        """Fill `out`, which is silent, with the next samples."""
        begin, end = self._taken, self._taken + out.size
        self._taken = end
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
    """Both sides, of which what lies far enough back is taken away.

    Args:
        rate_hz: of the samples.
        left_slack_ms: see `Track`.
        right_slack_ms: see `Track`.
    """

    def __init__(self, rate_hz: int, left_slack_ms: float, right_slack_ms: float) -> None:
        self.left = Track(rate_hz, left_slack_ms)
        self.right = Track(rate_hz, right_slack_ms)
        self._per_ms = rate_hz / 1000
        self._taken = 0

    def take(self, until_ms: float) -> Int16Array:
        """The next stretch of both sides up to `until_ms`, of shape (samples, 2); silence where there was no sound."""
        samples = max(0, round(until_ms * self._per_ms) - self._taken)
        self._taken += samples
        out = np.zeros((samples, 2), dtype=np.int16)
        self.left.take_into(out[:, 0])
        self.right.take_into(out[:, 1])
        return out
