"""Train the floor judge, cross-validate it, and write its weights and the figures of its card."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from bargein.audio.pcm import Float32Array
from bargein.call.overlap import AGES_MS
from bargein.providers.embedded.floor import FLOOR, LISTENING, NO_SPEECH, WEIGHTS
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.silero import SileroDetector
from bargein.wire.base import JsonObject
from bench.floor.circumstances import Circumstances
from bench.floor.corpus import Clip, recorded, spoken
from bench.floor.fit import fit
from bench.floor.voices import runs

FOLDS = 5
_MOST_RUNS = {FLOOR: 1, LISTENING: 1, NO_SPEECH: 6}
_THINKING_MS = 12
"""What the judge itself takes, on the machine that measured."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Runs of voice; one entry of each for each run.

    Attributes:
        rows: features, runs by ages by features.
        labels: what each is.
        weights: how much it counts.
        names: the class it is reported under.
        folds: which part of the split it is in: no speaker is in two.
        late_ms: how long after the clip's energy rose the detector heard a voice.
    """

    rows: Float32Array
    labels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    names: npt.NDArray[np.str_]
    folds: npt.NDArray[np.int64]
    late_ms: npt.NDArray[np.float64]


def examples(data: Path, cache: Path) -> Examples:
    """Hear every clip; kept in `cache`, for it takes some minutes."""
    kept = cache / "examples.npz"
    if kept.exists():
        with np.load(kept) as arrays:
            return Examples(**{name: arrays[name] for name in arrays.files})
    silero, model = SileroDetector().load(), MoonshineModel()
    circumstances = Circumstances(data, seed=3)
    rows: list[Float32Array] = []
    clips: list[Clip] = []
    late_ms: list[float] = []
    for number, clip in enumerate((*recorded(data), *spoken(cache / "spoken"))):
        for take in range(clip.takes):
            sound, lead = circumstances.heard(clip, take + (clip.name.startswith("synthetic")))
            for run in runs(silero, model, sound, _MOST_RUNS[clip.label]):
                rows.append(run.rows)
                clips.append(clip)
                late_ms.append(run.onset_ms - lead / 16 - clip.onset_ms)
        if number % 200 == 0:
            print(f"  heard {number} clips, {len(rows)} runs of voice", flush=True)
    found = Examples(
        np.stack(rows),
        np.array([clip.label for clip in clips]),
        np.array([clip.weight for clip in clips]),
        np.array([clip.name for clip in clips]),
        np.array([crc32(clip.speaker.encode()) % FOLDS for clip in clips]),
        np.array(late_ms),
    )
    np.savez(kept, **{name: getattr(found, name) for name in Examples.__slots__})
    return found


def cross_validated(found: Examples, seeds: int = 2) -> Float32Array:
    """The probability of `FLOOR` for each run at each age, by networks that have not heard its speaker."""
    floor = np.zeros((len(found.labels), len(AGES_MS)), dtype=np.float32)
    for fold in range(FOLDS):
        train, test = found.folds != fold, found.folds == fold
        for seed in range(seeds):
            network = fit(*_flat(found, train), seed=seed)
            for age in range(len(AGES_MS)):
                floor[test, age] += network.probabilities(found.rows[test, age])[:, FLOOR] / seeds
    return floor


def _flat(
    found: Examples, of: npt.NDArray[np.bool_]
) -> tuple[Float32Array, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    ages = len(AGES_MS)
    rows = found.rows[of].reshape(-1, found.rows.shape[-1])
    return rows, np.repeat(found.labels[of], ages), np.repeat(found.weights[of], ages)


def thresholds(found: Examples, floor: Float32Array, listening: float, noise: float) -> list[float]:
    """The least probabilities, age by age, at which no more false stops happen than are allowed so far.

    Args:
        found: the runs.
        floor: as `cross_validated` gives it.
        listening: the share of listening aloud (recorded, and not in the training voices) that may stop the assistant.
        noise: the same of noise, talk of others apart.
    """
    is_listening = np.char.startswith(found.names, "backchannel")
    talk = np.isin(found.names, ("noise.other_voices", "noise.babble"))
    is_noise = (found.labels == NO_SPEECH) & ~talk
    stopped = np.zeros(len(found.labels), dtype=bool)
    chosen: list[float] = []
    for age in range(len(AGES_MS)):
        budget = listening * ((age + 1) / len(AGES_MS)) ** 0.6
        for least in np.linspace(0.3, 0.999, 300):
            now = stopped | (floor[:, age] >= least)
            if now[is_listening].mean() <= budget and now[is_noise].mean() <= noise:
                break
        chosen.append(round(float(least), 2))
        stopped |= floor[:, age] >= least
    # An older voice never takes more to be believed than a younger one did.
    return [min(chosen[: age + 1]) for age in range(len(chosen))]


def figures(found: Examples, floor: Float32Array, least: Sequence[float]) -> JsonObject:
    """What these thresholds would have done, class by class."""
    hits = floor >= np.array(least)
    stopped, first = hits.any(axis=1), hits.argmax(axis=1)
    after_ms = found.late_ms + np.array(AGES_MS)[first] + _THINKING_MS
    table: JsonObject = {}
    for name in (*np.unique(found.names), "noise (all)"):
        of = found.labels == NO_SPEECH if name == "noise (all)" else found.names == name
        row: JsonObject = {"runs": int(of.sum()), "stopped": round(float(stopped[of].mean()), 3)}
        if found.labels[of][0] == FLOOR and (of & stopped).any():
            row["p50_ms"], row["p95_ms"] = (round(float(np.percentile(after_ms[of & stopped], p))) for p in (50, 95))
        table[str(name)] = row
    return table


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.floor", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a collection of recordings with a MANIFEST.tsv")
    parser.add_argument("--cache", type=Path, default=Path(".floor"), help="where what takes long is kept")
    parser.add_argument("--listening", type=float, default=0.05, help="share of listening aloud that may stop")
    parser.add_argument("--noise", type=float, default=0.02, help="share of noises that may stop")
    parser.add_argument("--dry", action="store_true", help="write no weights")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    found = examples(given.data, given.cache)
    floor = cross_validated(found)
    least = thresholds(found, floor, given.listening, given.noise)
    print("THRESHOLDS =", tuple(zip(AGES_MS, least, strict=True)))
    card = {"ages_ms": AGES_MS, "thresholds": least, "cross_validated": figures(found, floor, least)}
    print(json.dumps(card, indent=1))
    if not given.dry:
        fit(*_flat(found, np.ones(len(found.labels), dtype=bool))).save(WEIGHTS)
        (given.cache / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {WEIGHTS.name}, {WEIGHTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
