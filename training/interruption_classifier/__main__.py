"""Train the interruption classifier, cross-validate it, write its weights, and measure the policy that uses it."""

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
from bargein.providers.embedded.interruption_classifier import INTERRUPTION, WEIGHTS
from bargein.wire.base import JsonObject
from training.interruption_classifier.evaluation import Evaluation, Kept, chosen_scenes, echo_scenes, figures
from training.interruption_classifier.examples import Examples, cross_validated, examples, networks
from training.interruption_classifier.fit import fit
from training.interruption_classifier.policy import THINKING_MS, curve, curve_svg, decided_ms, is_noise, thresholds
from training.interruption_classifier.scene_player import Played

_PARTS = ("command", "word", "listening", "noise")
_CURVE = Path(__file__).parents[2] / "docs" / "images" / "interruption-sound.svg"


def evaluate(found: Examples, interruption: Float32Array, least: Sequence[float]) -> JsonObject:
    """Return the results of the classifier alone with these thresholds, class by class."""
    at_ms = decided_ms(interruption, found.known_ms, least)
    after_ms = at_ms + found.late_ms + THINKING_MS
    table: JsonObject = {}
    for name in (*np.unique(found.names), "noise (all but talk)"):
        of = found.plain & (is_noise(found) if "all" in name else found.names == name)
        if not of.any():
            continue
        row: JsonObject = {"runs": int(of.sum()), "stopped": round(float(np.isfinite(at_ms[of]).mean()), 3)}
        if found.labels[of][0] == INTERRUPTION and np.isfinite(at_ms[of]).any():
            times = after_ms[of & np.isfinite(at_ms)]
            row["p50_ms"], row["p95_ms"] = (round(float(np.percentile(times, p))) for p in (50, 95))
        table[str(name)] = row
    return table


def _evaluate(evaluation: Evaluation, given: argparse.Namespace) -> JsonObject:
    """Return the benchmark's figures for the whole policy."""
    data, telephone = cast("Path", given.data), bool(given.telephone)
    result: JsonObject = {}

    def watch(number: int, played: Played) -> None:
        outcome = played.outcome
        if given.verbose:
            stop = "-" if outcome.stop_ms is None else f"{outcome.stop_ms:.0f}"
            scene = outcome.scene
            print(f"{number:5d} {scene.kind} {scene.clip} {scene.condition.name}: {stop} {played.why}")

    chosen = chosen_scenes(data, cast("list[str]", given.parts), given.share, telephone=telephone)
    result["policy"] = figures(evaluation.play(chosen, on_played=watch))
    if given.explicit:
        commands = chosen_scenes(data, ("command",), given.share, telephone=telephone)
        explicit = figures(evaluation.play(commands, plan={"numWords": 0, "voiceSeconds": 0.2}, on_played=watch))
        result["voiceSeconds 0.2"] = explicit["command"]
    for echo_db in cast("list[float]", given.echo or []):
        for cancellation in ("off", "auto", "on"):
            played = evaluation.play(
                echo_scenes(echo_db, given.minutes, telephone=telephone),
                response=room(data),
                echo_cancellation=cancellation,
                on_played=watch,
            )
            result[f"echo {echo_db:g} dB, cancellation {cancellation}"] = figures(played)["echo"]
    return result


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.interruption_classifier", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument(
        "--cache", type=Path, default=Path(".interruption_classifier"), help="folder for intermediate results"
    )
    parser.add_argument("--listening", type=float, default=0.05, help="share of backchannels that may stop it")
    parser.add_argument("--noise", type=float, default=0.01, help="share of noises that may stop it")
    parser.add_argument("--dry", action="store_true", help="write no weights")
    parser.add_argument("--evaluate", action="store_true", help="measure the present policy, without training")
    parser.add_argument("--parts", nargs="*", default=list(_PARTS), help="parts of the benchmark")
    parser.add_argument("--share", type=float, default=1.0, help="share of the clips")
    parser.add_argument("--telephone", action="store_true", help="over 8 kHz mu-law")
    parser.add_argument("--explicit", action="store_true", help="also measure commands under voiceSeconds 0.2")
    parser.add_argument(
        "--echo",
        type=float,
        nargs="*",
        help="dB of echo, measured in each mode of cancellation",
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="minutes of each echo")
    parser.add_argument("--verbose", action="store_true", help="print every scene")
    given = parser.parse_args()
    if given.data == SPEECH and not (given.dry or given.evaluate):
        parser.error("the repository's recordings are too few to learn from: give --data, or --dry")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    given.cache.mkdir(parents=True, exist_ok=True)
    found = examples(given.data, given.cache)
    trained = networks(found, given.cache)
    if given.evaluate:
        kept = Kept.load(given.cache)
        print(json.dumps(_evaluate(Evaluation(given.data, trained, kept), given), indent=1))
        kept.save(given.cache)
        return
    found = found.complete
    interruption = cross_validated(found, trained)
    least = thresholds(found, interruption, given.listening, given.noise)
    print("THRESHOLDS =", tuple(zip(AGES_MS, least, strict=True)))
    rows = curve(found, interruption, least)
    card = {
        "ages_ms": AGES_MS,
        "thresholds": least,
        "cross_validated": evaluate(found, interruption, least),
        "curve": rows,
    }
    print(json.dumps(card, indent=1))
    if not given.dry:
        _CURVE.write_text(curve_svg(rows) + "\n", encoding="utf-8")
        fit(*found.flat(np.ones(len(found.labels), dtype=bool))).save(WEIGHTS)
        (given.cache / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {WEIGHTS.name}, {WEIGHTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
