"""What the caller heard of one call, and what that says about a scene.

Pure: times come in, milliseconds of one clock.
"""

from dataclasses import dataclass, field

from bench.interruption.scenes import Scene

HIT_MS = 2_000
"""A stop within this time of the onset counts for a true interruption."""

FALSE_AFTER_MS = 1_000
"""And within this time of a sound's end against what is none."""

EARLY_MS = 250
"""A stop this long before the onset has another reason."""

PAUSE_MS = 200
"""A longer pause of the assistant's is heard as a stop, also where it goes on afterwards."""

LATE_MS = 25.0
"""A caller whose frames are later than this is not in real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a scene. Times are milliseconds from the onset of the clip's energy.

    Attributes:
        scene: it.
        stop_ms: the end of the last assistant audio that would still be heard; None: it went on.
        message_ms: when `user-interrupted` arrived; None: it did not.
        early: it stopped, or said so, before the onset: the trial counts as a false stop.
        over_speech: the assistant was talking at the onset; else the trial is void.
        exposed_ms: for how long the assistant talked while something could stop it.
        late_ms: the worst delay of our own frames: the trial was not in real time if it is much.
        gap_ms: how long it was silent where it stopped and spoke again; None: it did not, or not while it was watched.
        resumed_ms: when it spoke again, from the end of the clip's sound on (0: before that).
        skipped_words: of the answer, where it went on after a false stop: what was never heard (negative: heard twice);
            None: it did not go on, or nobody knows.
        dry_ms: how long its playback had run dry in mid-speech before the onset: the server was not in real time.
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
        """Whether it says nothing about the server."""
        return not self.over_speech or self.late_ms > LATE_MS

    @property
    def stopped(self) -> bool:
        """Whether the assistant stopped, or paused so that it was heard."""
        return self.early or self.stop_ms is not None or self.message_ms is not None


def hit(outcome: Outcome) -> bool:
    """Whether a true interruption was yielded to in time."""
    return not outcome.early and outcome.stop_ms is not None and outcome.stop_ms <= HIT_MS


def false_stop(outcome: Outcome) -> bool:
    """Whether the assistant stopped, or paused audibly, for what was no interruption."""
    if outcome.early:
        return True
    span_ms = outcome.scene.offset_ms - outcome.scene.onset_ms + FALSE_AFTER_MS
    if outcome.scene.part == "listening":
        span_ms = max(FALSE_AFTER_MS, span_ms)
    return any(at_ms is not None and at_ms <= span_ms for at_ms in (outcome.stop_ms, outcome.message_ms))


@dataclass(slots=True)
class Hearing:
    """A client that plays what it gets back to back, beginning on arrival, and never drops any of it.

    Attributes:
        stretches: begin and end of the speech that was heard, pauses of `PAUSE_MS` and more between them; the newest
            end may still be ahead.
        messages_ms: when each `user-interrupted` came.
        end_ms: when all that was received will have been played.
        dry: when its playback ran dry in mid-speech, and for how long.
    """

    stretches: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    messages_ms: list[float] = field(default_factory=list[float])
    end_ms: float = float("-inf")
    dry: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    _loud_to_end: bool = False

    def audio(self, duration_ms: float, at_ms: float, audible_ms: float) -> float:
        """Take audio that arrived at `at_ms` and has sound in its first `audible_ms`; gives when it begins to play."""
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
        """When the speech began that sounds now; None: silence."""
        if not self.stretches or self.stretches[-1][1] + PAUSE_MS < now_ms:
            return None
        return self.stretches[-1][0]

    def stretch_at(self, at_ms: float) -> tuple[float, float] | None:
        """The speech that sounds at a time, or that ended so shortly before that nobody would call it silence."""
        return next(((s, e) for s, e in self.stretches if s <= at_ms <= e + PAUSE_MS), None)

    def stop_after(self, at_ms: float, now_ms: float) -> float | None:
        """When the speech that sounded at a time fell silent, as far as that is certain at `now_ms`."""
        sounding = self.stretch_at(at_ms)
        return sounding[1] if sounding is not None and sounding[1] + PAUSE_MS <= now_ms else None

    def heard_ms(self, from_ms: float, until_ms: float) -> float:
        """How much speech was heard in a span."""
        return sum(max(0.0, min(end, until_ms) - max(begin, from_ms)) for begin, end in self.stretches)

    def outcome(self, scene: Scene, begin_ms: float, until_ms: float, late_ms: float) -> Outcome:
        """What came of a scene whose clip began at `begin_ms` and that was watched until `until_ms`."""
        onset_ms = begin_ms + scene.onset_ms
        offset_ms = max(begin_ms + scene.offset_ms, onset_ms)
        sounding, before = self.stretch_at(onset_ms), self.stretch_at(begin_ms)
        told = [at_ms for at_ms in self.messages_ms if begin_ms <= at_ms <= until_ms]
        early = any(at_ms < onset_ms - EARLY_MS for at_ms in told)
        early |= before is not None and before[1] < onset_ms - max(EARLY_MS, PAUSE_MS)
        message_ms = next((at_ms for at_ms in told if at_ms >= onset_ms - EARLY_MS), None)
        stop_ms = self.stop_after(onset_ms, until_ms)
        if stop_ms is not None and message_ms is not None and 0 < message_ms - stop_ms < PAUSE_MS:
            stop_ms = message_ms  # it was cut in a pause between two words: the cut counts, not the luck
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
