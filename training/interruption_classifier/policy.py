"""The part of the policy that goes by sound alone, on many runs of voice at once: its thresholds, and its curve."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
from bench.interruption.plots import COLOURS, Chart

from bargein.audio.pcm import Float32Array
from bargein.call.hearing.overlap import AGES_MS
from bargein.providers.embedded.interruption_classifier import INTERRUPTION, NO_SPEECH
from bargein.turns.interruption.evidence import TWICE_LESS
from bargein.wire.base import JsonObject
from training.interruption_classifier.circumstances import CHATTER
from training.interruption_classifier.examples import Examples

THINKING_MS = 12
"""Time of the classifier itself on the machine that measured."""

_TALK = ("noise.other_voices", "noise.babble", CHATTER)
_WORST_MS = 1_500.0
"""Weight of a missed interruption, in the mean that the thresholds minimise."""

_YOUNGEST = (0.80, 0.84, 0.88, 0.91, 0.94, 0.97)
_OLDEST = (0.40, 0.45, 0.50, 0.55, 0.61, 0.67, 0.73, 0.80, 0.86)
_FALLS_MS = (60.0, 120.0, 240.0, 480.0)
SHIFTS = (-1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""Shifts of all thresholds, in the logarithm of the odds."""

FloatArray = npt.NDArray[np.float64]


def decided_ms(interruption: Float32Array, known_ms: FloatArray, least: Sequence[float]) -> FloatArray:
    """Return the age at which each run stops the assistant by its sound; infinity if it does not.

    Args:
        interruption: probabilities, indexed by run and age.
        known_ms: age of each run at which the detector recognised it: it is classified then, and at later ages.
        least: threshold of each age.
    """
    ages, limits = np.array(AGES_MS, dtype=np.float64), np.array(least)
    first = np.maximum(np.searchsorted(ages, known_ms, side="right") - 1, 0)[:, np.newaxis]
    numbers = np.arange(len(ages))[np.newaxis]
    asked = numbers >= first
    at_ms = np.where(numbers == first, np.maximum(ages, known_ms[:, np.newaxis]), ages)
    lower = np.minimum(interruption[:, 1:], interruption[:, :-1])  # of two in succession
    enough = asked & (interruption >= limits)
    enough[:, 1:] |= asked[:, :-1] & asked[:, 1:] & (lower >= limits[1:] - TWICE_LESS)
    return np.where(enough.any(axis=1), at_ms[np.arange(len(at_ms)), enough.argmax(axis=1)], np.inf)


def is_noise(found: Examples) -> npt.NDArray[np.bool_]:
    """Return which runs are noise without the talk of other people."""
    return (found.labels == NO_SPEECH) & ~np.isin(found.names, _TALK)


def is_backchannel(found: Examples) -> npt.NDArray[np.bool_]:
    """Return which runs are recorded backchannels, or synthetic ones in voices that are not used for training."""
    return np.char.startswith(found.names, "backchannel")


def thresholds(found: Examples, interruption: Float32Array, listening: float, noise: float) -> list[float]:
    """Return, for each age of a voice, the probability that suffices: the fastest that keep to the allowed false stops.

    The threshold falls exponentially with the age, so that an older voice never needs a higher probability.

    Args:
        found: runs of voice that were examined at every age.
        interruption: probabilities from `cross_validated`.
        listening: allowed share of stops for backchannels.
        noise: allowed share of stops for noise without the talk of others.
    """
    heard, noises = is_backchannel(found), is_noise(found)
    wanted = found.labels == INTERRUPTION
    best, least_ms = [1.0] * len(AGES_MS), np.inf
    for youngest, oldest, falls_ms in product(_YOUNGEST, _OLDEST, _FALLS_MS):
        if oldest > youngest:
            continue
        least = _falling(youngest, oldest, falls_ms)
        at_ms = decided_ms(interruption, found.known_ms, least)
        stopped = np.isfinite(at_ms)
        if stopped[heard].mean() > listening or stopped[noises].mean() > noise:
            continue
        mean_ms = float(np.minimum(at_ms[wanted], _WORST_MS).mean())
        if mean_ms < least_ms:
            best, least_ms = least, mean_ms
    return best


def _falling(youngest: float, oldest: float, falls_ms: float) -> list[float]:
    odds = [float(np.log(p / (1 - p))) for p in (youngest, oldest)]
    falls = [float(np.exp(-(age_ms - AGES_MS[0]) / falls_ms)) for age_ms in AGES_MS]
    return [round(_probability(odds[1] + (odds[0] - odds[1]) * part), 2) for part in falls]


def _probability(odds: float) -> float:
    return float(1 / (1 + np.exp(-odds)))


def curve(found: Examples, interruption: Float32Array, least: Sequence[float]) -> list[JsonObject]:
    """Return what stricter and laxer thresholds would do: a row for each of `SHIFTS`."""
    rows: list[JsonObject] = []
    for shift in SHIFTS:
        moved = [_probability(float(np.log(p / (1 - p))) + shift) for p in least]
        at_ms = decided_ms(interruption, found.known_ms, moved)
        after_ms = at_ms + found.late_ms + THINKING_MS
        row: JsonObject = {"shift": shift}
        for name, of in (("command", found.names == "interrupt.command"), ("word", found.names == "interrupt.word")):
            times = after_ms[of & found.plain]
            if not times.size:
                continue
            row[f"{name}_recall"] = round(float(np.isfinite(times).mean()), 3)
            times = np.minimum(times, 2_000.0)
            row[f"{name}_p50_ms"], row[f"{name}_p95_ms"] = (round(float(np.percentile(times, p))) for p in (50, 95))
        row["backchannels"] = round(float(np.isfinite(at_ms[is_backchannel(found) & found.plain]).mean()), 3)
        row["noises"] = round(float(np.isfinite(at_ms[is_noise(found) & found.plain]).mean()), 3)
        rows.append(row)
    return rows


def curve_svg(rows: Sequence[JsonObject]) -> str:
    """Return a chart of `curve`: the time of commands and words against the backchannels that stop the assistant."""
    series = (("command_p50_ms", "commands, p50"), ("command_p95_ms", "commands, p95"), ("word_p95_ms", "words, p95"))
    chart = Chart(
        "By sound alone: onset to decision against backchannels that stop the assistant",
        ("backchannels that stop it, %", 0, 20),
        ("ms", 0, 1_200),
        [name for _, name in series],
    )
    for number, (key, _) in enumerate(series):
        if key not in rows[0]:
            continue
        points = [(100 * float(row["backchannels"]), min(1_200.0, float(row[key]))) for row in rows]
        chart.line(sorted(point for point in points if point[0] <= 20), COLOURS[number])
        chosen = next(row for row in rows if row["shift"] == 0)
        chart.point(100 * float(chosen["backchannels"]), float(chosen[key]), COLOURS[number], "")
    return chart.svg()
