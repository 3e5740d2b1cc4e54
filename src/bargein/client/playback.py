"""A model of a client's playback, and the time until it falls silent after an interruption.

Pure: all times are arguments, in milliseconds of one monotonic clock. A client plays received audio back to back,
beginning when it arrives; so speech ends not when its last frame arrives but when everything queued has been played:

    arrival   |1|2|3                 (faster than real time)
    playback  |111|222|333|          speech ends here
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bargein.audio.pcm import Int16Array

AUDIBLE_PEAK = 60
"""Samples above this (of 32768) are audible: -55 dBFS. Dither and comfort noise are below."""

PAUSE_MS = 300
"""Silence that ends a segment of speech; pauses between words and sentences of one answer are shorter."""

CUT_PAUSE_MS = 100
"""Silence that ends a segment after a `user-interrupted`: later audio is the next answer."""


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """Audible audio, as played, without a pause of `PAUSE_MS` (after an interruption: `CUT_PAUSE_MS`)."""

    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class QueuedAudio:
    """The playback time of a received piece of audio.

    Attributes:
        start_ms: time at which its playback begins.
        late_ms: length of the gap before it, if the queue ran dry after audible audio; else 0.
    """

    start_ms: float
    late_ms: float


class PlaybackModel:
    """A client's playback queue.

    Args:
        flush: True if the client drops its queue on `user-interrupted`, as bargein's page does. Vapi's own WebSocket
            clients do not: they play everything they were sent.
    """

    def __init__(self, *, flush: bool) -> None:
        self._flush = flush
        self._end_ms = float("-inf")
        self._contiguous = False
        self._pause_ms = PAUSE_MS
        self._audible: list[tuple[float, float]] = []

    def push(self, duration_ms: float, at_ms: float, audible_ms: float | None = None) -> QueuedAudio:
        """Queue audio that arrived at `at_ms`.

        Args:
            duration_ms: its length.
            at_ms: its arrival.
            audible_ms: end of the audible part (0: silence); None if all of it is audible.
        """
        late_ms = at_ms - self._end_ms if self._contiguous and at_ms > self._end_ms else 0.0
        start_ms = max(at_ms, self._end_ms)
        sound_ms = duration_ms if audible_ms is None else audible_ms
        self._end_ms = start_ms + duration_ms
        self._contiguous = sound_ms > 0
        if sound_ms > 0:
            self._add(start_ms, start_ms + sound_ms)
        return QueuedAudio(start_ms, late_ms)

    def on_user_interrupted(self, at_ms: float) -> bool:
        """Handle a `user-interrupted`, and return True if the queue was dropped at `at_ms`."""
        self._contiguous = False
        self._pause_ms = CUT_PAUSE_MS
        if not self._flush or self._end_ms <= at_ms:
            return False
        self._end_ms = at_ms
        self._audible = [(start, min(end, at_ms)) for start, end in self._audible if start < at_ms]
        return True

    @property
    def end_ms(self) -> float:
        """Time at which the queue runs dry; minus infinity before the first audio."""
        return self._end_ms

    @property
    def last(self) -> SpeechSegment | None:
        """The newest segment of speech; its end may be in the future."""
        return SpeechSegment(*self._audible[-1]) if self._audible else None

    @property
    def segments(self) -> list[SpeechSegment]:
        """All segments of speech, oldest first; the end of the last one may be in the future."""
        return [SpeechSegment(start, end) for start, end in self._audible]

    def segment_from(self, at_ms: float) -> SpeechSegment | None:
        """Return the segment that is played at `at_ms`, or the first one after it."""
        return next((SpeechSegment(start, end) for start, end in self._audible if end > at_ms), None)

    def answer_to(self, onset_ms: float, offset_ms: float) -> SpeechSegment | None:
        """Return the newest speech if it answers a caller's voice: it began after that voice did, and outlasts it."""
        last = self.last
        return last if last and last.start_ms > onset_ms and last.end_ms > offset_ms else None

    def is_silent(self, at_ms: float) -> bool:
        """Return True if no speech is played at `at_ms`, and none was for `PAUSE_MS` before."""
        return not self._audible or at_ms >= self._audible[-1][1] + PAUSE_MS

    def _add(self, start_ms: float, end_ms: float) -> None:
        if self._audible and start_ms - self._audible[-1][1] < self._pause_ms:
            self._audible[-1] = (self._audible[-1][0], end_ms)
        else:
            self._audible.append((start_ms, end_ms))
            self._pause_ms = PAUSE_MS


def audible_ms(pcm: Int16Array, rate_hz: int) -> float:
    """Return the end of the last audible sample of `pcm` in ms; 0 for silence."""
    loud = np.flatnonzero((pcm > AUDIBLE_PEAK) | (pcm < -AUDIBLE_PEAK))
    return 0.0 if loud.size == 0 else (int(loud[-1]) + 1) * 1000 / rate_hz


@dataclass(slots=True, kw_only=True)
class Interruption:
    """One attempt of the caller to interrupt the assistant. Times are milliseconds of one clock.

    Attributes:
        onset_ms: beginning of the caller's voice, by the clip's energy.
        deadline_ms: the latest time at which a reaction counts.
        over_speech: True if the assistant was speaking then; known when the interruption is closed.
        playing: True if audio was being played when `user-interrupted` arrived.
        turn_id: the `turnId` of the message, if it had one.
        message_ms: arrival of `user-interrupted`; None if none arrived.
        silence_ms: end of the assistant's audio at a client without a flush; None if it did not fall silent.
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
        """True if no `user-interrupted` arrived."""
        return self.message_ms is None

    def after_onset_ms(self, at_ms: float | None) -> float | None:
        """Return `at_ms` relative to the onset."""
        return None if at_ms is None else at_ms - self.onset_ms


class InterruptionMeter:
    """Measures each interruption of one call from what its client sends and receives.

    Args:
        on_late: called with `late_ms` for each piece of audio before which playback ran dry during speech.

    Attributes:
        unflushed: playback of a client that plays everything it was sent.
        flushed: playback of a client that drops its queue on `user-interrupted`.
        unprompted: number of `user-interrupted` messages without a caller's voice as their cause.
    """

    def __init__(self, on_late: Callable[[float], None] | None = None) -> None:
        self.unflushed = PlaybackModel(flush=False)
        self.flushed = PlaybackModel(flush=True)
        self.unprompted = 0
        self._on_late = on_late
        self._open: Interruption | None = None
        self._done: list[Interruption] = []

    def on_onset(self, at_ms: float, *, within_ms: float) -> Interruption:
        """Open an interruption whose voice begins at `at_ms`, and close the previous one.

        Call it before messages and audio that the onset may have caused.
        """
        self.finish()
        self._open = Interruption(onset_ms=at_ms, deadline_ms=at_ms + within_ms)
        return self._open

    def on_audio(self, duration_ms: float, at_ms: float, audible_ms: float | None = None) -> QueuedAudio:
        """Add received audio (see `PlaybackModel.push`); return its playback time at a client without a flush."""
        self.flushed.push(duration_ms, at_ms, audible_ms)
        queued = self.unflushed.push(duration_ms, at_ms, audible_ms)
        if queued.late_ms > 0 and self._on_late is not None:
            self._on_late(queued.late_ms)
        return queued

    def on_user_interrupted(self, at_ms: float, turn_id: str | None) -> Interruption | None:
        """Handle a `user-interrupted` that arrived at `at_ms`; return the interruption that caused it, if any."""
        playing = self.unflushed.end_ms >= at_ms
        self.flushed.on_user_interrupted(at_ms)
        self.unflushed.on_user_interrupted(at_ms)
        event = self._open
        if event is None or event.message_ms is not None or not event.onset_ms <= at_ms <= event.deadline_ms:
            self.unprompted += event is None or not event.onset_ms <= at_ms <= event.deadline_ms
            return None
        event.message_ms, event.turn_id, event.playing = at_ms, turn_id, playing
        return event

    @property
    def closed(self) -> list[Interruption]:
        """All interruptions but the open one."""
        return list(self._done)

    def finish(self) -> list[Interruption]:
        """Close the open interruption, and return all interruptions."""
        event, self._open = self._open, None
        if event is not None:
            event.silence_ms = _silence_ms(self.unflushed, event)
            event.flushed_silence_ms = _silence_ms(self.flushed, event)
            event.over_speech = event.playing or _speech_at_onset(self.unflushed, event) is not None
            self._done.append(event)
        return self._done


def _speech_at_onset(playback: PlaybackModel, event: Interruption) -> SpeechSegment | None:
    """Return the assistant's speech that was played at the onset."""
    segment = playback.segment_from(event.onset_ms)
    return segment if segment is not None and segment.start_ms <= event.onset_ms else None


def _silence_ms(playback: PlaybackModel, event: Interruption) -> float | None:
    """Return the time at which the speech that was cut ended, if that was before the deadline.

    If the assistant happened to pause between two words when it was cut, its last sound was earlier than the cut; then
    the time of the cut counts.
    """
    speech = _speech_at_onset(playback, event)
    if speech is None and not event.playing:
        return None
    end_ms = event.onset_ms if speech is None else speech.end_ms
    if event.playing and event.message_ms is not None:
        end_ms = max(end_ms, event.message_ms)
    return end_ms if end_ms <= event.deadline_ms else None
