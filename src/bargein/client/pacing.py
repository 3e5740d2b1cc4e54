"""A microphone that plays recordings: frames of 20 ms in real time, on a schedule that does not drift.

A frame is sent when its last sample is due, as from a microphone: sample n of the stream is due at `start_ms + n /
rate`, and the onset of a clip is counted from that time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import numpy as np

from bargein.audio.pcm import Int16Array
from bargein.clock import Clock

FRAME_MS = 20

Encode = Callable[[Int16Array], bytes]


@dataclass(frozen=True, slots=True)
class Lateness:
    """Delay of the sent frames behind their schedule, in ms."""

    p50_ms: float
    p99_ms: float
    worst_ms: float


@dataclass(slots=True, eq=False)
class ScheduledClip:
    """A clip that is being sent or will be.

    Attributes:
        pcm: its samples.
        start_ms: time at which its first sample is due.
        begun: set when its first frame is due.
        ended: set when its last frame has been sent.
    """

    pcm: Int16Array
    start_ms: float
    begun: anyio.Event = field(default_factory=anyio.Event)
    ended: anyio.Event = field(default_factory=anyio.Event)


class PacedSender:
    """Sends clips, with the noise of a quiet room between them, while `run` runs.

    Args:
        send: sends one encoded frame.
        encode: encodes samples.
        rate_hz: sample rate.
        clock: the clock of the schedule.
        noise_peak: the largest sample of the noise between clips; 0 is digital silence.

    Attributes:
        scheduled: every clip that was scheduled, in order.
    """

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        encode: Encode,
        rate_hz: int,
        clock: Clock,
        *,
        noise_peak: int = 3,
    ) -> None:
        self._send = send
        self._encode = encode
        self._clock = clock
        self._frame_samples = rate_hz * FRAME_MS // 1000
        self._rate_hz = rate_hz
        self._noise_peak = noise_peak
        self._random = np.random.default_rng(0)
        self._clips: list[ScheduledClip] = []
        self._late_ms: list[float] = []
        self._sent_frames = 0
        self._started_ms: float | None = None
        self.scheduled: list[ScheduledClip] = []

    @property
    def start_ms(self) -> float:
        """Time at which the stream began.

        Raises:
            RuntimeError: it has not begun.
        """
        if self._started_ms is None:
            raise RuntimeError("the sender is not running yet")
        return self._started_ms

    @property
    def running(self) -> bool:
        """True if the stream has begun."""
        return self._started_ms is not None

    @property
    def sent_until_ms(self) -> float:
        """Time at which the last sent sample was due."""
        return self.start_ms + self._sent_frames * FRAME_MS

    def play(self, pcm: Int16Array, at_ms: float) -> ScheduledClip:
        """Schedule `pcm` at `at_ms`, or now if that is past, or after the clips that are not over by then."""
        earliest_ms = self.sent_until_ms
        if self._clips:
            last = self._clips[-1]
            earliest_ms = max(earliest_ms, last.start_ms + last.pcm.size * 1000 / self._rate_hz)
        # Start on a sample of the stream, so that times measured in the clip are exact in the stream.
        sample = round((max(at_ms, earliest_ms) - self.start_ms) * self._rate_hz / 1000)
        clip = ScheduledClip(pcm, self.start_ms + sample * 1000 / self._rate_hz)
        self._clips.append(clip)
        self.scheduled.append(clip)
        return clip

    def lateness(self) -> Lateness:
        """Return the percentiles of all frames' delays so far."""
        if not self._late_ms:
            return Lateness(0.0, 0.0, 0.0)
        p50, p99, worst = np.percentile(self._late_ms, [50, 99, 100])
        return Lateness(float(p50), float(p99), float(worst))

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            Exception: any error of `send`.
        """
        self._started_ms = self._clock.monotonic_ms()
        while True:
            due_ms = self.start_ms + (self._sent_frames + 1) * FRAME_MS
            await self._sleep_until(due_ms)
            frame = self._next_frame()
            self._late_ms.append(max(0.0, self._clock.monotonic_ms() - due_ms))
            await self._send(self._encode(frame))
            self._sent_frames += 1
            self._drop_sent_clips()

    async def _sleep_until(self, due_ms: float) -> None:
        due = anyio.Event()
        timer = self._clock.call_at(due_ms, due.set)
        try:
            await due.wait()
        finally:
            timer.cancel()

    def _next_frame(self) -> Int16Array:
        first = self._sent_frames * self._frame_samples
        frame = self._noise_frame()
        for clip in self._clips:
            offset = round((clip.start_ms - self.start_ms) * self._rate_hz / 1000) - first
            if offset >= frame.size:
                break
            clip.begun.set()
            to, start = max(0, offset), max(0, -offset)
            piece = clip.pcm[start : start + frame.size - to]
            frame[to : to + piece.size] = piece
        return frame

    def _drop_sent_clips(self) -> None:
        while (
            self._clips
            and self._clips[0].start_ms + self._clips[0].pcm.size * 1000 / self._rate_hz <= self.sent_until_ms
        ):
            self._clips.pop(0).ended.set()

    def _noise_frame(self) -> Int16Array:
        if self._noise_peak == 0:
            return np.zeros(self._frame_samples, dtype=np.int16)
        peak = self._noise_peak
        return self._random.integers(-peak, peak, self._frame_samples, dtype=np.int16, endpoint=True)
