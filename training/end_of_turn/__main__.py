"""Train the end-of-turn detector, cross-validate it, and write its weights and the figures of its model card."""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import anyio
import numpy as np
import numpy.typing as npt
from bench.endpointing.listener import Kept, TurnListener, paused
from bench.endpointing.scoring import answered_at
from bench.speech import HELP, SPEECH

from bargein.audio.pcm import Float32Array
from bargein.call.plan.compile import compile_plan
from bargein.providers.embedded.end_of_turn import DONE, WEIGHTS, features
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.turns.commands import JudgePause
from bargein.turns.events import VoiceStarted
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from training.end_of_turn.corpus import learned_from, weight
from training.end_of_turn.fit import fit

FOLDS = 5
_SPEAKERS = ("george", "jackson", "nicolas", "theo")
_PATIENT = 1e-9
_NEAR_END_MS = 150


@dataclass(frozen=True, slots=True)
class Pauses:
    """Pauses of turns; each array has an entry for each pause.

    Attributes:
        rows: features.
        done: 1 at the end of a turn, 0 within one.
        weights: weight of the pause in training.
        parts: set of the turn.
        names: name of the turn.
        offsets_ms: offset of the pause in the turn.
        folds: number of the fold; the pauses of a speaker are all in one fold.
    """

    rows: Float32Array
    done: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    parts: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    offsets_ms: npt.NDArray[np.int64]
    folds: npt.NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Save the pauses."""
        np.savez(path, **{name: getattr(self, name) for name in Pauses.__slots__})

    @classmethod
    def load(cls, path: Path) -> "Pauses":
        """Load pauses that `save` has written."""
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})


def fold_of(speaker: str) -> int:
    """Return the fold of a speaker."""
    return _SPEAKERS.index(speaker) if speaker in _SPEAKERS else crc32(speaker.encode()) % FOLDS


async def heard(data: Path, cache: Path) -> Pauses:
    """Process every turn as a call does, and collect each pause that the detector would be asked about."""
    kept = Kept(cache / "words.json")
    hearing, model = TurnListener(kept), MoonshineModel()
    assistant = Assistant.model_validate({"firstMessageMode": "assistant-waits-for-user"})
    plan = replace(compile_plan(assistant), max_cutoff_risk=_PATIENT)
    found: dict[tuple[str, int], tuple[Float32Array, int, float, str, int]] = {}
    for number, turn in enumerate(learned_from(data, cache / "spoken")):
        events = await hearing.events(turn)
        onsets = [event.onset_ms for event in events if isinstance(event, VoiceStarted)]
        asked: list[JudgePause] = []

        def detect(question: JudgePause, asked: list[JudgePause] = asked) -> float:
            asked.append(question)
            return 0.0

        answered_at(events, plan, turn.over_ms, detect)
        for question in asked:
            goes_on = any(onset > question.offset_ms for onset in onsets)
            over = question.offset_ms >= turn.end_ms - _NEAR_END_MS and turn.finished
            if over == goes_on and turn.finished:
                continue  # the voice detector and the manifest differ on the end of the turn
            # The last features of a pause (with a final's words) count.
            rows = features(model, paused(turn, events, question))
            about = (weight(turn), turn.part, fold_of(turn.speaker))
            found[turn.name, question.offset_ms] = (rows, int(over), *about)
        if number % 100 == 0:
            print(f"  heard {number} turns, {len(found)} pauses", flush=True)
    kept.save()
    rows, done, weights, parts, folds = zip(*found.values(), strict=True)
    names, offsets_ms = zip(*found, strict=True)
    return Pauses(np.stack(rows), *(np.array(column) for column in (done, weights, parts, names, offsets_ms, folds)))


def cross_validated(pauses: Pauses) -> npt.NDArray[np.float64]:
    """Return the probability of the end for each pause, from networks trained without its speaker."""
    done = np.zeros(len(pauses.done))
    for fold in range(FOLDS):
        train, test = pauses.folds != fold, pauses.folds == fold
        if test.any():
            network = fit(pauses.rows[train], pauses.done[train], pauses.weights[train])
            done[test] = network.probabilities(pauses.rows[test])[:, DONE]
    return done


def separation(done: npt.NDArray[np.float64], was: npt.NDArray[np.int64]) -> float:
    """Return the area under the curve: how often an end has a higher probability than a pause within a turn."""
    ends, pauses = done[was == 1], done[was == 0]
    if not ends.size or not pauses.size:
        return float("nan")
    return float(np.mean((ends[:, None] > pauses[None]) + 0.5 * (ends[:, None] == pauses[None])))


def card(pauses: Pauses, done: npt.NDArray[np.float64]) -> JsonObject:
    """Return the results for the pauses of held-out speakers, set by set."""
    figures: JsonObject = {}
    for part in (*np.unique(pauses.parts), "all"):
        of = (pauses.parts == part) | (part == "all")
        figures[str(part)] = {
            "ends": int((pauses.done[of] == 1).sum()),
            "pauses": int((pauses.done[of] == 0).sum()),
            "separation": round(separation(done[of], pauses.done[of]), 3),
        }
    return figures


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.end_of_turn", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--cache", type=Path, default=Path(".end_of_turn"), help="folder for intermediate results")
    parser.add_argument("--dry", action="store_true", help="write no weights")
    given = parser.parse_args()
    if given.data == SPEECH and not given.dry:
        parser.error("the repository's recordings are too few to learn from: give --data, or --dry")
    given.cache.mkdir(parents=True, exist_ok=True)
    kept = given.cache / "pauses.npz"
    if not kept.exists():
        anyio.run(heard, given.data, given.cache).save(kept)
    pauses = Pauses.load(kept)
    done = cross_validated(pauses)
    np.savez(given.cache / "held_out.npz", names=pauses.names, offsets_ms=pauses.offsets_ms, done=done)
    print(json.dumps(card(pauses, done), indent=1))
    if not given.dry:
        fit(pauses.rows, pauses.done, pauses.weights).save(WEIGHTS)
        print(f"wrote {WEIGHTS.name}, {WEIGHTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
