"""Paced playout: which audio is due, and how much of it has been heard. It has no clock: `now_ms` comes in.

The peer of a plain WebSocket cannot be told to drop its buffer, so audio that was sent cannot be recalled. Audio
therefore goes out just in time: never more than `lead_ms` before it sounds.
"""

from collections import deque

FRAME_MS = 20
"""Length of a frame of outgoing audio, as carriers and Vapi's clients use it."""

MARK_EVERY_MS = 200
"""The distance between marks, where the peer returns them."""

MARK_PATIENCE_MS = 2000
"""A mark that is overdue for this long is taken for lost: from then on heard audio is counted by the clock alone."""

_TRIM_BYTES = 1 << 20


class Playout:
    """The outgoing audio of one reply.

    The peer is assumed to play what it gets at once and without gaps until its buffer is empty; audio that comes after
    that starts anew. With `marked` the peer reports what it has played: nothing beyond the next mark counts as heard
    before that mark comes back, and the clock only interpolates between two marks.

    Args:
        bytes_per_second: rate of the encoded audio.
        lead_ms: how far audio may be sent ahead.
        at_once_ms: how much is sent at once: one pass for five frames costs a fifth of five passes. The peer then
            holds between `lead_ms - at_once_ms` and `lead_ms` of audio. The default is one frame.
        marked: the peer returns marks.
    """

    def __init__(
        self, bytes_per_second: int, lead_ms: int, *, at_once_ms: int = FRAME_MS, marked: bool = False
    ) -> None:
        if not FRAME_MS <= at_once_ms <= lead_ms:
            raise ValueError(f"{FRAME_MS} <= at_once_ms <= lead_ms must hold, not {at_once_ms} and {lead_ms}")
        self._patience_ms = at_once_ms - FRAME_MS
        self._bytes_per_ms = bytes_per_second / 1000
        # An even length: a frame must not end inside a 16-bit sample, as 20 ms at 11025 Hz would.
        self._frame_bytes = bytes_per_second * FRAME_MS // 2000 * 2
        self._lead_ms = lead_ms
        self._audio = bytearray()
        self._offset = 0
        self._sent_bytes: int = 0
        self._origin_ms: float | None = None
        self._complete = False
        self._marked = marked
        self._marks = deque[int]()  # sent and not returned: how many bytes are before each
        self._last_mark: int = 0
        self._mark_now = False
        self._reached = 0
        self._reached_at_ms = 0.0
        self.sounds_ms = 0.0
        """When the frame that was sent last begins to sound."""

    def queue(self, audio: bytes) -> None:
        """Add encoded audio at the end."""
        self._audio += audio

    def complete(self) -> None:
        """Mark the end of the audio: the last frame may be short."""
        self._complete = True

    @property
    def waiting_ms(self) -> float:
        """The audio that has not been sent, in ms."""
        return (len(self._audio) - self._offset) / self._bytes_per_ms

    @property
    def sent_ms(self) -> float:
        """The audio that has been sent, in ms."""
        return self._sent_bytes / self._bytes_per_ms

    def next_frame(self, now_ms: float, free_ms: float = 0.0) -> bytes | None:
        """Return the next frame if it may be sent by now.

        Args:
            now_ms: the time.
            free_ms: when the peer has played what it got besides this audio.
        """
        size = self._next_size()
        if size == 0 or now_ms < self._due_ms(now_ms, size):
            return None
        begins_ms = max(now_ms, free_ms)
        if self._origin_ms is None or begins_ms - self._origin_ms > self.sent_ms:
            self._origin_ms = begins_ms - self.sent_ms  # all of this audio has been played, or playout has not begun
        if self._reached == self._sent_bytes:
            self._reached_at_ms, self._mark_now = begins_ms, True
        frame = bytes(self._audio[self._offset : self._offset + size])
        self.sounds_ms = self._origin_ms + self.sent_ms
        self._offset += size
        self._sent_bytes += size
        if self._offset > _TRIM_BYTES:
            del self._audio[: self._offset]
            self._offset = 0
        return frame

    def next_mark(self) -> int | None:
        """Return the mark to send after the last frame, as the number of bytes before it; None: there is none.

        There is a mark after the first frame of uninterrupted audio, one every `MARK_EVERY_MS`, and one when nothing
        is left to send.
        """
        unmarked = self._sent_bytes - self._last_mark
        if not self._marked or not unmarked:
            return None
        enough = unmarked >= MARK_EVERY_MS * self._bytes_per_ms
        if not (enough or self._mark_now) and self._next_size():
            return None
        self._mark_now = False
        self._last_mark = self._sent_bytes
        self._marks.append(self._sent_bytes)
        return self._sent_bytes

    def reach_mark(self, mark: int, now_ms: float) -> bool:
        """Note that the peer has played everything before a mark; return False if that mark is not expected."""
        if mark not in self._marks:
            return False
        while self._marks.popleft() != mark:
            pass  # those before it are reached too
        self._reached, self._reached_at_ms = mark, now_ms
        return True

    def next_ms(self, now_ms: float) -> float | None:
        """Return when there is something to do: a frame to send or, with none left, the end of the last one."""
        size = self._next_size()
        if size:
            return self._due_ms(now_ms, size) + (0 if self._origin_ms is None else self._patience_ms)
        if self._origin_ms is None:
            return None
        if self._uses_marks(now_ms):
            return self._overdue_ms() if self._marks else None
        end_ms = self._origin_ms + self.sent_ms
        return end_ms if now_ms < end_ms else None

    def position_ms(self, now_ms: float) -> float:
        """Return how much has been heard."""
        if self._origin_ms is None:
            return 0.0
        if self._uses_marks(now_ms):
            most = self._marks[0] if self._marks else self._sent_bytes
            since_ms = max(0.0, now_ms - self._reached_at_ms)
            return min(most / self._bytes_per_ms, self._reached / self._bytes_per_ms + since_ms)
        return min(self.sent_ms, max(0.0, now_ms - self._origin_ms))

    def drained(self, now_ms: float) -> bool:
        """Return True if all audio has been heard; an incomplete frame that waits for its rest has not."""
        if self._offset < len(self._audio):
            return False
        if self._origin_ms is not None and self._uses_marks(now_ms):
            return self._reached == self._sent_bytes
        return self._origin_ms is None or now_ms >= self._origin_ms + self.sent_ms

    def _uses_marks(self, now_ms: float) -> bool:
        if self._marks and now_ms >= self._overdue_ms():
            self._marked = False
        return self._marked

    def _overdue_ms(self) -> float:
        """Return when the next mark is taken for lost."""
        began_ms = max(self._origin_ms or 0.0, self._reached_at_ms - self._reached / self._bytes_per_ms)
        return began_ms + self._marks[0] / self._bytes_per_ms + MARK_PATIENCE_MS

    def _next_size(self) -> int:
        left = len(self._audio) - self._offset
        if left >= self._frame_bytes:
            return self._frame_bytes
        return left if self._complete else 0

    def _due_ms(self, now_ms: float, size: int) -> float:
        if self._origin_ms is None:
            return now_ms
        return self._origin_ms + self.sent_ms + size / self._bytes_per_ms - self._lead_ms
