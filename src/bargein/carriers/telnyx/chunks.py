"""Telnyx's media frames in their right order: their order on the socket is not guaranteed, `media.chunk` tells it.

A chunk that comes in order goes on at once. One that comes early waits for those before it, but never for more than a
few frames, and for fewer the more often those did not come at all. A number far from what is expected is believed when
the next one follows on it (as RFC 3550, appendix A.1, does with RTP's sequence numbers), so that one wild number does
not silence a caller.
"""

from bargein.audio.pcm import Int16Array
from bargein.carriers.interface import FrameError

MAX_WAITING = 3
"""So many chunks (60 ms of Telnyx's 20 ms frames) may wait for one that is missing."""

_FAR_AHEAD = 500
_FAR_BEHIND = 100


class Chunks:
    """Puts the chunks of one stream in order, and drops the doubled."""

    def __init__(self) -> None:
        self._next = -1  # none has come yet
        self._waiting: dict[int, Int16Array] = {}
        self._patience = MAX_WAITING
        self._given_up: set[int] = set()
        self._wild_next: int | None = None

    def push(self, chunk: int, pcm: Int16Array) -> list[Int16Array]:
        """Take a chunk; give all that are now in order, perhaps none.

        Raises:
            FrameError: the chunk came before, comes too late, or has a number that cannot be.
        """
        if self._next < 0:
            self._next = chunk
        ahead = chunk - self._next
        if not -_FAR_BEHIND <= ahead <= _FAR_AHEAD:
            return self._wild(chunk, pcm)
        self._wild_next = None
        if ahead < 0 or chunk in self._waiting:
            self._late(chunk)
        self._waiting[chunk] = pcm
        if ahead == 0 and len(self._waiting) > 1:
            self._patience = MAX_WAITING  # what was waited for came: waiting pays
        ready = self._in_order()
        if len(self._waiting) > self._patience:
            self._give_up()
            ready += self._in_order()
        return ready

    def flush(self) -> list[Int16Array]:
        """The stream is over: give what still waits."""
        rest = [self._waiting[chunk] for chunk in sorted(self._waiting)]
        self._waiting.clear()
        return rest

    def _in_order(self) -> list[Int16Array]:
        ready: list[Int16Array] = []
        while self._next in self._waiting:
            ready.append(self._waiting.pop(self._next))
            self._next += 1
        return ready

    def _late(self, chunk: int) -> None:
        if chunk in self._given_up:
            self._given_up.discard(chunk)
            self._patience = MAX_WAITING  # it does come, if late: wait longer from now on
            raise FrameError(f"chunk {chunk} comes too late")
        raise FrameError(f"chunk {chunk} came before")

    def _give_up(self) -> None:
        """Go on without what is missing before the first chunk that waits."""
        first = min(self._waiting)
        # only those of the last gap are remembered, and a gap is shorter than `_FAR_AHEAD`
        self._given_up = set(range(self._next, first))
        self._next = first
        self._patience //= 2

    def _wild(self, chunk: int, pcm: Int16Array) -> list[Int16Array]:
        if chunk != self._wild_next:
            self._wild_next = chunk + 1
            raise FrameError(f"chunk {chunk} is far from {self._next}")
        self._wild_next = None
        ready = self.flush()
        self._given_up.clear()
        self._next = chunk + 1
        return [*ready, pcm]
