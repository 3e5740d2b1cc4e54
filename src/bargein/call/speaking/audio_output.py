"""The assistant's mouth: what a reply says goes out here, paced, and only while that reply has the floor."""

from collections.abc import Callable

import anyio

from bargein.audio.ducking import Ducking
from bargein.audio.playout import FRAME_MS, Playout
from bargein.clock import Clock, Timer
from bargein.ports import Leg, Pcm16
from bargein.turns.commands import Duck, Play, StopPlayback, Unduck
from bargein.turns.events import Event, Played

LEAD_MS = 40
"""How far audio runs ahead of playout on a leg that cannot be cleared; on one that can, `CLEARABLE_LEAD_MS`."""
CLEARABLE_LEAD_MS = 200

CLEARABLE_AT_ONCE_MS = 100
"""How much goes out at once there."""

_REPORT_MS = 200
_LONGEST_PLACE = 15
AHEAD_MS = 4000
"""With so much waiting to be played the next sentence can wait: an interruption would waste the work."""
LONGEST_AHEAD_MS = 60_000
"""A sentence is taken in as fast as its voice makes it, for its length tells where its words are; but not for ever."""


class AudioOutput:
    """Plays one reply at a time.

    Audio that is queued under another turn id than the open one is dropped: that is the fence against voices that go on
    after they were cut.

    Args:
        leg: where the audio goes.
        clock: the one clock.
        epoch_ms: the clock's reading at which the call's time began.
        post: takes the `Played` events.
        on_sent: gets each frame as it is sent, and when its sound begins, in the call's time.
        on_silenced: is called with the time, on the clock of the call, from which nothing that was sent will sound.
    """

    def __init__(
        self,
        leg: Leg,
        clock: Clock,
        epoch_ms: float,
        post: Callable[[Event], None],
        *,
        on_sent: Callable[[bytes, float], None],
        on_silenced: Callable[[float], None],
    ) -> None:
        self._leg = leg
        self._clock = clock
        self._epoch_ms = epoch_ms
        self._post = post
        self._on_sent = on_sent
        self._on_silenced = on_silenced
        self._turn_id: str | None = None
        self._playout: Playout | None = None
        self._playing = False
        self._ducking = Ducking(leg.rate_hz)
        self._timer: Timer | None = None
        self._reported_ms = 0.0
        self._opened = 0
        self._room = anyio.Event()

    def open(self, turn_id: str) -> None:
        """A reply begins; its audio is held until `play`."""
        self._drop()
        self._ducking.reset()
        self._turn_id = turn_id
        self._opened += 1
        bytes_per_second = self._leg.rate_hz * self._leg.bytes_per_sample
        lead_ms, at_once_ms = (CLEARABLE_LEAD_MS, CLEARABLE_AT_ONCE_MS) if self._leg.can_clear else (LEAD_MS, FRAME_MS)
        self._playout = Playout(bytes_per_second, lead_ms, at_once_ms=at_once_ms, marked=self._leg.has_marks)

    def queue(self, turn_id: str, pcm: Pcm16) -> bool:
        """Add speech of a reply, at the leg's rate; False if that reply is over."""
        if turn_id != self._turn_id or self._playout is None:
            return False
        self._playout.queue(self._leg.encode(pcm))
        self._pump()
        return True

    def complete(self, turn_id: str) -> None:
        """All speech of the reply is queued."""
        if turn_id == self._turn_id and self._playout is not None:
            self._playout.complete()
            self._pump()

    async def room(self, turn_id: str, ahead_ms: int) -> None:
        """Wait until less than `ahead_ms` of this reply waits to be played; returns at once for one that is over."""
        while turn_id == self._turn_id and self._playout is not None and self._playout.waiting_ms > ahead_ms:
            self._room = anyio.Event()
            await self._room.wait()

    def perform(self, command: Play | Duck | Unduck | StopPlayback) -> None:
        """Do what the engine says of a reply that sounds, or shall; of another than the open one, nothing."""
        match command:
            case Play(turn_id):
                self.play(turn_id)
            case StopPlayback(turn_id):
                self.stop(turn_id)
            case Duck(turn_id) if turn_id == self._turn_id:
                self._ducking.duck()
            case Unduck(turn_id) if turn_id == self._turn_id:
                self._ducking.ease()
            case _:
                pass

    def play(self, turn_id: str) -> None:
        """Let it sound."""
        if turn_id == self._turn_id:
            self._playing = True
            self._reported_ms = self._clock.monotonic_ms()
            self._pump()

    def stop(self, turn_id: str) -> None:
        """Nothing more of it may sound."""
        if turn_id == self._turn_id:
            self._drop()
            self._leg.clear()
            if self._leg.can_clear:  # what was sent to another leg will be heard
                self._on_silenced(self._clock.monotonic_ms() - self._epoch_ms)

    def mark_reached(self, mark: str) -> bool:
        """The far end has come to a mark. One of another reply counts for nothing: a `clear` returns those too."""
        opened, _, place = mark.partition("-")
        if self._playout is None or opened != str(self._opened) or not (place.isascii() and place.isdecimal()):
            return False
        if not self._playout.reached(int(place[:_LONGEST_PLACE]), self._clock.monotonic_ms()):
            return False
        if not self._playout.waiting_ms:
            self._pump()  # it may have been the last; while there is more to send, a timer sends it
        return True

    def close(self) -> None:
        """Nothing may sound any more."""
        self._drop()

    def played(self, at_ms: int) -> Played | None:
        """How much of the reply that sounds has been heard by now; None if none sounds."""
        if not self._playing or self._playout is None or self._turn_id is None:
            return None
        now_ms = self._clock.monotonic_ms()
        return Played(at_ms, self._turn_id, int(self._playout.position_ms(now_ms)), self._playout.drained(now_ms))

    def _drop(self) -> None:
        self._turn_id = None
        self._playout = None
        self._playing = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._room.set()

    def _pump(self) -> None:
        """Send what is due and come back when more is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        playout = self._playout
        if playout is None or not self._playing:
            return
        now_ms = self._clock.monotonic_ms()
        frames, sounds_ms = list[bytes](), 0.0
        while (frame := playout.next_frame(now_ms)) is not None:
            frame = frame if self._ducking.idle else self._leg.encode(self._ducking.apply(self._leg.decode(frame)))
            self._leg.send_audio(frame)
            if (place := playout.take_mark()) is not None:
                self._leg.mark(f"{self._opened}-{place}")
            sounds_ms = sounds_ms if frames else playout.sounds_ms
            frames.append(frame)
        if frames:  # one behind the other: a gap would be as long as the time between two of these
            self._on_sent(b"".join(frames), sounds_ms - self._epoch_ms)
        self._room.set()
        drained = playout.drained(now_ms)
        # The next timer is set before the engine is told, for its answer may stop this very reply.
        next_ms = playout.next_ms(now_ms)
        if next_ms is not None:
            self._timer = self._clock.call_at(next_ms, self._pump)
        if drained or now_ms - self._reported_ms >= _REPORT_MS:
            self._reported_ms = now_ms
            event = self.played(int(now_ms - self._epoch_ms))
            if event is not None:
                self._post(event)
