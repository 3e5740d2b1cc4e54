"""Which parts of a track can be heard: silence and comfort noise of a voice are not speech."""

import itertools

import numpy as np
import numpy.typing as npt

BLOCK_MS = 100
AUDIBLE_PEAK = 104
"""The highest peak of 16-bit samples that is not heard: -50 dBFS, above comfort noise and below a whisper."""


class AudibleTrack:
    """The audible blocks of one track.

    Args:
        rate_hz: the sample rate.
    """

    def __init__(self, rate_hz: int) -> None:
        self._block = rate_hz * BLOCK_MS // 1000
        self._samples = 0
        self._audible = bytearray()
        self._last = -1
        self._seen = 0

    def add(self, pcm: npt.NDArray[np.int16]) -> None:
        """Add samples at the end."""
        if not pcm.size:
            return
        first = self._samples // self._block
        begin = self._samples
        edges = range((first + 1) * self._block - begin, pcm.size, self._block)
        starts = (0, *edges, pcm.size)
        self._samples += pcm.size
        self._audible.extend(bytes(first + len(starts) - 1 - len(self._audible)))
        for index, (start, end) in enumerate(itertools.pairwise(starts), first):
            block = pcm[start:end]
            if not self._audible[index] and max(int(block.max()), -int(block.min())) > AUDIBLE_PEAK:
                self._audible[index] = 1

    def heard_ms(self, position_ms: int) -> int:
        """Return how far into the track the last sound before `position_ms` reaches; positions never decrease."""
        until = min(-(-position_ms // BLOCK_MS), len(self._audible))
        # A block that was looked at may still have grown: it is looked at again.
        for index in range(max(0, self._seen - 1), until):
            if self._audible[index]:
                self._last = index
        self._seen = max(self._seen, until)
        return min(position_ms, (self._last + 1) * BLOCK_MS)
