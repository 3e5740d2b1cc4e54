"""A stereo recording of a call as its caller hears it: both sides on one time line."""

import numpy as np

from bargein.audio.pcm import Int16Array
from bargein.client.pacing import ScheduledClip


class Recording:
    """Collects the assistant's audio with its playback times; the caller's clips are added by `tracks`."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._played: list[tuple[float, Int16Array]] = []

    def add_assistant_audio(self, pcm: Int16Array, start_ms: float) -> None:
        """Add audio that the caller's client begins to play at `start_ms`, unless it is flushed before."""
        self._played.append((start_ms, pcm))

    def flush(self, at_ms: float) -> None:
        """Drop the audio that has not been played by `at_ms`."""
        kept: list[tuple[float, Int16Array]] = []
        for start_ms, pcm in self._played:
            samples = self._samples(at_ms - start_ms)
            if samples > 0:
                kept.append((start_ms, pcm[:samples]))
        self._played = kept

    def tracks(self, zero_ms: float, end_ms: float, clips: list[ScheduledClip]) -> tuple[Int16Array, Int16Array]:
        """Return the caller's and the assistant's track, both from `zero_ms` to `end_ms`."""
        caller = [(clip.start_ms, clip.pcm) for clip in clips]
        return self._track(caller, zero_ms, end_ms), self._track(self._played, zero_ms, end_ms)

    def _track(self, pieces: list[tuple[float, Int16Array]], zero_ms: float, end_ms: float) -> Int16Array:
        track = np.zeros(self._samples(end_ms - zero_ms), dtype=np.int16)
        for start_ms, pcm in pieces:
            first = self._samples(start_ms - zero_ms)
            # Samples before the recording's beginning or after its end are left out.
            piece = pcm[max(0, -first) : max(0, track.size - first)]
            track[max(0, first) : max(0, first) + piece.size] = piece
        return track

    def _samples(self, duration_ms: float) -> int:
        return round(duration_ms * self._rate_hz / 1000)
