"""The order of a media socket's frames, where the carrier numbers them (`media.chunk`).

A socket keeps the order of what is sent, but carriers do not guarantee the order in which they send.

A chunk that comes in order goes on at once. One that comes early waits for those before it, but never for more than a
few frames, and for fewer the more often those did not come at all. A number far from what is expected is believed when
the next one follows on it (as RFC 3550, appendix A.1, does with RTP's sequence numbers), so that one wild number does
not silence a caller.
"""

from typing import Generic, TypeVar

from bargein.carriers.interface import FrameError

MAX_WAITING = 3
"""The number of chunks that may wait for a missing one (60 ms, of frames of 20 ms)."""

_FAR_AHEAD = 500
_FAR_BEHIND = 100

AudioT = TypeVar("AudioT")


class Chunks(Generic[AudioT]):
    """Puts the chunks of one stream in order, and drops duplicates. In order, none is held back."""

    def __init__(self) -> None:
        self._next = -1  # none has arrived yet
        self._waiting: dict[int, AudioT] = {}
        self._patience = MAX_WAITING
        self._given_up: set[int] = set()
        self._wild_next: int | None = None

    def push(self, chunk: int, audio: AudioT) -> list[AudioT]:
        """Add a chunk; return all chunks that are now in order, perhaps none.

        Raises:
            FrameError: the chunk is a duplicate or late, or its number is not possible.
        """
        if self._next < 0:
            self._next = chunk
        ahead = chunk - self._next
        if not -_FAR_BEHIND <= ahead <= _FAR_AHEAD:
            return self._wild(chunk, audio)
        self._wild_next = None
        if ahead < 0 or chunk in self._waiting:
            self._late(chunk)
        self._waiting[chunk] = audio
        if ahead == 0 and len(self._waiting) > 1:
            self._patience = MAX_WAITING  # the missing chunk arrived, so waiting is worth it
        ready = self._in_order()
        if len(self._waiting) > self._patience:
            self._give_up()
            ready += self._in_order()
        return ready

    def flush(self) -> list[AudioT]:
        """Return the chunks that still wait at the end of the stream."""
        rest = [self._waiting[chunk] for chunk in sorted(self._waiting)]
        self._waiting.clear()
        return rest

    def _in_order(self) -> list[AudioT]:
        ready: list[AudioT] = []
        while self._next in self._waiting:
            ready.append(self._waiting.pop(self._next))
            self._next += 1
        return ready

    def _late(self, chunk: int) -> None:
        if chunk in self._given_up:
            self._given_up.discard(chunk)
            self._patience = MAX_WAITING  # it arrives, if late: wait longer from now on
            raise FrameError(f"chunk {chunk} is late")
        raise FrameError(f"chunk {chunk} is a duplicate")

    def _give_up(self) -> None:
        """Give up the chunks that are missing before the first waiting one."""
        first = min(self._waiting)
        # only those of the last gap are remembered, and a gap is shorter than `_FAR_AHEAD`
        self._given_up = set(range(self._next, first))
        self._next = first
        self._patience //= 2

    def _wild(self, chunk: int, audio: AudioT) -> list[AudioT]:
        if chunk != self._wild_next:
            self._wild_next = chunk + 1
            raise FrameError(f"chunk {chunk} is far from {self._next}")
        self._wild_next = None
        ready = self.flush()
        self._given_up.clear()
        self._next = chunk + 1
        return [*ready, audio]
