"""Train the network of words and calibrate the end-of-turn detector; write both, and the figures of its model card."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zlib import crc32

import anyio
import numpy as np
import numpy.typing as npt
from bench.endpointing.corpus import Turn
from bench.endpointing.listener import Kept, TurnListener, paused
from bench.endpointing.scoring import answered_at
from bench.interruption.plots import COLOURS, Chart
from bench.speech import HELP, SPEECH

from bargein.audio import pcm
from bargein.audio.pcm import Float32Array
from bargein.call.plan.compile import compile_plan
from bargein.providers.embedded.end_of_turn import (
    CALIBRATION,
    WEIGHTS,
    WORDS_WEIGHTS,
    combined,
    features,
    scores,
)
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.network import Network
from bargein.providers.embedded.turn_text import Group, group_of
from bargein.turns.commands import JudgePause
from bargein.turns.events import VoiceStarted
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from training.end_of_turn.calibration import fit_calibration
from training.end_of_turn.corpus import CLASSES, learned_from
from training.end_of_turn.fit import fit

FOLDS = 5
_SPEAKERS = ("george", "jackson", "nicolas")
_PATIENT = 1e-9
_NEAR_END_MS = 150
_LISTENED_AFTER_MS = 4_000
_SAVED_EVERY = 25
_OTHER_CLASS = 0.3
"""Weight of a class that is not one of `CLASSES`."""

_PRIOR_ODDS = {Group.SHORT: 8.0}
"""How much likelier than in the classes of equal size the words of a group are all of the turn: a short turn of a call
is more often a name or a wish than the first item of a list. An assumption, not a count: with 8 in place of 4 short
sentences of people are answered after 394 ms in place of 799 (p50), and 18 % of lists are cut off in place of 11."""

_DOUBTED = {Group.COMPLETE: -1.6, Group.SHORT: -0.7}
"""Change of the log odds where the words are doubted (`turn_text.doubt`): those of the group COMPLETE end their turn in
62 % of the pauses instead of 92, and the prior of short turns is taken back in part."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Pauses of turns; each array has an entry for each pause.

    Attributes:
        rows: features.
        done: 1 at the end of a turn, 0 within one.
        groups: `Group` of the words.
        parts: class of the turn.
        names: name of the turn.
        offsets_ms: offset of the pause in the turn.
        folds: number of the fold; the pauses of a speaker are all in one fold.
        held_out: whether the turn is held out.
    """

    rows: Float32Array
    done: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    parts: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    offsets_ms: npt.NDArray[np.int64]
    folds: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.bool_]

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """The weight of each pause in training: every class weighs the same."""
        found = np.zeros(len(self.done))
        for part in np.unique(self.parts):
            of = self.parts == part
            found[of] = (1.0 if part in CLASSES else _OTHER_CLASS) / of.sum()
        return found

    def of(self, some: npt.NDArray[np.bool_]) -> "Pauses":
        """Return some of the pauses."""
        return Pauses(**{name: getattr(self, name)[some] for name in Pauses.__slots__})


def fold_of(speaker: str) -> int:
    """Return the fold of a speaker."""
    return _SPEAKERS.index(speaker) if speaker in _SPEAKERS else crc32(speaker.encode()) % FOLDS


class _KeptEncoder:
    """The encoder, whose mean over a pause is kept between runs."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._model = MoonshineModel()

    def encode(self, samples: Float32Array) -> Float32Array:
        def mean() -> str:
            return json.dumps(self._model.encode(samples).mean(axis=0).round(4).tolist())

        found = self._kept.of("encoded", pcm.from_float(samples), mean)
        return np.array([json.loads(found)], dtype=np.float32)


async def heard(turns: Sequence[Turn], cache: Path) -> Pauses:
    """Process every turn as a call does, and collect each pause that the detector would be asked about."""
    kept = Kept(cache / "heard.json")
    hearing, model = TurnListener(kept), _KeptEncoder(kept)
    assistant = Assistant.model_validate({"firstMessageMode": "assistant-waits-for-user"})
    plan = replace(compile_plan(assistant), max_cutoff_risk=_PATIENT)
    found: dict[tuple[str, int], tuple[Float32Array, int, int, str, int, bool]] = {}
    for number, turn in enumerate(turns, 1):
        events = await hearing.events(turn)
        onsets = [event.onset_ms for event in events if isinstance(event, VoiceStarted)]
        asked: list[JudgePause] = []

        def detect(question: JudgePause, asked: list[JudgePause] = asked) -> float:
            asked.append(question)
            return 0.0

        answered_at(events, plan, turn.over_ms + _LISTENED_AFTER_MS, detect)
        for question in asked:
            pause = paused(turn, events, question)
            goes_on = any(question.offset_ms < onset_ms < turn.end_ms for onset_ms in onsets)
            over = question.offset_ms >= turn.end_ms - _NEAR_END_MS and turn.finished
            if not pause.runs or (over == goes_on and turn.finished):
                continue  # the voice detector and the manifest differ on the end of the turn
            # The last features of a pause (with a final's words) count.
            group = group_of(pause.said, pause.asked)
            about = (int(over), int(group), turn.part, fold_of(turn.speaker), turn.held_out)
            found[turn.name, question.offset_ms] = (features(model, pause), *about)
        if number % _SAVED_EVERY == 0:
            kept.save()
            print(f"  heard {number} turns, {len(found)} pauses", flush=True)
    kept.save()
    rows, done, groups, parts, folds, held_out = zip(*found.values(), strict=True)
    names, offsets_ms = zip(*found, strict=True)
    columns = (done, groups, parts, names, offsets_ms, folds, held_out)
    return Pauses(np.stack(rows), *(np.array(column) for column in columns))


def trained(pauses: Pauses) -> Network:
    """Return the network of words, trained on these pauses."""
    return fit(pauses.rows, pauses.done, pauses.weights)


def cross_validated(pauses: Pauses, numbers: Network) -> npt.NDArray[np.float64]:
    """Return the scores of each pause, by a network of words that was trained without its speaker."""
    found = np.zeros((len(pauses.done), 2))
    for fold in range(FOLDS):
        test = pauses.folds == fold
        if test.any():
            found[test] = scores(numbers, trained(pauses.of(~test)), pauses.rows[test])
    return found


def separation(done: npt.NDArray[np.float64], was: npt.NDArray[np.int64]) -> float | None:
    """Return how often an end has a higher probability than a pause within a turn; None if there is not one of each."""
    ends, pauses = done[was == 1], done[was == 0]
    if not ends.size or not pauses.size:
        return None
    return round(float(np.mean((ends[:, None] > pauses[None]) + 0.5 * (ends[:, None] == pauses[None]))), 3)


def reliability(done: npt.NDArray[np.float64], was: npt.NDArray[np.int64], bins: int = 5) -> list[JsonObject]:
    """Return, for ranges of the probability, its mean and the share of ends."""
    at = np.minimum((done * bins).astype(int), bins - 1)
    return [
        {
            "pauses": int((at == number).sum()),
            "predicted": round(float(done[at == number].mean()), 3),
            "ends": round(float(was[at == number].mean()), 3),
        }
        for number in range(bins)
        if (at == number).any()
    ]


def diagram(curves: dict[str, list[JsonObject]]) -> str:
    """Return the reliability diagram as SVG: on the diagonal the probability is what it says."""
    chart = Chart(
        "How often a turn was over, by the probability", ("probability", 0, 1), ("share of ends", 0, 1), list(curves)
    )
    chart.line([(0, 0), (1, 1)], COLOURS[3])
    for colour, curve in zip(COLOURS, curves.values(), strict=False):
        chart.line([(float(str(point["predicted"])), float(str(point["ends"]))) for point in curve], colour)
    return chart.svg()


def card(pauses: Pauses, done: npt.NDArray[np.float64]) -> JsonObject:
    """Return the results class by class, and the reliability."""
    classes: JsonObject = {}
    for part in (*CLASSES, "all"):
        of = (pauses.parts == part) | (part == "all")
        classes[part] = {
            "ends": int((pauses.done[of] == 1).sum()),
            "pauses": int((pauses.done[of] == 0).sum()),
            "separation": separation(done[of], pauses.done[of]),
        }
    return {"classes": classes, "reliability": reliability(done, pauses.done)}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.end_of_turn", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--cache", type=Path, default=Path(".end_of_turn"), help="folder for intermediate results")
    parser.add_argument("--turns", type=int, help="only so many turns of the random order (all)")
    parser.add_argument("--diagram", type=Path, help="file for the reliability diagram, an SVG")
    parser.add_argument("--dry", action="store_true", help="write no weights")
    given = parser.parse_args()
    if given.data == SPEECH and not given.dry:
        parser.error("the repository's recordings are too few to learn from: give --data, or --dry")
    given.cache.mkdir(parents=True, exist_ok=True)
    turns = learned_from(given.data, given.cache / "spoken")[: given.turns]
    pauses = anyio.run(partial(heard, turns, given.cache))
    numbers = Network.load(WEIGHTS)
    learned, held_out = pauses.of(~pauses.held_out), pauses.of(pauses.held_out)
    of_others = cross_validated(learned, numbers)
    coefficients = fit_calibration(of_others, learned.groups, learned.done, learned.weights)
    words = trained(learned)
    by_fold = combined(of_others, coefficients[learned.groups])
    by_all = combined(scores(numbers, words, held_out.rows), coefficients[held_out.groups])
    names = np.concatenate((learned.names, held_out.names))
    offsets_ms = np.concatenate((learned.offsets_ms, held_out.offsets_ms))
    shipped = np.column_stack((coefficients, np.zeros(len(Group))))
    for group, odds in _PRIOR_ODDS.items():
        shipped[group, 2] += np.log(odds)
    for group, change in _DOUBTED.items():
        shipped[group, 3] = change
    done = np.concatenate((by_fold, by_all))
    np.savez(given.cache / "held_out.npz", names=names, offsets_ms=offsets_ms, done=done)
    print(json.dumps({"coefficients": {g.name: shipped[g].round(2).tolist() for g in Group}}))
    print(json.dumps({"cross-validated": card(learned, by_fold), "held out": card(held_out, by_all)}, indent=1))
    if given.diagram is not None:
        curves = {
            "cross-validated": reliability(by_fold, learned.done),
            "held out": reliability(by_all, held_out.done),
        }
        given.diagram.write_text(diagram(curves) + "\n", encoding="utf-8")
    if not given.dry:
        words.save(WORDS_WEIGHTS)
        np.savez_compressed(CALIBRATION, coefficients=shipped.astype(np.float32))
        print(f"wrote {WORDS_WEIGHTS.name} and {CALIBRATION.name}")


if __name__ == "__main__":
    main()
