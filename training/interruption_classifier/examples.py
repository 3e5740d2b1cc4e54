"""The examples that the interruption classifier is trained on: runs of voice of each clip in several circumstances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from bargein.audio.pcm import Float32Array
from bargein.call.hearing.overlap import AGES_MS
from bargein.providers.embedded.interruption_classifier import BACKCHANNEL, INTERRUPTION, NO_SPEECH
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.network import Network
from bargein.providers.embedded.runtime import Session
from bargein.providers.embedded.vad import SileroDetector
from training.interruption_classifier.circumstances import CHATTER, Circumstances
from training.interruption_classifier.corpus import FOLDS, Clip, fold_of, recorded, spoken
from training.interruption_classifier.fit import fit
from training.interruption_classifier.voices import runs

_MOST_RUNS = {INTERRUPTION: 1, BACKCHANNEL: 1, NO_SPEECH: 3}
_MOST_RUNS_OF_CHATTER = 2
_SEED = 3
_TAKES_OF_A_PART = 100
_AGES_OF_A_TAKE = 3


@dataclass(frozen=True, slots=True)
class Examples:
    """Runs of voice; each array has an entry for each run.

    Attributes:
        rows: features, indexed by run, age and feature; NaN at ages that were not examined.
        labels: label of the run.
        weights: weight of the run in training.
        names: class in the reports.
        folds: number of the fold; the runs of a speaker are all in one fold.
        late_ms: time from the rise of the clip's energy to the beginning of the run.
        known_ms: age of the run at which the detector recognised it.
        plain: whether the circumstances were a usual level and a quiet room: only these are reported.
    """

    rows: Float32Array
    labels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    names: npt.NDArray[np.str_]
    folds: npt.NDArray[np.int64]
    late_ms: npt.NDArray[np.float64]
    known_ms: npt.NDArray[np.float64]
    plain: npt.NDArray[np.bool_]

    def flat(self, of: npt.NDArray[np.bool_]) -> tuple[Float32Array, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the chosen runs at each age as separate rows: features, labels and weights, as `fit` takes them."""
        rows = self.rows[of].reshape(-1, self.rows.shape[-1])
        examined = ~np.isnan(rows[:, 0])
        labels, weights = (np.repeat(each[of], self.rows.shape[1])[examined] for each in (self.labels, self.weights))
        return rows[examined], labels, weights

    @property
    def complete(self) -> "Examples":
        """The runs that were examined at every age."""
        of = ~np.isnan(self.rows[:, :, 0]).any(axis=1)
        return Examples(**{name: getattr(self, name)[of] for name in Examples.__slots__})


def examples(data: Path, cache: Path) -> Examples:
    """Return the examples of all clips; kept in `cache`, part by part, because they take some twenty minutes."""
    folder = cache / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    circumstances = Circumstances(data, seed=_SEED)
    takes = list(_takes(circumstances, data, cache))
    # In random order, so that each part has something of everything.
    takes.sort(key=lambda found: crc32(f"{found[0].key}|{found[1]}".encode()))
    parts: list[Examples] = []
    for number, begin in enumerate(range(0, len(takes), _TAKES_OF_A_PART)):
        path = folder / f"{number:03d}.npz"
        if not path.exists():
            np.savez(path, **_part(circumstances, takes[begin : begin + _TAKES_OF_A_PART]))
            print(f"  {begin + _TAKES_OF_A_PART} of {len(takes)} takes", flush=True)
        with np.load(path) as arrays:
            parts.append(Examples(**{name: arrays[name] for name in arrays.files}))
    return Examples(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in Examples.__slots__})


def _part(circumstances: Circumstances, takes: Sequence[tuple[Clip, int]]) -> dict[str, npt.NDArray[Any]]:
    """Return the fields of `Examples` for some takes."""
    silero, model = _models()
    rows: list[Float32Array] = []
    found: list[tuple[Clip, float, float, bool]] = []
    for clip, take in takes:
        heard = circumstances.heard(clip, take)
        most = _MOST_RUNS_OF_CHATTER if clip.name == CHATTER else _MOST_RUNS[clip.label]
        random = Random(f"{clip.key}|{take}")
        # The ages of one run are much alike: of all takes but those in the reports a few suffice.
        whole = take == 0 and clip.name != "speech.digit"
        ages_ms = AGES_MS if whole else sorted(random.sample(AGES_MS, _AGES_OF_A_TAKE))
        for run in runs(silero, model, heard, most, ages_ms):
            rows.append(run.rows)
            late_ms = run.onset_ms - heard.begins / 16 - clip.onset_ms * heard.stretched
            found.append((clip, late_ms, run.known_ms, take == 0))
    return {
        "rows": np.stack(rows),
        "labels": np.array([clip.label for clip, _, _, _ in found]),
        "weights": np.array([clip.weight for clip, _, _, _ in found]),
        "names": np.array([clip.name for clip, _, _, _ in found]),
        "folds": np.array([fold_of(clip.speaker) for clip, _, _, _ in found]),
        "late_ms": np.array([late_ms for _, late_ms, _, _ in found]),
        "known_ms": np.array([known_ms for _, _, known_ms, _ in found]),
        "plain": np.array([plain for _, _, _, plain in found]),
    }


@lru_cache
def _models() -> tuple[Session, MoonshineModel]:
    return SileroDetector().load(), MoonshineModel()


def _takes(circumstances: Circumstances, data: Path, cache: Path) -> Iterator[tuple[Clip, int]]:
    clips = [*recorded(data), *spoken(cache / "spoken")]
    for clip in (*clips, *circumstances.chatter(clips)):
        # Synthetic voices are clean: none of their takes is plain.
        first = 1 if clip.name.startswith("synthetic") else 0
        yield from ((clip, first + take) for take in range(clip.takes))


def networks(found: Examples, cache: Path) -> list[Network]:
    """Return for each fold a network trained without it; kept in `cache`."""
    paths = [cache / f"part-{fold}.npz" for fold in range(FOLDS)]
    for fold, path in enumerate(paths):
        if not path.exists():
            fit(*found.flat(found.folds != fold)).save(path)
            print(f"  trained without part {fold}", flush=True)
    return [Network.load(path) for path in paths]


def cross_validated(found: Examples, trained: list[Network]) -> Float32Array:
    """Return the probability of `INTERRUPTION` for each run at each age, from the network without its speaker."""
    interruption = np.zeros((len(found.labels), len(AGES_MS)), dtype=np.float32)
    for fold, network in enumerate(trained):
        test = found.folds == fold
        for age in range(len(AGES_MS)):
            interruption[test, age] = network.probabilities(found.rows[test, age])[:, INTERRUPTION]
    return interruption
