"""Train the floor judge, cross-validate it, write its weights, and measure the policy that goes by it."""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import structlog
from bench.interruption.recordings import room
from bench.speech import HELP, SPEECH

from bargein.audio.pcm import Float32Array
from bargein.call.hearing.overlap import AGES_MS
from bargein.providers.embedded.interruption_classifier import INTERRUPTION, NO_SPEECH, WEIGHTS
from bargein.wire.base import JsonObject
from training.interruption_classifier.circumstances import CHATTER
from training.interruption_classifier.evaluation import Evaluation, Kept, chosen_scenes, echo_scenes, figures
from training.interruption_classifier.examples import Examples, cross_validated, examples, networks
from training.interruption_classifier.fit import fit
from training.interruption_classifier.scene_player import Played

_THINKING_MS = 12
"""What the judge itself takes, on the machine that measured."""

_TALK = ("noise.other_voices", "noise.babble", CHATTER)
_PARTS = ("command", "word", "listening", "noise")


def thresholds(found: Examples, floor: Float32Array, listening: float, noise: float) -> list[float]:
    """The least probabilities, age by age, at which no more false stops happen than are allowed so far.

    Args:
        found: the runs.
        floor: as `cross_validated` gives it.
        listening: the share of listening aloud (recorded, and not in the training voices) that may stop the assistant.
        noise: the same of noise, talk of others apart.
    """
    is_listening = np.char.startswith(found.names, "backchannel")
    is_noise = (found.labels == NO_SPEECH) & ~np.isin(found.names, _TALK)
    stopped = np.zeros(len(found.labels), dtype=bool)
    chosen: list[float] = []
    for age in range(len(AGES_MS)):
        budget = listening * ((age + 1) / len(AGES_MS)) ** 0.6
        least = 1.0
        for least in np.linspace(0.3, 0.999, 300):
            now = stopped | (floor[:, age] >= least)
            if now[is_listening].mean() <= budget and now[is_noise].mean() <= noise:
                break
        chosen.append(round(float(least), 2))
        stopped |= floor[:, age] >= least
    # An older voice never takes more to be believed than a younger one did.
    return [min(chosen[: age + 1]) for age in range(len(chosen))]


def judged(found: Examples, floor: Float32Array, least: Sequence[float]) -> JsonObject:
    """What the judge alone would have done with these thresholds, class by class."""
    hits = floor >= np.array(least)
    stopped, first = hits.any(axis=1), hits.argmax(axis=1)
    after_ms = found.late_ms + np.array(AGES_MS)[first] + _THINKING_MS
    table: JsonObject = {}
    for name in (*np.unique(found.names), "noise (all but talk)"):
        of = (found.labels == NO_SPEECH) & ~np.isin(found.names, _TALK) if "all" in name else found.names == name
        of &= found.plain | np.char.startswith(found.names, "synthetic")
        if not of.any():
            continue
        row: JsonObject = {"runs": int(of.sum()), "stopped": round(float(stopped[of].mean()), 3)}
        if found.labels[of][0] == INTERRUPTION and (of & stopped).any():
            row["p50_ms"], row["p95_ms"] = (round(float(np.percentile(after_ms[of & stopped], p))) for p in (50, 95))
        table[str(name)] = row
    return table


def _evaluate(evaluation: Evaluation, given: argparse.Namespace) -> JsonObject:
    """The issue's rows for the whole policy."""
    data, telephone = cast("Path", given.data), bool(given.telephone)
    told: JsonObject = {}

    def watch(number: int, played: Played) -> None:
        outcome = played.outcome
        if given.verbose:
            stop = "-" if outcome.stop_ms is None else f"{outcome.stop_ms:.0f}"
            scene = outcome.scene
            print(f"{number:5d} {scene.kind} {scene.clip} {scene.condition.name}: {stop} {played.why}")

    chosen = chosen_scenes(data, cast("list[str]", given.parts), given.share, telephone=telephone)
    told["policy"] = figures(evaluation.play(chosen, told=watch))
    if given.explicit:
        commands = chosen_scenes(data, ("command",), given.share, telephone=telephone)
        explicit = figures(evaluation.play(commands, plan={"numWords": 0, "voiceSeconds": 0.2}, told=watch))
        told["voiceSeconds 0.2"] = explicit["command"]
    for echo_db in cast("list[float]", given.echo or []):
        for cancels in (False, True):
            played = evaluation.play(
                echo_scenes(echo_db, given.minutes, telephone=telephone),
                response=room(data),
                cancels_echo=cancels,
                told=watch,
            )
            name = f"echo {echo_db:g} dB" + (", cancelled" if cancels else "")
            told[name] = figures(played)["echo"]
    return told


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.interruption_classifier", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--cache", type=Path, default=Path(".floor"), help="where what takes long is kept")
    parser.add_argument("--listening", type=float, default=0.05, help="share of listening aloud that may stop")
    parser.add_argument("--noise", type=float, default=0.01, help="share of noises that may stop")
    parser.add_argument("--dry", action="store_true", help="write no weights")
    parser.add_argument("--evaluate", action="store_true", help="measure the policy as it is, and train nothing new")
    parser.add_argument("--parts", nargs="*", default=list(_PARTS), help="which parts of the benchmark")
    parser.add_argument("--share", type=float, default=1.0, help="of the clips")
    parser.add_argument("--telephone", action="store_true", help="over 8 kHz mu-law")
    parser.add_argument("--explicit", action="store_true", help="commands under voiceSeconds 0.2, too")
    parser.add_argument("--echo", type=float, nargs="*", help="our own echo, at so many dB, cancelled and not")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each echo")
    parser.add_argument("--verbose", action="store_true", help="tell every scene")
    given = parser.parse_args()
    if given.data == SPEECH and not (given.dry or given.evaluate):
        parser.error("the repository's recordings are too few to learn from: give --data, or --dry")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    given.cache.mkdir(parents=True, exist_ok=True)
    found = examples(given.data, given.cache)
    judges = networks(found, given.cache)
    if given.evaluate:
        kept = Kept.load(given.cache)
        print(json.dumps(_evaluate(Evaluation(given.data, judges, kept), given), indent=1))
        kept.save(given.cache)
        return
    floor = cross_validated(found, judges)
    least = thresholds(found, floor, given.listening, given.noise)
    print("THRESHOLDS =", tuple(zip(AGES_MS, least, strict=True)))
    card = {"ages_ms": AGES_MS, "thresholds": least, "cross_validated": judged(found, floor, least)}
    print(json.dumps(card, indent=1))
    if not given.dry:
        fit(*found.flat(np.ones(len(found.labels), dtype=bool))).save(WEIGHTS)
        (given.cache / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {WEIGHTS.name}, {WEIGHTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
