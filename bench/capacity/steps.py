"""What a step of the capacity benchmark found, and whether the server held."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.capacity.caller import Caller

LOAD_LATE_MS = 10.0
"""If the load's own frames are later than this (p99), it was the load that was measured."""

BUSY_SHARE = 0.10
"""If others used more than this share of the server's core, it was their doing, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a step counts as held.

    Attributes:
        slower_ms: how much later than a single call's the p95 of onset to silence may be.
        late_share: which share of the assistant's frames may keep a caller waiting in mid-speech; one always may, for
            in a short step a single stall of a shared machine would be more than any share.
    """

    slower_ms: float = 50.0
    late_share: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The figures of one number of calls. Times are from the onset of a caller's voice, in ms.

    Attributes:
        calls: how many were asked for.
        held: how many of them stood to the end, missed nothing and had no more late frames than allowed, or one.
        seconds: how long was measured.
        cpu: cores used by the server; 1 is the whole of its core.
        rss_mb: the server's memory at the end.
        rss_mb_per_call: what a call added to the idle server's memory.
        interruptions: how many were tried.
        missed: how many of them were not told, or did not silence the assistant within two seconds.
        unprompted: `user-interrupted` that no clip explains (a clip's second half that cut the next answer).
        stalls: how often the assistant did not answer for eight seconds.
        silence_p50_ms: onset to the end of the last assistant audio received, played back to back.
        message_p50_ms: onset to `user-interrupted`.
        frames: pieces of assistant audio received.
        late_frames: those that kept a caller waiting in mid-speech for more than 20 ms.
        worst_late_ms: the longest such wait.
        load_late_p99_ms: how late the load's own frames were.
        others_cpu: what other processes used of the server's core; None where that is not known.
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
        """Why the figures say nothing about the server, if so."""
        if self.load_late_p99_ms > LOAD_LATE_MS:
            return f"the load itself was late (p99 {self.load_late_p99_ms:.0f} ms): the figures are void"
        return None

    @property
    def disturbed(self) -> bool:
        """Whether other processes took part of the server's core."""
        return self.others_cpu is not None and self.others_cpu > BUSY_SHARE

    def failing(self, single_p95_ms: float | None, limits: Limits) -> str | None:
        """What the server did not hold, if so."""
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
        """Which share of the assistant's frames was late; all of none, for then nothing was heard."""
        return self.late_frames / self.frames if self.frames else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the system says of one step: see `Step`."""

    seconds: float
    cpu: float
    rss_mb: float
    rss_mb_idle: float
    load_late_p99_ms: float
    others_cpu: float | None


def measure(callers: Sequence[Caller], calls: int, machine: Machine, limits: Limits) -> Step:
    """Put together what the callers and the system saw."""
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
