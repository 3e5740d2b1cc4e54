"""From outcomes to figures, with the spread that the choice of clips leaves."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bargein.wire.base import JsonObject
from bench.interruption.caller import FALSE_AFTER_MS, HIT_MS, Outcome

_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and the 95 % interval of a bootstrap over clips.

    Attributes:
        value: None where there is nothing to compute it from.
        low: lower end of the interval.
        high: upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> JsonObject:
        """As JSON, rounded."""
        return {name: None if (v := getattr(self, name)) is None else round(v, 4) for name in ("value", "low", "high")}


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


def summary(outcomes: Sequence[Outcome]) -> JsonObject:
    """All figures of a run, part by part."""
    good = [outcome for outcome in outcomes if not outcome.void]
    told: JsonObject = {"trials": len(outcomes), "void": len(outcomes) - len(good)}
    for part in ("command", "word"):
        mine = [outcome for outcome in good if outcome.scene.part == part]
        if mine:
            told[part] = _true_ones(mine)
    for part in ("listening", "noise", "echo"):
        mine = [outcome for outcome in good if outcome.scene.part == part]
        if mine:
            told[part] = _false_ones(mine)
    return told


def _true_ones(outcomes: Sequence[Outcome]) -> JsonObject:
    def latency(percent: float) -> Callable[[Sequence[Outcome]], float | None]:
        def of(some: Sequence[Outcome]) -> float | None:
            hits = [o.stop_ms for o in some if hit(o) and o.stop_ms is not None]
            return float(np.percentile(hits, percent)) if hits else None

        return of

    def message(some: Sequence[Outcome]) -> float | None:
        told = [o.message_ms for o in some if hit(o) and o.message_ms is not None]
        return float(np.percentile(told, 50)) if told else None

    figures: JsonObject = {
        "clips": len({o.scene.clip for o in outcomes}),
        "trials": len(outcomes),
        "recall": _bootstrap(outcomes, lambda some: float(np.mean([hit(o) for o in some]))).to_json(),
        "message_p50_ms": _bootstrap(outcomes, message).to_json(),
        "early": sum(o.early for o in outcomes),
    }
    for percent in (10, 50, 90, 95, 99):
        figures[f"stop_p{percent}_ms"] = _bootstrap(outcomes, latency(percent)).to_json()
    for within_ms in (300, 500):
        share = [hit(o) and (o.stop_ms or 0) <= within_ms for o in outcomes]
        figures[f"within_{within_ms}_ms"] = round(float(np.mean(share)), 4)
    return figures


def _false_ones(outcomes: Sequence[Outcome]) -> JsonObject:
    minutes = sum(o.exposed_ms for o in outcomes) / 60_000
    kinds: dict[str, list[bool]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.scene.kind].append(false_stop(outcome))
    stops = sum(false_stop(o) for o in outcomes)
    return {
        "clips": len({o.scene.clip for o in outcomes}),
        "trials": len(outcomes),
        "stopped": _bootstrap(outcomes, lambda some: float(np.mean([false_stop(o) for o in some]))).to_json(),
        "stops": stops,
        "minutes": round(minutes, 2),
        "stops_per_minute": round(stops / minutes, 4) if minutes else None,
        "by_kind": {kind: [sum(found), len(found)] for kind, found in sorted(kinds.items())},
    }


def _bootstrap(outcomes: Sequence[Outcome], of: Callable[[Sequence[Outcome]], float | None]) -> Figure:
    """Resampled by clip: the repeats of one clip belong together."""
    clips: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        clips[outcome.scene.clip].append(outcome)
    groups = list(clips.values())
    numbers = np.random.default_rng(0)
    values: list[float] = []
    for _ in range(_RESAMPLES if len(groups) > 1 else 0):
        chosen = numbers.integers(0, len(groups), len(groups))
        value = of([outcome for index in chosen for outcome in groups[index]])
        if value is not None:
            values.append(value)
    if not values:
        return Figure(of(outcomes))
    return Figure(of(outcomes), float(np.percentile(values, 2.5)), float(np.percentile(values, 97.5)))
