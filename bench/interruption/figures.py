"""Figures from outcomes, with the spread that the choice of clips causes."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bargein.wire.base import JsonObject
from bench.interruption.conditions import CLEAN, DOUBLE_TALK, TELEPHONE
from bench.interruption.playback import LATE_MS, Outcome, false_stop, hit

RESAMPLES = 10_000
_AT_A_TIME = 1_000

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and the 95 % interval of a bootstrap over clips.

    Attributes:
        value: the number; None without data.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> JsonObject:
        """Return the figure as JSON, rounded."""
        return {name: None if (v := getattr(self, name)) is None else round(v, 4) for name in ("value", "low", "high")}


def summary(outcomes: Sequence[Outcome]) -> JsonObject:
    """Return all figures of a study, part by part."""
    good = [outcome for outcome in outcomes if not outcome.void]
    result: JsonObject = {
        "trials": len(outcomes),
        "void": len(outcomes) - len(good),
        "late": sum(o.late_ms > LATE_MS for o in outcomes),
    }
    groups = {"command": ("command",), "word": ("word",), "true": ("command", "word")}
    for name, parts in groups.items():
        mine = [outcome for outcome in good if outcome.scene.part in parts]
        if mine:
            result[name] = _true_ones(mine)
    for part in ("listening", "noise", "echo"):
        mine = [outcome for outcome in good if outcome.scene.part == part]
        if mine:
            result[part] = _false_ones(mine)
    if "listening" in result:
        people = [o for o in good if o.scene.part == "listening" and not o.scene.kind.endswith(".tts")]
        result["listening"]["people"] = share(_by_clip(people, lambda o: float(false_stop(o)))).to_json()
        result["listening"]["people_clips"] = len({o.scene.clip for o in people})
    return result


def _true_ones(outcomes: Sequence[Outcome]) -> JsonObject:
    stops = _by_clip(outcomes, lambda o: o.stop_ms if hit(o) else None)
    hits = _by_clip(outcomes, lambda o: float(hit(o)))
    figures: JsonObject = {
        "clips": len({o.scene.clip for o in outcomes}),
        "trials": len(outcomes),
        "recall": share(hits).to_json(),
        "message_p50_ms": percentile(_by_clip(outcomes, lambda o: o.message_ms if hit(o) else None), 50).to_json(),
        "early": sum(o.early for o in outcomes),
    }
    for percent in (10, 50, 90, 95, 99):
        figures[f"stop_p{percent}_ms"] = percentile(stops, percent).to_json()
    for within_ms in (300, 500):
        within = [hit(o) and (o.stop_ms or 0) <= within_ms for o in outcomes]
        figures[f"within_{within_ms}_ms"] = round(float(np.mean(within)), 4)
    return figures


def _false_ones(outcomes: Sequence[Outcome]) -> JsonObject:
    minutes = sum(o.exposed_ms for o in outcomes) / 60_000
    kinds: dict[str, list[bool]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.scene.kind].append(false_stop(outcome))
    stops = [o for o in outcomes if false_stop(o)]
    stopped = _by_clip(outcomes, lambda o: float(false_stop(o)))
    exposed = _by_clip(outcomes, lambda o: o.exposed_ms / 60_000)
    return {
        "clips": len({o.scene.clip for o in outcomes}),
        "trials": len(outcomes),
        "stopped": share(stopped).to_json(),
        "stops": len(stops),
        "minutes": round(minutes, 2),
        "stops_per_minute": _ratio(stopped, exposed).to_json(),
        "recovery": _recovery([o for o in stops if o.stop_ms is not None]),
        "by_kind": {kind: [sum(found), len(found)] for kind, found in sorted(kinds.items())},
    }


def _recovery(stops: Sequence[Outcome]) -> JsonObject:
    """Return how the assistant continued after false interruptions that were audible as silence."""
    again = [o.resumed_ms for o in stops if o.resumed_ms is not None]
    words = [o.skipped_words for o in stops if o.skipped_words is not None]
    gaps = [o.gap_ms for o in stops if o.gap_ms is not None]
    return {
        "stops": len(stops),
        "went_on": len(again),
        "within_600_ms": sum(ms <= 600 for ms in again),
        "within_1000_ms": sum(ms <= 1_000 for ms in again),
        "gap_p50_ms": round(float(np.median(gaps))) if gaps else None,
        "gap_p95_ms": round(float(np.percentile(gaps, 95))) if gaps else None,
        "skipped_words_p50": round(float(np.median(words)), 1) if words else None,
    }


def paired(outcomes: Sequence[Outcome]) -> list[JsonObject]:
    """Return the effect of each line against the clean one, clip by clip: recall, median stop, false interruptions."""
    rows: list[JsonObject] = []
    good = [o for o in outcomes if not o.void]
    clean = {(o.scene.part, o.scene.clip): o for o in good if o.scene.condition == CLEAN}
    there = {o.scene.condition for o in outcomes}
    for name in (condition.name for condition in (*DOUBLE_TALK[1:], *TELEPHONE[1:]) if condition in there):
        mine = [o for o in good if o.scene.condition.name == name and (o.scene.part, o.scene.clip) in clean]
        pairs = [(o, clean[o.scene.part, o.scene.clip]) for o in mine]
        true = [pair for pair in pairs if pair[0].scene.is_true]
        heard = [pair for pair in pairs if pair[0].scene.part == "listening"]
        both = [(a, b) for a, b in true if hit(a) and hit(b) and a.stop_ms is not None and b.stop_ms is not None]
        later = [(a.stop_ms or 0.0) - (b.stop_ms or 0.0) for a, b in both]
        rows.append({
            "condition": name,
            "trials": len(pairs),
            "recall": share(_alone([float(hit(a)) - float(hit(b)) for a, b in true])).to_json(),
            "stop_ms": share(_alone(later)).to_json(),
            "stop_median_ms": percentile(_alone(later), 50).to_json(),
            "listening": share(_alone([float(false_stop(a)) - float(false_stop(b)) for a, b in heard])).to_json(),
        })  # fmt: skip
    return rows


def _by_clip(outcomes: Sequence[Outcome], of: Callable[[Outcome], float | None]) -> Values:
    """Return a row for each clip with the values of its repeats (and levels); NaN where there is none."""
    clips: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        value = of(outcome)
        clips[outcome.scene.clip or str(outcome.scene.inject_ms)].append(float("nan") if value is None else value)
    width = max((len(found) for found in clips.values()), default=1)
    return np.array([found + [float("nan")] * (width - len(found)) for found in clips.values()]).reshape(-1, width)


def _alone(values: Sequence[float]) -> Values:
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def share(values: Values) -> Figure:
    """Return the mean of all values that are not NaN."""
    return _bootstrap(values, _mean)


def percentile(values: Values, percent: float) -> Figure:
    """Return a percentile of all values that are not NaN."""

    def of(some: Values) -> Values:
        ordered = np.sort(some, axis=1)  # NaN last
        count = (~np.isnan(ordered)).sum(axis=1)
        place = np.maximum(count - 1, 0) * percent / 100
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        rows = np.arange(len(ordered))
        return ordered[rows, low] + (ordered[rows, high] - ordered[rows, low]) * (place - low)

    return _bootstrap(values, of)


def _ratio(above: Values, below: Values) -> Figure:
    """Return the ratio of two sums, with both resampled together clip by clip."""
    both = np.stack((np.nansum(above, axis=1), np.nansum(below, axis=1)), axis=1)

    def of(some: Values) -> Values:
        sums = some.reshape(len(some), -1, 2).sum(axis=1)
        return np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)

    return _bootstrap(both, of)


def _mean(some: Values) -> Values:
    there = ~np.isnan(some)
    count = there.sum(axis=1)
    return np.divide(np.where(there, some, 0).sum(axis=1), count, out=np.full(len(some), np.nan), where=count > 0)


def _bootstrap(values: Values, of: Callable[[Values], Values]) -> Figure:
    """Draw rows of `values` (clips) again and again; `of` computes many such draws at once, one a row."""
    if values.size == 0 or np.isnan(values).all():
        return Figure(None)
    value = float(of(values.reshape(1, -1))[0])
    if len(values) < 2:
        return Figure(value)
    numbers = np.random.default_rng(0)
    drawn = [
        of(values[numbers.integers(0, len(values), (_AT_A_TIME, len(values)))].reshape(_AT_A_TIME, -1))
        for _ in range(RESAMPLES // _AT_A_TIME)
    ]
    low, high = np.nanpercentile(np.concatenate(drawn), (2.5, 97.5))
    return Figure(value, float(low), float(high))
