"""Judgement of a simulated conversation: values against what was expected, latencies against their ceilings. Pure."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence

from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_objects

_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_LATENCIES: Mapping[str, str] = {"turn": "turnLatency", "model": "modelLatency", "voice": "voiceLatency"}
_AVERAGES: Mapping[str, str] = {
    "avgTurn": "turnLatencyAverage",
    "avgTranscriber": "transcriberLatencyAverage",
    "avgModel": "modelLatencyAverage",
    "avgVoice": "voiceLatencyAverage",
    "avgEndpointing": "endpointingLatencyAverage",
}


def holds(value: object, comparator: str, expected: object) -> bool:
    """Return whether a value is as expected. Texts are compared without case and blanks around them."""
    if comparator in ("=", "!="):
        return _equal(value, expected) is (comparator == "=")
    if not _is_number(value) or not _is_number(expected):
        return False
    return _COMPARED[comparator](float(str(value)), float(str(expected)))


def value_at(value: object, path: str | None) -> object:
    """Return the value at a dotted path inside an extracted one; None if it has none there."""
    for name in path.split(".") if path else ():
        value = as_object(value).get(name)
    return value


def latency_metrics(performance: JsonObject) -> JsonObject:
    """Return Vapi's `LatencyMetrics` of a call's `performanceMetrics`."""
    averages = {name: performance[field] for name, field in _AVERAGES.items() if field in performance}
    return {"turnCount": len(as_objects(performance.get("turnLatencies"))), **averages}


def latency_results(expectations: Sequence[JsonObject], performance: JsonObject | None) -> list[JsonObject]:
    """Return Vapi's `LatencyEvaluationResult` of each expectation.

    A latency that no turn has measured fails.

    Args:
        expectations: the scenario's.
        performance: the call's `performanceMetrics`; None: a chat, of which none is measured.
    """
    return [_latency_result(one, performance) for one in expectations]


def _latency_result(given: JsonObject, performance: JsonObject | None) -> JsonObject:
    result: JsonObject = {
        "metric": given["metric"],
        "aggregation": given["aggregation"],
        "thresholdMs": given["thresholdMs"],
        "required": given.get("required") is not False,
        "sampleCount": 0,
        "passed": False,
    }
    if performance is None:
        return {**result, "isSkipped": True, "skipReason": "a chat has no latencies"}
    field = _LATENCIES[given["metric"]]
    samples = [
        float(turn[field]) for turn in as_objects(performance.get("turnLatencies")) if _is_number(turn.get(field))
    ]
    if not samples:
        return result
    actual_ms = round(aggregated(samples, given["aggregation"]))
    return {
        **result,
        "sampleCount": len(samples),
        "actualMs": actual_ms,
        "passed": actual_ms <= given["thresholdMs"],
    }


def aggregated(samples: Sequence[float], how: str) -> float:
    """Return the mean, median, p95 (nearest rank) or max of one or more samples."""
    ordered, count = sorted(samples), len(samples)
    match how:
        case "mean":
            return sum(ordered) / count
        case "median":
            return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
        case "p95":
            return ordered[-(-95 * count // 100) - 1]
        case _:
            return ordered[-1]


def passed(results: Sequence[JsonObject]) -> bool:
    """Return whether all results that are required, and not skipped, have passed."""
    return all(one["passed"] for one in results if one["required"] and not one.get("isSkipped"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(value: object, expected: object) -> bool:
    if isinstance(value, str) and isinstance(expected, str):
        return value.strip().casefold() == expected.strip().casefold()
    if _is_number(value) and _is_number(expected):
        return float(str(value)) == float(str(expected))
    return type(value) is type(expected) and value == expected


def plain(value: object) -> object:
    """Return an extracted value as a result has it: a number, text, boolean or null; anything else as JSON text."""
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value if as_object_or_none(value) is None else as_object(value), ensure_ascii=False)
