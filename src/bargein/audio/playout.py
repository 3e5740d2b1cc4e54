"""Paced playout: which audio is due, and what of it has been heard. It has no clock: `now_ms` comes in.

The far end of a plain WebSocket cannot be told to drop what it holds, so what was sent cannot be recalled. Audio
therefore goes out just in time: never more than `lead_ms` ahead of the moment it sounds.
"""

from collections import deque

FRAME_MS = 20
"""Length of a frame of outgoing audio: what carriers and Vapi's clients use."""

MARK_EVERY_MS = 200
"""How far marks are apart, where the far end returns them."""

MARK_PATIENCE_MS = 2000
"""A mark that is so long overdue will not come: from then on the clock alone tells what was heard."""

_TRIM_BYTES = 1 << 20


class Playout:
    """The audio of one utterance on its way out.

    The far end is taken to play what it gets at once and without gaps, until it runs dry; when audio comes again after
    that, it starts anew. With `marked` it says itself what it has played: nothing beyond the next mark counts as heard
    before that comes back, and time only tells where between two marks the far end is.

    Args:
        bytes_per_second: of the encoded audio.
        lead_ms: how far audio may run ahead.
        at_once_ms: how much goes out at once, for what is done once for five frames costs a fifth: the far end then
            has between `lead_ms` and `lead_ms - at_once_ms` of it. A frame, if not given.
        marked: whether the far end tells when it has come to a mark.
    """

    def __init__(
        self, bytes_per_second: int, lead_ms: int, *, at_once_ms: int = FRAME_MS, marked: bool = False
    ) -> None:
        if not FRAME_MS <= at_once_ms <= lead_ms:
            raise ValueError(f"{FRAME_MS} <= at once <= lead must hold, not {at_once_ms} ms at once, {lead_ms} ms lead")
        self._patience_ms = at_once_ms - FRAME_MS
        self._bytes_per_ms = bytes_per_second / 1000
        # Of an even length: a frame must not end inside a 16-bit sample, as 20 ms at 11025 Hz would.
        self._frame_bytes = bytes_per_second * FRAME_MS // 2000 * 2
        self._lead_ms = lead_ms
        self._audio = bytearray()
        self._taken = 0
        self._sent_bytes: int = 0
        self._origin_ms: float | None = None
        self._complete = False
        self._marked = marked
        self._marks = deque[int]()  # sent and not back yet: how many bytes are before each
        self._last_mark: int = 0
        self._mark_now = False
        self._reached = 0
        self._reached_at_ms = 0.0
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
        if self._reached == self._sent_bytes:
            self._reached_at_ms, self._mark_now = now_ms, True
        frame = bytes(self._audio[self._taken : self._taken + size])
        self.sounds_ms = self._origin_ms + self.sent_ms
        self._taken += size
        self._sent_bytes += size
        if self._taken > _TRIM_BYTES:
            del self._audio[: self._taken]
            self._taken = 0
        return frame

    def take_mark(self) -> int | None:
        """The mark that belongs behind the frame taken last, as the number of bytes before it; None: none does.

        There is one behind the first frame of a stretch, one each `MARK_EVERY_MS`, and one where there is nothing more
        to send.
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

    def reached(self, mark: int, now_ms: float) -> bool:
        """The far end has played all before this mark; False for one that it need not tell of (any more)."""
        if mark not in self._marks:
            return False
        while self._marks.popleft() != mark:
            pass  # those before it are reached too
        self._reached, self._reached_at_ms = mark, now_ms
        return True

    def next_ms(self, now_ms: float) -> float | None:
        """When there is something to do: a frame to send, or, with none left, the end of the last one."""
        size = self._next_size()
        if size:
            return self._due_ms(now_ms, size) + (0 if self._origin_ms is None else self._patience_ms)
        if self._origin_ms is None:
            return None
        if self._told_by_marks(now_ms):
            return self._overdue_ms() if self._marks else None
        end_ms = self._origin_ms + self.sent_ms
        return end_ms if now_ms < end_ms else None

    def position_ms(self, now_ms: float) -> float:
        """How much has been heard."""
        if self._origin_ms is None:
            return 0.0
        if self._told_by_marks(now_ms):
            most = self._marks[0] if self._marks else self._sent_bytes
            since_ms = max(0.0, now_ms - self._reached_at_ms)
            return min(most / self._bytes_per_ms, self._reached / self._bytes_per_ms + since_ms)
        return min(self.sent_ms, max(0.0, now_ms - self._origin_ms))

    def drained(self, now_ms: float) -> bool:
        """Whether all there is has been heard; the beginning of a frame that waits for its rest has not."""
        if self._taken < len(self._audio):
            return False
        if self._origin_ms is not None and self._told_by_marks(now_ms):
            return self._reached == self._sent_bytes
        return self._origin_ms is None or now_ms >= self._origin_ms + self.sent_ms

    def _told_by_marks(self, now_ms: float) -> bool:
        if self._marks and now_ms >= self._overdue_ms():
            self._marked = False
        return self._marked

    def _overdue_ms(self) -> float:
        """When the next mark will not come any more."""
        began_ms = max(self._origin_ms or 0.0, self._reached_at_ms - self._reached / self._bytes_per_ms)
        return began_ms + self._marks[0] / self._bytes_per_ms + MARK_PATIENCE_MS

    def _next_size(self) -> int:
        left = len(self._audio) - self._taken
        if left >= self._frame_bytes:
            return self._frame_bytes
        return left if self._complete else 0

    def _due_ms(self, now_ms: float, size: int) -> float:
        if self._origin_ms is None:
            return now_ms
        return self._origin_ms + self.sent_ms + size / self._bytes_per_ms - self._lead_ms
