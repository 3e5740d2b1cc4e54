"""The examples that the interruption classifier is trained on: runs of voice of each clip in several circumstances."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bargein.audio.pcm import Float32Array
from bargein.call.hearing.overlap import AGES_MS
from bargein.providers.embedded.interruption_classifier import BACKCHANNEL, INTERRUPTION, NO_SPEECH
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.network import Network
from bargein.providers.embedded.vad import SileroDetector
from training.interruption_classifier.circumstances import CHATTER, Circumstances
from training.interruption_classifier.corpus import FOLDS, Clip, fold_of, recorded, spoken
from training.interruption_classifier.fit import fit
from training.interruption_classifier.voices import runs

_MOST_RUNS = {INTERRUPTION: 1, BACKCHANNEL: 1, NO_SPEECH: 6}
_MOST_RUNS_OF_CHATTER = 2
_SEED = 3


@dataclass(frozen=True, slots=True)
class Examples:
    """Runs of voice; each array has an entry for each run.

    Attributes:
        rows: features, indexed by run, age and feature.
        labels: label of the run.
        weights: weight of the run in training.
        names: class in the reports.
        folds: number of the fold; the runs of a speaker are all in one fold.
        late_ms: time from the rise of the clip's energy to the detected start of voice.
        plain: whether the circumstances were a usual level and a quiet room: only these are reported.
    """

    rows: Float32Array
    labels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    names: npt.NDArray[np.str_]
    folds: npt.NDArray[np.int64]
    late_ms: npt.NDArray[np.float64]
    plain: npt.NDArray[np.bool_]

    def flat(self, of: npt.NDArray[np.bool_]) -> tuple[Float32Array, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the chosen runs at every age as separate rows: features, labels and weights, as `fit` takes them."""
        rows = self.rows[of].reshape(-1, self.rows.shape[-1])
        return rows, np.repeat(self.labels[of], len(AGES_MS)), np.repeat(self.weights[of], len(AGES_MS))


def examples(data: Path, cache: Path) -> Examples:
    """Return the examples of all clips; kept in `cache`, because they take some ten minutes."""
    kept = cache / "examples.npz"
    if kept.exists():
        with np.load(kept) as arrays:
            return Examples(**{name: arrays[name] for name in arrays.files})
    silero, model = SileroDetector().load(), MoonshineModel()
    circumstances = Circumstances(data, seed=_SEED)
    rows: list[Float32Array] = []
    takes: list[tuple[Clip, float, bool]] = []
    for number, (clip, take) in enumerate(_takes(circumstances, data, cache)):
        heard = circumstances.heard(clip, take)
        most = _MOST_RUNS_OF_CHATTER if clip.name == CHATTER else _MOST_RUNS[clip.label]
        for run in runs(silero, model, heard, most):
            rows.append(run.rows)
            late_ms = run.onset_ms - heard.begins / 16 - clip.onset_ms * heard.stretched
            takes.append((clip, late_ms, take == 0))
        if number % 500 == 0:
            print(f"  {number} takes, {len(rows)} runs of voice", flush=True)
    found = Examples(
        rows=np.stack(rows),
        labels=np.array([clip.label for clip, _, _ in takes]),
        weights=np.array([clip.weight for clip, _, _ in takes]),
        names=np.array([clip.name for clip, _, _ in takes]),
        folds=np.array([fold_of(clip.speaker) for clip, _, _ in takes]),
        late_ms=np.array([late_ms for _, late_ms, _ in takes]),
        plain=np.array([plain for _, _, plain in takes]),
    )
    np.savez(kept, **{name: getattr(found, name) for name in Examples.__slots__})
    return found


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
