"""The figures of one adapter, their goals, and the table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

Part = Literal["transcriber", "model", "voice"]

FIRST_GOAL_MS = {"transcriber": 2.0, "model": 5.0, "voice": 5.0}
"""Goals for the median time to a partial transcript, the first token and the first audio."""
CUT_GOAL_MS = 5.0
"""Goal for the median time until the vendor knows of a cut."""
CPU_GOAL = 1.3
"""Goal for the CPU time of a second of audio, relative to that of the custom protocol of the same part."""
CPU_RUNS = 3
"""The CPU time is the least of so many runs: other processes can only add to it."""

WARM_UP = 2
"""The first rounds of a model, a voice or a client, which are not counted."""

BARGEIN = "bargein"
BASIS = {"transcriber": "custom-transcriber", "voice": "custom-voice"}
"""The providers that the others are compared with."""


@dataclass(kw_only=True)
class Figures:
    """The measurements of one adapter, or of a vendor's own client.

    Attributes:
        part: the part of an assistant.
        provider: Vapi's name of the vendor.
        client: `bargein`, or the name and version of the vendor's client.
        first_ms: times to the first partial, token or audio.
        cut_ms: times until the vendor knew of a cut.
        cpu_ms: CPU time of a second of audio; None: not measured.
        failed: why it could not be measured.
    """

    part: Part
    provider: str
    client: str = BARGEIN
    first_ms: list[float] = field(default_factory=list)
    cut_ms: list[float] = field(default_factory=list)
    cpu_ms: float | None = None
    failed: str = ""

    def without_warm_up(self) -> Self:
        """Leave out the times of the first `WARM_UP` rounds."""
        self.first_ms, self.cut_ms = self.first_ms[WARM_UP:], self.cut_ms[WARM_UP:]
        return self

    def missed(self, basis_ms: float | None) -> list[str]:
        """Return the goals that are missed; those of other clients are none of ours."""
        if self.client != BARGEIN or self.provider == BASIS.get(self.part):
            return []
        if self.failed:
            return [self.failed]
        found = ["first"] if self.first_ms and statistics.median(self.first_ms) > FIRST_GOAL_MS[self.part] else []
        found += ["cut"] if self.cut_ms and statistics.median(self.cut_ms) > CUT_GOAL_MS else []
        ratio = self.ratio(basis_ms)
        return found + (["CPU"] if ratio is not None and ratio > CPU_GOAL else [])

    def ratio(self, basis_ms: float | None) -> float | None:
        """Return the CPU time relative to the custom protocol's."""
        return None if self.cpu_ms is None or not basis_ms else self.cpu_ms / basis_ms


def spread(times: Sequence[float]) -> str:
    """Return the median and the 95th percentile."""
    if not times:
        return "-"
    ordered = sorted(times)
    return f"{statistics.median(ordered):.1f} / {ordered[max(0, round(0.95 * len(ordered)) - 1)]:.1f}"


def table(part: Part, rows: Sequence[Figures]) -> list[str]:
    """Return the rows of a part as a table of Markdown."""
    named = {"transcriber": "partial", "model": "first token", "voice": "first audio"}[part]
    goals = f"{named} (goal {FIRST_GOAL_MS[part]:g} ms)"
    cpu = f"CPU of a second ({CPU_GOAL:g} of custom)"
    lines = [f"| {part} | client | {goals} | cut told ({CUT_GOAL_MS:g} ms) | {cpu} | goals |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    mine = [one for one in rows if one.part == part]
    basis_ms = next((one.cpu_ms for one in mine if one.provider == BASIS.get(part)), None)
    for one in mine:
        ratio = one.ratio(basis_ms)
        cpu = "-" if one.cpu_ms is None or ratio is None else f"{one.cpu_ms:.1f} ms ({ratio:.2f})"
        missed = one.missed(basis_ms)
        judged = one.client == BARGEIN and one.provider != BASIS.get(part)
        verdict = (f"missed: {', '.join(missed)}" if missed else "met") if judged else one.failed or "-"
        lines.append(
            f"| {one.provider} | {one.client} | {spread(one.first_ms)} | {spread(one.cut_ms)} | {cpu} | {verdict} |"
        )
    return lines


def all_missed(rows: Sequence[Figures]) -> list[str]:
    """Return a line for each adapter that misses a goal."""
    lines: list[str] = []
    for one in rows:
        basis_ms = next((each.cpu_ms for each in rows if each.provider == BASIS.get(one.part)), None)
        if missed := one.missed(basis_ms):
            lines.append(f"{one.part} {one.provider}: {', '.join(missed)}")
    return lines
