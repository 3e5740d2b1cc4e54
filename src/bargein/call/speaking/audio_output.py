"""Audio output of a call: the audio of the current reply is paced out; audio of any other reply is dropped.

A background sound plays under it and between replies, without a gap.
"""

from collections.abc import Callable

import anyio

from bargein.audio.ambience import BackgroundCursor, BackgroundLoop
from bargein.audio.audible import AudibleTrack
from bargein.audio.ducking import Ducking
from bargein.audio.playout import FRAME_MS, Playout
from bargein.clock import Clock, Timer
from bargein.ports import Leg, Pcm16
from bargein.turns.commands import Duck, Play, StopPlayback, Unduck
from bargein.turns.events import Event, Played

LEAD_MS = 40
"""How far audio is sent ahead of playout on a leg that cannot be cleared."""
CLEARABLE_LEAD_MS = 200
"""How far on a leg that can be cleared."""

CLEARABLE_AT_ONCE_MS = 100
"""How much is sent at once on a leg that can be cleared."""

BACKGROUND_AHEAD_MS = 10
"""A frame of the background is sent when the far end has less than this to play, so that a reply that begins waits for
10 to 30 ms of background at most."""

_TIMER_MS = 1
"""A timer may fire this much early."""

_REPORT_MS = 200
_MOST_MARK_DIGITS = 15
AHEAD_MS = 4000
"""The next sentence is not synthesized while so much audio waits: an interruption would waste the work."""
LONGEST_AHEAD_MS = 60_000
"""Most audio that may wait: a sentence is queued as fast as it is synthesized, since its length places its words."""


class AudioOutput:
    """The player of one reply at a time.

    Audio that is queued under another turn id than the open one is dropped, so that a voice that goes on after its
    reply was cut is never heard.

    Args:
        leg: the connection that the audio goes to.
        clock: the clock.
        epoch_ms: the clock's reading when the call began.
        post: receives `Played` events.
        on_sent: receives audio as it is sent, and when it begins to play, in milliseconds of the call.
        on_voice: receives the voice alone and when it begins to play, where there is a background sound under it.
        on_silenced: receives the time, in milliseconds of the call, from which nothing that was sent will play.
    """

    def __init__(
        self,
        leg: Leg,
        clock: Clock,
        epoch_ms: float,
        post: Callable[[Event], None],
        *,
        on_sent: Callable[[bytes, float], None],
        on_voice: Callable[[bytes, float], None] | None = None,
        on_silenced: Callable[[float], None],
    ) -> None:
        self._leg = leg
        self._clock = clock
        self._epoch_ms = epoch_ms
        self._post = post
        self._on_sent = on_sent
        self._on_voice = on_voice
        self._on_silenced = on_silenced
        self._turn_id: str | None = None
        self._playout: Playout | None = None
        self._audible = AudibleTrack(leg.rate_hz)
        self._playing = False
        self._ducking = Ducking(leg.rate_hz)
        self._timer: Timer | None = None
        self._reported_ms = 0.0
        self._opened = 0
        self._drained = anyio.Event()
        self._background: BackgroundCursor | None = None
        self._background_timer: Timer | None = None
        self._free_ms = 0.0
        self._closed = False

    def set_background(self, loop: BackgroundLoop | None) -> None:
        """Play a background sound at the leg's rate from here on; None: none."""
        self._background = None if loop is None else loop.cursor()
        if not self._closed:
            self._fill()

    def open(self, turn_id: str) -> None:
        """Open a reply; its audio is held until `play`."""
        self._drop()
        self._ducking.reset()
        self._turn_id = turn_id
        self._audible = AudibleTrack(self._leg.rate_hz)
        self._opened += 1
        bytes_per_second = self._leg.rate_hz * self._leg.bytes_per_sample
        lead_ms, at_once_ms = (CLEARABLE_LEAD_MS, CLEARABLE_AT_ONCE_MS) if self._leg.can_clear else (LEAD_MS, FRAME_MS)
        self._playout = Playout(bytes_per_second, lead_ms, at_once_ms=at_once_ms, marked=self._leg.has_marks)

    def queue(self, turn_id: str, pcm: Pcm16) -> bool:
        """Queue speech of a reply, at the leg's rate; return False if that reply is over."""
        if turn_id != self._turn_id or self._playout is None:
            return False
        self._playout.queue(self._leg.encode(pcm))
        self._audible.add(pcm)
        self._pump()
        return True

    def complete(self, turn_id: str) -> None:
        """Mark the reply as complete: all of its speech is queued."""
        if turn_id == self._turn_id and self._playout is not None:
            self._playout.complete()
            self._pump()

    async def wait_until_below(self, turn_id: str, ahead_ms: int) -> None:
        """Wait until at most `ahead_ms` of this reply waits to be played; return at once for one that is over."""
        while turn_id == self._turn_id and self._playout is not None and self._playout.waiting_ms > ahead_ms:
            self._drained = anyio.Event()
            await self._drained.wait()

    def perform(self, command: Play | Duck | Unduck | StopPlayback) -> None:
        """Carry out a command about the open reply; ignore one about any other."""
        match command:
            case Play(turn_id):
                self.play(turn_id)
            case StopPlayback(turn_id):
                self.stop(turn_id)
            case Duck(turn_id) if turn_id == self._turn_id:
                self._ducking.duck()
            case Unduck(turn_id) if turn_id == self._turn_id:
                self._ducking.unduck()
            case _:
                pass

    def play(self, turn_id: str) -> None:
        """Start the playout of the reply."""
        if turn_id == self._turn_id:
            self._playing = True
            self._reported_ms = self._clock.monotonic_ms()
            self._pump()

    def stop(self, turn_id: str) -> None:
        """Stop the reply: drop its audio here and, where possible, at the far end."""
        if turn_id == self._turn_id:
            self._drop()
            self._leg.clear()
            if self._leg.can_clear:  # audio that was sent to any other leg will be heard
                self._free_ms = self._clock.monotonic_ms()
                self._on_silenced(self._free_ms - self._epoch_ms)
            self._fill()

    def mark_reached(self, mark: str) -> bool:
        """Handle a mark that the far end has reached; return False for one of another reply (`clear` returns those)."""
        opened, _, place = mark.partition("-")
        if self._playout is None or opened != str(self._opened) or not (place.isascii() and place.isdecimal()):
            return False
        if not self._playout.reach_mark(int(place[:_MOST_MARK_DIGITS]), self._clock.monotonic_ms()):
            return False
        if not self._playout.waiting_ms:
            self._pump()  # this may be the last mark of the reply; while there is more to send, a timer calls `_pump`
        return True

    def close(self) -> None:
        """Stop whatever plays: the call is over."""
        self._closed = True
        self._drop()
        if self._background_timer is not None:
            self._background_timer.cancel()
            self._background_timer = None

    def played(self, at_ms: int) -> Played | None:
        """Return how much of the reply that plays has been heard by now; None if none plays."""
        if not self._playing or self._playout is None or self._turn_id is None:
            return None
        now_ms = self._clock.monotonic_ms()
        position_ms = int(self._playout.position_ms(now_ms))
        drained, heard_ms = self._playout.drained(now_ms), self._audible.heard_ms(position_ms)
        return Played(at_ms, self._turn_id, position_ms, drained, heard_ms)

    def _drop(self) -> None:
        self._turn_id = None
        self._playout = None
        self._playing = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drained.set()

    def _pump(self) -> None:
        """Send the frames that are due, and set a timer for the next ones."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        playout = self._playout
        if playout is None or not self._playing:
            return
        now_ms = self._clock.monotonic_ms()
        self._send_due(playout, now_ms)
        self._drained.set()
        drained = playout.drained(now_ms)
        # The timer is set before the event is posted, since the engine may stop this very reply.
        next_ms = playout.next_ms(now_ms)
        if next_ms is not None:
            self._timer = self._clock.call_at(next_ms, self._pump)
        if drained or now_ms - self._reported_ms >= _REPORT_MS:
            self._reported_ms = now_ms
            event = self.played(int(now_ms - self._epoch_ms))
            if event is not None:
                self._post(event)

    def _send_due(self, playout: Playout, now_ms: float) -> None:
        """Send the frames of a reply that are due, with the background under them."""
        background, leg = self._background, self._leg
        free_ms = 0.0 if background is None else self._free_ms
        frames, voices, sounds_ms = list[bytes](), list[bytes](), 0.0
        while (frame := playout.next_frame(now_ms, free_ms)) is not None:
            frame = frame if self._ducking.idle else leg.encode(self._ducking.apply(leg.decode(frame)))
            sounds_ms = sounds_ms if frames else playout.sounds_ms
            if background is not None:
                voices.append(frame)
                frame = leg.encode(background.mixed(leg.decode(frame)))
            leg.send_audio(frame)
            if (place := playout.next_mark()) is not None:
                leg.mark(f"{self._opened}-{place}")
            frames.append(frame)
        if not frames:
            return
        audio = b"".join(frames)  # they play without a gap between them
        self._free_ms = sounds_ms + len(audio) * 1000 / (leg.bytes_per_sample * leg.rate_hz)
        self._on_sent(audio, sounds_ms - self._epoch_ms)
        if voices and self._on_voice is not None:
            self._on_voice(b"".join(voices), sounds_ms - self._epoch_ms)

    def _fill(self) -> None:
        """Send background where no reply is due, and set a timer for the next frame of it."""
        if self._background_timer is not None:
            self._background_timer.cancel()
            self._background_timer = None
        if self._background is None or self._closed:
            return
        self._pump()  # a reply goes first; it may end the call, or have this called again
        if self._closed or self._background_timer is not None:
            return
        now_ms = self._clock.monotonic_ms()
        samples = self._leg.rate_hz * FRAME_MS // 1000
        if self._free_ms - now_ms <= BACKGROUND_AHEAD_MS + _TIMER_MS:
            sounds_ms = max(now_ms, self._free_ms)
            frame = self._leg.encode(self._background.take(samples))
            self._leg.send_audio(frame)
            self._free_ms = sounds_ms + samples * 1000 / self._leg.rate_hz
            self._on_sent(frame, sounds_ms - self._epoch_ms)
        self._background_timer = self._clock.call_at(self._free_ms - BACKGROUND_AHEAD_MS, self._fill)
