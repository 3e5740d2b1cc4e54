"""The result of a step of the capacity benchmark, and whether the server held its calls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.capacity.caller import Caller

LOAD_LATE_MS = 10.0
"""If the load's own frames are later than this (p99), the measurement shows the load and not the server."""

BUSY_SHARE = 0.10
"""If other processes used more than this share of the server's core, they disturbed the measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits within which a step counts as held.

    Attributes:
        slower_ms: allowed distance of the p95 of onset to silence above that of a single call.
        late_share: allowed share of the assistant's frames that are late in the middle of speech. One late frame is
            always allowed: in a short step a single stall of a shared machine would exceed any share.
    """

    slower_ms: float = 50.0
    late_share: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The figures of one number of calls. Times are from the onset of a caller's voice, in ms.

    Attributes:
        calls: number of calls that were asked for.
        held: number of calls that lasted to the end, missed no interruption and had at most the allowed share of late
            frames, or one of them.
        seconds: duration of the measurement.
        cpu: cores used by the server; 1 is its whole core.
        rss_mb: the server's memory at the end.
        rss_mb_per_call: memory that a call added to that of the idle server.
        interruptions: number of interruptions.
        missed: number of interruptions without `user-interrupted`, or after which the assistant was not silent within 2
            s.
        unprompted: number of `user-interrupted` that no clip explains (a clip's second half that cut the next answer).
        stalls: number of times that the assistant did not answer within eight seconds.
        silence_p50_ms: onset to the end of the last assistant audio received, played without gaps.
        message_p50_ms: onset to `user-interrupted`.
        frames: pieces of assistant audio received.
        late_frames: pieces for which a caller waited for more than 20 ms in the middle of speech.
        worst_late_ms: the longest such wait.
        load_late_p99_ms: delay of the load's own frames.
        others_cpu: cores that other processes used of the server's core; None where that is not known.
    """

    calls: int
    held: int
    seconds: float
    cpu: float
    rss_mb: float
    rss_mb_per_call: float
    interruptions: int
    missed: int
    unprompted: int
    stalls: int
    silence_p50_ms: float | None
    silence_p95_ms: float | None
    silence_p99_ms: float | None
    message_p50_ms: float | None
    message_p95_ms: float | None
    frames: int
    late_frames: int
    worst_late_ms: float
    load_late_p99_ms: float
    others_cpu: float | None

    @property
    def void(self) -> str | None:
        """The reason why the figures say nothing about the server; None if they do."""
        if self.load_late_p99_ms > LOAD_LATE_MS:
            return f"the load itself was late (p99 {self.load_late_p99_ms:.0f} ms): the figures are void"
        return None

    @property
    def disturbed(self) -> bool:
        """True if other processes took part of the server's core."""
        return self.others_cpu is not None and self.others_cpu > BUSY_SHARE

    def failing(self, single_p95_ms: float | None, limits: Limits) -> str | None:
        """Return what the server did not hold; None if it held all."""
        if self.missed:
            return f"{self.missed} of {self.interruptions} interruptions were missed"
        if self.stalls:
            return f"the assistant did not answer {self.stalls} times"
        if self.late_frames > max(1, limits.late_share * self.frames):
            return f"{self.late_frames} of {self.frames} frames were late, the worst by {self.worst_late_ms:.0f} ms"
        if self.held < self.calls:
            return f"{self.calls - self.held} of {self.calls} calls did not hold"
        if self.silence_p95_ms is None:
            return "no interruption was measured"
        if single_p95_ms is not None and self.silence_p95_ms > single_p95_ms + limits.slower_ms:
            return f"p95 is {self.silence_p95_ms - single_p95_ms:.0f} ms above a single call's"
        return None

    @property
    def late_share(self) -> float:
        """Share of the assistant's frames that were late; 1 if there were none, because then nothing was received."""
        return self.late_frames / self.frames if self.frames else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The system's measurements of a step; `Step` describes the fields."""

    seconds: float
    cpu: float
    rss_mb: float
    rss_mb_idle: float
    load_late_p99_ms: float
    others_cpu: float | None


def measure(callers: Sequence[Caller], calls: int, machine: Machine, limits: Limits) -> Step:
    """Combine the callers' and the system's measurements of a step."""
    silences: list[float] = []
    messages: list[float] = []
    tried = missed = held = 0
    for caller in callers:
        events = caller.interruptions()
        lost = [event for event in events if event.missed or event.silence_ms is None]
        silences += [event.silence_ms - event.onset_ms for event in events if event.silence_ms is not None]
        messages += [event.message_ms - event.onset_ms for event in events if event.message_ms is not None]
        tried, missed = tried + len(events), missed + len(lost)
        smooth = caller.heard.late_frames <= max(1, limits.late_share * caller.heard.frames)
        held += caller.alive and not lost and not caller.stalls and smooth
    return Step(
        calls=calls,
        held=held,
        seconds=machine.seconds,
        cpu=machine.cpu,
        rss_mb=machine.rss_mb,
        rss_mb_per_call=(machine.rss_mb - machine.rss_mb_idle) / calls,
        interruptions=tried,
        missed=missed,
        unprompted=sum(caller.unprompted for caller in callers),
        stalls=sum(caller.stalls for caller in callers),
        silence_p50_ms=_percentile(silences, 50),
        silence_p95_ms=_percentile(silences, 95),
        silence_p99_ms=_percentile(silences, 99),
        message_p50_ms=_percentile(messages, 50),
        message_p95_ms=_percentile(messages, 95),
        frames=sum(caller.heard.frames for caller in callers),
        late_frames=sum(caller.heard.late_frames for caller in callers),
        worst_late_ms=max((caller.heard.worst_late_ms for caller in callers), default=0.0),
        load_late_p99_ms=machine.load_late_p99_ms,
        others_cpu=machine.others_cpu,
    )


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
