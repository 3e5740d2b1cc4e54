"""The time from a neighbour's voice to silence, with and without fuzzing, and whether the difference is real."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

ALLOWED_MS = 20.0
"""The most that the 95th percentile may be later beside the fuzzer."""

Float64Array = np.ndarray[tuple[int], np.dtype[np.float64]]

_RESAMPLED = 2000
_FEW = 20


@dataclass
class Onsets:
    """Interruptions of the neighbours, in windows with fuzzing and in windows without.

    Attributes:
        fuzzed_ms: times from onset to silence in windows with fuzzing.
        control_ms: the same in windows without.
        missed: interruptions in windows with fuzzing after which the assistant was not silent within 2 s.
        control_missed: the same in windows without.
    """

    fuzzed_ms: list[float] = field(default_factory=list[float])
    control_ms: list[float] = field(default_factory=list[float])
    missed: int = 0
    control_missed: int = 0

    def add(self, onset_ms: float, silence_ms: float | None, *, fuzzed: bool) -> None:
        """Add an interruption."""
        if silence_ms is None:
            self.missed += fuzzed
            self.control_missed += not fuzzed
        else:
            (self.fuzzed_ms if fuzzed else self.control_ms).append(silence_ms - onset_ms)

    def problems(self) -> list[str]:
        """Return the broken promises.

        The windows alternate, so that a busy machine disturbs both alike. The difference of the percentiles counts as
        real if the lower end of its 90 % interval (bootstrap) is above `ALLOWED_MS`.
        """
        found: list[str] = []
        if min(len(self.fuzzed_ms), len(self.control_ms)) >= _FEW:
            low = float(np.percentile(_differences(self.fuzzed_ms, self.control_ms), 5))
            if low > ALLOWED_MS:
                found.append(f"a neighbour's p95 was at least {low:.0f} ms later than in the control windows")
        misses = self.missed - self.control_missed * max(1.0, len(self.fuzzed_ms) / max(1, len(self.control_ms)))
        if misses > max(2.0, 0.01 * len(self.fuzzed_ms)):
            found.append(f"a neighbour's interruptions were missed {self.missed} times of {len(self.fuzzed_ms)}")
        return found

    def figures(self) -> dict[str, str | int | float]:
        """Return the percentiles."""
        made: dict[str, str | int | float] = {"neighbour's interruptions": len(self.fuzzed_ms) + len(self.control_ms)}
        for name, values in (("beside the fuzzer", self.fuzzed_ms), ("alone", self.control_ms)):
            if values:
                made[f"p95 ms {name}"] = round(float(np.percentile(values, 95)))
        if min(len(self.fuzzed_ms), len(self.control_ms)) >= _FEW:
            low, high = np.percentile(_differences(self.fuzzed_ms, self.control_ms), (5, 95))
            made["difference (90 % interval)"] = f"{low:+.0f}…{high:+.0f} ms"
        return made


def _differences(fuzzed_ms: Sequence[float], control_ms: Sequence[float]) -> Float64Array:
    random = np.random.default_rng(0)
    one, other = np.array(fuzzed_ms), np.array(control_ms)
    p95 = [np.percentile(random.choice(values, (_RESAMPLED, values.size)), 95, axis=1) for values in (one, other)]
    return p95[0] - p95[1]
