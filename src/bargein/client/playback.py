"""What a caller hears of the audio that a client receives, and how soon it falls silent after an interruption.

Pure: times come in, in milliseconds of one monotonic clock. A client plays what it gets back to back, beginning on
arrival; so the last thing heard is not the last frame's arrival but the end of all that was queued before it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bargein.audio.pcm import Int16Array

AUDIBLE_PEAK = 60
"""A sample this far from zero, of 32768, can be heard: -55 dBFS. Below is dither and comfort noise."""

PAUSE_MS = 300
"""A silence this long ends a stretch of speech; pauses between words and sentences of one answer are shorter."""

CUT_PAUSE_MS = 100
"""After a `user-interrupted` a silence this long is enough: what comes then is the next answer."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Audible audio without a pause of `PAUSE_MS` (or, once interrupted, `CUT_PAUSE_MS`), as heard."""

    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class Queued:
    """Where a piece of received audio came to lie.

    Attributes:
        start_ms: when it begins to sound.
        late_ms: how long the caller had to wait for it in silence, after audible audio had run out; 0 for the first.
    """

    start_ms: float
    late_ms: float


class PlaybackModel:
    """A client's playback queue.

    Args:
        flush: whether the client drops its queue on `user-interrupted`, as bargein's page does. Vapi's own WebSocket
            clients do not: what was sent to them is heard.
    """

    def __init__(self, *, flush: bool) -> None:
        self._flush = flush
        self._end_ms = float("-inf")
        self._contiguous = False
        self._pause_ms = PAUSE_MS
        self._audible: list[tuple[float, float]] = []

    def push(self, duration_ms: float, at_ms: float, audible_ms: float | None = None) -> Queued:
        """Queue audio that arrived at `at_ms`.

        Args:
            duration_ms: its length.
            at_ms: its arrival.
            audible_ms: how far into it there is sound (0: silence); None is to its end.
        """
        late_ms = at_ms - self._end_ms if self._contiguous and at_ms > self._end_ms else 0.0
        start_ms = max(at_ms, self._end_ms)
        heard_ms = duration_ms if audible_ms is None else audible_ms
        self._end_ms = start_ms + duration_ms
        self._contiguous = heard_ms > 0
        if heard_ms > 0:
            self._add(start_ms, start_ms + heard_ms)
        return Queued(start_ms, late_ms)

    def interrupted(self, at_ms: float) -> bool:
        """Take note of a `user-interrupted`; whether the queue was dropped at `at_ms`."""
        self._contiguous = False
        self._pause_ms = CUT_PAUSE_MS
        if not self._flush or self._end_ms <= at_ms:
            return False
        self._end_ms = at_ms
        self._audible = [(start, min(end, at_ms)) for start, end in self._audible if start < at_ms]
        return True

    @property
    def end_ms(self) -> float:
        """When the queue runs dry; minus infinity before the first audio."""
        return self._end_ms

    @property
    def last(self) -> Stretch | None:
        """The newest stretch of speech, its end perhaps still ahead."""
        return Stretch(*self._audible[-1]) if self._audible else None

    def stretch_from(self, at_ms: float) -> Stretch | None:
        """The stretch that sounds at `at_ms`, or the first one after it."""
        return next((Stretch(start, end) for start, end in self._audible if end > at_ms), None)

    def _add(self, start_ms: float, end_ms: float) -> None:
        if self._audible and start_ms - self._audible[-1][1] < self._pause_ms:
            self._audible[-1] = (self._audible[-1][0], end_ms)
        else:
            self._audible.append((start_ms, end_ms))
            self._pause_ms = PAUSE_MS


def audible_ms(pcm: Int16Array, rate_hz: int) -> float:
    """How far into `pcm` there is sound: the end of the last sample that can be heard, 0 for silence."""
    loud = np.flatnonzero((pcm > AUDIBLE_PEAK) | (pcm < -AUDIBLE_PEAK))
    return 0.0 if loud.size == 0 else (int(loud[-1]) + 1) * 1000 / rate_hz


@dataclass(slots=True, kw_only=True)
class Interruption:
    """One time that a caller spoke over the assistant. Times are milliseconds of the one clock.

    Attributes:
        onset_ms: when the caller's voice began (energy in the clip, not a detector's opinion).
        deadline_ms: the latest moment at which an answer to it counts.
        over_speech: whether the assistant was speaking then; known once the interruption is closed.
        playing: whether its audio was still being played when `user-interrupted` arrived.
        turn_id: the turn that was cut, where the message named one.
        message_ms: when `user-interrupted` arrived; None: it did not.
        silence_ms: end of the last assistant audio that a client without a flush plays; None: it did not fall silent.
        flushed_silence_ms: the same for a client that drops its queue on `user-interrupted`.
    """

    onset_ms: float
    deadline_ms: float
    over_speech: bool = False
    playing: bool = False
    turn_id: str | None = None
    message_ms: float | None = None
    silence_ms: float | None = None
    flushed_silence_ms: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the assistant was talked over and gave no sign."""
        return self.message_ms is None

    def after_onset_ms(self, at_ms: float | None) -> float | None:
        """`at_ms` counted from the onset."""
        return None if at_ms is None else at_ms - self.onset_ms


class InterruptionMeter:
    """Measures each interruption of one call from what its client sends and gets.

    Args:
        on_late: called with `late_ms` for each piece of audio that came after the playback had run dry in mid-speech.
    """

    def __init__(self, on_late: Callable[[float], None] | None = None) -> None:
        self.unflushed = PlaybackModel(flush=False)
        """What a client hears that plays everything it was sent."""
        self.flushed = PlaybackModel(flush=True)
        """What a client hears that drops its queue on `user-interrupted`."""
        self.unprompted = 0
        """How many `user-interrupted` came with no caller's voice to explain them."""
        self._on_late = on_late
        self._open: Interruption | None = None
        self._done: list[Interruption] = []

    def onset(self, at_ms: float, *, within_ms: float) -> Interruption:
        """The caller's voice begins at `at_ms`; the one before is closed.

        Call it before anything that the onset may have caused is taken.
        """
        self.finish()
        self._open = Interruption(onset_ms=at_ms, deadline_ms=at_ms + within_ms)
        return self._open

    def audio(self, duration_ms: float, at_ms: float, audible_ms: float | None = None) -> Queued:
        """Take received audio; see `PlaybackModel.push`. Returns where a client without a flush plays it."""
        self.flushed.push(duration_ms, at_ms, audible_ms)
        queued = self.unflushed.push(duration_ms, at_ms, audible_ms)
        if queued.late_ms > 0 and self._on_late is not None:
            self._on_late(queued.late_ms)
        return queued

    def interrupted(self, at_ms: float, turn_id: str | None) -> Interruption | None:
        """Take a `user-interrupted` that arrived at `at_ms`; the interruption it answers, if there is one."""
        playing = self.unflushed.end_ms >= at_ms
        self.flushed.interrupted(at_ms)
        self.unflushed.interrupted(at_ms)
        event = self._open
        if event is None or event.message_ms is not None or not event.onset_ms <= at_ms <= event.deadline_ms:
            self.unprompted += event is None or not event.onset_ms <= at_ms <= event.deadline_ms
            return None
        event.message_ms, event.turn_id, event.playing = at_ms, turn_id, playing
        return event

    def finish(self) -> list[Interruption]:
        """Close the interruption that is open, and give all of them."""
        event, self._open = self._open, None
        if event is not None:
            event.silence_ms = _silence(self.unflushed, event)
            event.flushed_silence_ms = _silence(self.flushed, event)
            event.over_speech = event.playing or _sounding(self.unflushed, event) is not None
            self._done.append(event)
        return self._done


def _sounding(playback: PlaybackModel, event: Interruption) -> Stretch | None:
    """The speech that sounded at the onset."""
    stretch = playback.stretch_from(event.onset_ms)
    return stretch if stretch is not None and stretch.start_ms <= event.onset_ms else None


def _silence(playback: PlaybackModel, event: Interruption) -> float | None:
    """When the caller heard the last of the speech that was cut, if that was in time.

    Where the assistant happened to pause between two words when it was cut, the last sound was earlier than the cut:
    then the cut counts, not the luck.
    """
    sounding = _sounding(playback, event)
    if sounding is None and not event.playing:
        return None
    end_ms = event.onset_ms if sounding is None else sounding.end_ms
    if event.playing and event.message_ms is not None:
        end_ms = max(end_ms, event.message_ms)
    return end_ms if end_ms <= event.deadline_ms else None
