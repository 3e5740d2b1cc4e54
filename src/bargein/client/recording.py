"""Both sides of a call as its caller hears them, on one time line."""

import numpy as np

from bargein.audio.pcm import Int16Array
from bargein.client.pacing import Playing


class Recording:
    """Collects what the assistant said, where it was heard; the caller's clips are laid beside it at the end."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._heard: list[tuple[float, Int16Array]] = []

    def heard(self, pcm: Int16Array, start_ms: float) -> None:
        """The caller's client begins to play `pcm` at `start_ms`, unless it is cut before."""
        self._heard.append((start_ms, pcm))

    def cut(self, at_ms: float) -> None:
        """What has not been played by `at_ms` is never played."""
        kept: list[tuple[float, Int16Array]] = []
        for start_ms, pcm in self._heard:
            left = self._samples(at_ms - start_ms)
            if left > 0:
                kept.append((start_ms, pcm[:left]))
        self._heard = kept

    def tracks(self, zero_ms: float, end_ms: float, spoken: list[Playing]) -> tuple[Int16Array, Int16Array]:
        """The caller's and the assistant's track, both from `zero_ms` to `end_ms`."""
        caller = [(playing.start_ms, playing.pcm) for playing in spoken]
        return self._lay(caller, zero_ms, end_ms), self._lay(self._heard, zero_ms, end_ms)

    def _lay(self, pieces: list[tuple[float, Int16Array]], zero_ms: float, end_ms: float) -> Int16Array:
        track = np.zeros(self._samples(end_ms - zero_ms), dtype=np.int16)
        for start_ms, pcm in pieces:
            first = self._samples(start_ms - zero_ms)
            # What would have sounded before or after the recording is left out.
            piece = pcm[max(0, -first) : max(0, track.size - first)]
            track[max(0, first) : max(0, first) + piece.size] = piece
        return track

    def _samples(self, duration_ms: float) -> int:
        return round(duration_ms * self._rate_hz / 1000)
