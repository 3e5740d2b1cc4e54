"""The assistant's speech as a caller hears it, and the outcome of a scene that follows from it.

This module is pure: times are arguments, in milliseconds of one clock.
"""

from dataclasses import dataclass, field

from bench.interruption.scenes import Scene

HIT_MS = 2_000
"""A true interruption counts as stopped within this time of the onset."""

FALSE_AFTER_MS = 1_000
"""A false one counts as a stop until this long after the end of the sound."""

EARLY_MS = 250
"""A stop that is this much before the onset has another cause."""

PAUSE_MS = 200
"""A longer pause of the assistant is heard as a stop, even if it continues afterwards."""

LATE_MS = 25.0
"""If the caller's frames are later than this, the call is not in real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a scene. Times are milliseconds from the onset of the clip's energy.

    Attributes:
        scene: the scene.
        stop_ms: end of the last assistant audio that the caller heard; None: it did not stop.
        message_ms: arrival of `user-interrupted`; None: it did not arrive.
        early: whether it stopped, or sent the message, before the onset: the trial counts as a false stop.
        over_speech: whether the assistant was speaking at the onset; otherwise the trial is void.
        exposed_ms: how long the assistant spoke while the scene could stop it.
        late_ms: largest delay of the caller's own frames: a trial with a large one was not in real time.
        gap_ms: length of the silence between a stop and the next speech; None: it did not stop, or did not continue
            while it was observed.
        resumed_ms: when it spoke again, from the end of the clip's sound (0: before that).
        skipped_words: words of the answer that were not heard when it continued after a false stop (negative: heard
            twice); None: it did not continue, or this is not known.
        dry_ms: how long its playback had run dry in the middle of speech before the onset: then the server was not in
            real time.
    """

    scene: Scene
    stop_ms: float | None = None
    message_ms: float | None = None
    early: bool = False
    over_speech: bool = False
    exposed_ms: float = 0.0
    late_ms: float = 0.0
    gap_ms: float | None = None
    resumed_ms: float | None = None
    skipped_words: float | None = None
    dry_ms: float = 0.0

    @property
    def void(self) -> bool:
        """True if the trial says nothing about the server."""
        return not self.over_speech or self.late_ms > LATE_MS

    @property
    def stopped(self) -> bool:
        """True if the assistant stopped, or paused audibly."""
        return self.early or self.stop_ms is not None or self.message_ms is not None


def hit(outcome: Outcome) -> bool:
    """Return whether the assistant stopped in time for a true interruption."""
    return not outcome.early and outcome.stop_ms is not None and outcome.stop_ms <= HIT_MS


def false_stop(outcome: Outcome) -> bool:
    """Return whether the assistant stopped, or paused audibly, for a false interruption."""
    if outcome.early:
        return True
    span_ms = outcome.scene.offset_ms - outcome.scene.onset_ms + FALSE_AFTER_MS
    if outcome.scene.part == "listening":
        span_ms = max(FALSE_AFTER_MS, span_ms)
    return any(at_ms is not None and at_ms <= span_ms for at_ms in (outcome.stop_ms, outcome.message_ms))


@dataclass(slots=True)
class Playback:
    """A client's playback of received audio: without gaps, from its arrival on, and nothing is dropped.

    Attributes:
        stretches: start and end of each stretch of speech, separated by pauses of `PAUSE_MS` or more; the last end may
            be in the future.
        messages_ms: arrival of each `user-interrupted`.
        end_ms: end of the playback of all that was received.
        dry: times at which the playback ran dry in the middle of speech, and for how long.
    """

    stretches: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    messages_ms: list[float] = field(default_factory=list[float])
    end_ms: float = float("-inf")
    dry: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    _loud_to_end: bool = False

    def audio(self, duration_ms: float, at_ms: float, audible_ms: float) -> float:
        """Add audio that arrived at `at_ms` and is audible in its first `audible_ms`; return when it begins to play."""
        start_ms = max(at_ms, self.end_ms)
        if self._loud_to_end and 0 < at_ms - self.end_ms < PAUSE_MS:
            self.dry.append((self.end_ms, at_ms - self.end_ms))
        self.end_ms = start_ms + duration_ms
        self._loud_to_end = audible_ms > 0
        if audible_ms > 0:
            end_ms = start_ms + audible_ms
            if self.stretches and start_ms - self.stretches[-1][1] < PAUSE_MS:
                self.stretches[-1] = (self.stretches[-1][0], end_ms)
            else:
                self.stretches.append((start_ms, end_ms))
        return start_ms

    def speaks_since(self, now_ms: float) -> float | None:
        """Return the start of the current speech; None during silence."""
        if not self.stretches or self.stretches[-1][1] + PAUSE_MS < now_ms:
            return None
        return self.stretches[-1][0]

    def stretch_at(self, at_ms: float) -> tuple[float, float] | None:
        """Return the speech at a time, or that ended so shortly before it that the pause is not audible."""
        return next(((s, e) for s, e in self.stretches if s <= at_ms <= e + PAUSE_MS), None)

    def stop_after(self, at_ms: float, now_ms: float) -> float | None:
        """Return when the speech at a time ended, as far as that is certain at `now_ms`."""
        sounding = self.stretch_at(at_ms)
        return sounding[1] if sounding is not None and sounding[1] + PAUSE_MS <= now_ms else None

    def heard_ms(self, from_ms: float, until_ms: float) -> float:
        """Return the amount of speech in a span."""
        return sum(max(0.0, min(end, until_ms) - max(begin, from_ms)) for begin, end in self.stretches)

    def outcome(self, scene: Scene, begin_ms: float, until_ms: float, late_ms: float) -> Outcome:
        """Return the outcome of a scene whose clip began at `begin_ms` and that was observed until `until_ms`."""
        onset_ms = begin_ms + scene.onset_ms
        offset_ms = max(begin_ms + scene.offset_ms, onset_ms)
        sounding, before = self.stretch_at(onset_ms), self.stretch_at(begin_ms)
        messages_ms = [at_ms for at_ms in self.messages_ms if begin_ms <= at_ms <= until_ms]
        early = any(at_ms < onset_ms - EARLY_MS for at_ms in messages_ms)
        early |= before is not None and before[1] < onset_ms - max(EARLY_MS, PAUSE_MS)
        message_ms = next((at_ms for at_ms in messages_ms if at_ms >= onset_ms - EARLY_MS), None)
        stop_ms = self.stop_after(onset_ms, until_ms)
        if stop_ms is not None and message_ms is not None and 0 < message_ms - stop_ms < PAUSE_MS:
            stop_ms = message_ms  # the cut fell into a pause between two words: the time of the cut counts
        again_ms = None if stop_ms is None else next((s for s, _ in self.stretches if s > stop_ms), None)
        gap_ms = resumed_ms = None
        if stop_ms is not None and again_ms is not None and again_ms <= until_ms:
            gap_ms, resumed_ms = again_ms - stop_ms, max(0.0, again_ms - offset_ms)
        heard_until_ms = onset_ms if sounding is None else min(sounding[1], offset_ms + FALSE_AFTER_MS)
        return Outcome(
            scene=scene,
            stop_ms=None if stop_ms is None else stop_ms - onset_ms,
            message_ms=None if message_ms is None else message_ms - onset_ms,
            early=early,
            over_speech=sounding is not None or early,
            exposed_ms=max(0.0, heard_until_ms - onset_ms),
            late_ms=late_ms,
            gap_ms=gap_ms,
            resumed_ms=resumed_ms,
            dry_ms=sum(ms for at_ms, ms in self.dry if begin_ms - 2_000 <= at_ms < onset_ms),
        )
