"""Paced playout: which audio is due, and what of it has been heard. It has no clock: `now_ms` comes in.

The far end of a plain WebSocket cannot be told to drop what it holds, so what was sent cannot be recalled. Audio
therefore goes out just in time: never more than `lead_ms` ahead of the moment it sounds.
"""

FRAME_MS = 20
"""Length of a frame of outgoing audio: what carriers and Vapi's clients use."""

_TRIM_BYTES = 1 << 20


class Playout:
    """The audio of one utterance on its way out.

    The far end is taken to play what it gets at once and without gaps, until it runs dry; when audio comes again after
    that, it starts anew.
    """

    def __init__(self, bytes_per_second: int, lead_ms: int) -> None:
        if lead_ms < FRAME_MS:
            raise ValueError(f"the lead must hold a frame of {FRAME_MS} ms, not {lead_ms} ms")
        self._bytes_per_ms = bytes_per_second / 1000
        # Of an even length: a frame must not end inside a 16-bit sample, as 20 ms at 11025 Hz would.
        self._frame_bytes = bytes_per_second * FRAME_MS // 2000 * 2
        self._lead_ms = lead_ms
        self._audio = bytearray()
        self._taken = 0
        self._sent_bytes = 0
        self._origin_ms: float | None = None
        self._complete = False
        self.sounds_ms = 0.0
        """When the frame that was taken last begins to sound."""

    def queue(self, audio: bytes) -> None:
        """Add encoded audio at the end."""
        self._audio += audio

    def complete(self) -> None:
        """No more audio comes: the last frame may be short."""
        self._complete = True

    @property
    def waiting_ms(self) -> float:
        """How much audio has not been sent."""
        return (len(self._audio) - self._taken) / self._bytes_per_ms

    @property
    def sent_ms(self) -> float:
        """How much audio has been sent."""
        return self._sent_bytes / self._bytes_per_ms

    def next_frame(self, now_ms: float) -> bytes | None:
        """Take the next frame if it may go out by now."""
        size = self._next_size()
        if size == 0 or now_ms < self._due_ms(now_ms, size):
            return None
        if self._origin_ms is None or now_ms - self._origin_ms > self.sent_ms:
            self._origin_ms = now_ms - self.sent_ms  # the far end has run dry, or never begun
        frame = bytes(self._audio[self._taken : self._taken + size])
        self.sounds_ms = self._origin_ms + self.sent_ms
        self._taken += size
        self._sent_bytes += size
        if self._taken > _TRIM_BYTES:
            del self._audio[: self._taken]
            self._taken = 0
        return frame

    def next_ms(self, now_ms: float) -> float | None:
        """When there is something to do: a frame to send, or, with none left, the end of the last one."""
        size = self._next_size()
        if size:
            return self._due_ms(now_ms, size)
        if self._origin_ms is None:
            return None
        end_ms = self._origin_ms + self.sent_ms
        return end_ms if now_ms < end_ms else None

    def position_ms(self, now_ms: float) -> float:
        """How much has been heard."""
        if self._origin_ms is None:
            return 0.0
        return min(self.sent_ms, max(0.0, now_ms - self._origin_ms))

    def drained(self, now_ms: float) -> bool:
        """Whether all there is has been heard; the beginning of a frame that waits for its rest has not."""
        if self._taken < len(self._audio):
            return False
        return self._origin_ms is None or now_ms >= self._origin_ms + self.sent_ms

    def _next_size(self) -> int:
        left = len(self._audio) - self._taken
        if left >= self._frame_bytes:
            return self._frame_bytes
        return left if self._complete else 0

    def _due_ms(self, now_ms: float, size: int) -> float:
        if self._origin_ms is None:
            return now_ms
        return self._origin_ms + self.sent_ms + size / self._bytes_per_ms - self._lead_ms
