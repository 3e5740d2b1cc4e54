"""Score the detected ends of turns: `python -m bench.endpointing --data DIR`."""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import anyio
import numpy as np

from bargein.call.plan.compile import compile_plan
from bargein.ports import TurnPause
from bargein.providers.embedded.end_of_turn import EmbeddedEndOfTurnDetector
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.smart_turn import SmartTurnDetector
from bargein.turns import Plan
from bargein.turns.commands import JudgePause
from bargein.turns.events import Event
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from bench.endpointing.corpus import Turn, turns
from bench.endpointing.listener import Kept, TurnListener, paused
from bench.endpointing.scoring import Detect, Scores, answered, answered_at, no_detector, with_intervals
from bench.speech import HELP, SPEECH

_PATIENCES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
_RISKS = (0.03, 0.1, 0.2, 0.3, 0.5, 0.95)
_LEAST_MS = (0, 300, 450)
_LONGEST_MS = (1500, 2000)
_WAITS_MS = (0, 100, 200, 300, 400, 600, 800, 1000)

THINKING_MS = 700
"""Time from the request of an answer to its first audio, where preemptive answers are scored."""

_COLUMNS = {
    "cutoffs_at_300_ms": "cut-offs at 300 ms",
    "cutoffs_at_600_ms": "cut-offs at 600 ms",
    "latency_ms_at_5_percent": "latency at 5 %",
    "latency_ms_at_10_percent": "latency at 10 %",
    "cutoffs": "as shipped: cut-offs",
    "latency_ms": "latency",
}


def by_timers() -> list[Plan]:
    """Return plans for the transcription timers: the default, then scaled pauses and other waits."""
    plan = replace(_default(), wait_ms=400)
    scaled = [
        replace(
            plan,
            wait_ms=wait_ms,
            on_punctuation_ms=round(plan.on_punctuation_ms * patience),
            on_no_punctuation_ms=round(plan.on_no_punctuation_ms * patience),
            on_number_ms=round(plan.on_number_ms * patience),
        )
        for patience in _PATIENCES
        for wait_ms in _WAITS_MS
    ]
    return [plan, *scaled]


def by_detector() -> list[Plan]:
    """Return plans for an end-of-turn detector: the default, then other risks and bounds."""
    plan = _default()
    swept = [
        replace(plan, max_cutoff_risk=risk, min_pause_ms=least_ms, max_pause_ms=longest_ms)
        for risk in _RISKS
        for least_ms in _LEAST_MS
        for longest_ms in _LONGEST_MS
    ]
    return [plan, *swept]


def _default() -> Plan:
    assistant = Assistant.model_validate({"firstMessageMode": "assistant-waits-for-user"})
    return compile_plan(assistant)


POLICIES = {"timers": by_timers, "judged": by_detector, "smart-turn": by_detector}
"""Plans of each policy by its name; the shipped one comes first."""

Decide = Callable[[str, TurnPause, int], float]
"""Returns the probability that a pause, which begins at an offset, ends its turn."""


def by_model(policy: str, held_out: Path | None) -> Decide | None:
    """Return the end-of-turn detector of a policy; None without one.

    Args:
        policy: name of the policy.
        held_out: a file of `training.end_of_turn` with the probabilities of networks trained without the speaker.
    """
    if policy == "timers":
        return None
    detector = SmartTurnDetector() if policy == "smart-turn" else EmbeddedEndOfTurnDetector(MoonshineModel())
    known: dict[tuple[str, int], float] = {}
    if held_out is not None and policy == "judged":
        with np.load(held_out) as arrays:
            keys = zip(arrays["names"].tolist(), arrays["offsets_ms"].tolist(), strict=True)
            known = dict(zip(keys, arrays["done"].tolist(), strict=True))

    def decide(name: str, pause: TurnPause, offset_ms: int) -> float:
        return known[name, offset_ms] if (name, offset_ms) in known else detector.detect(pause)

    return decide


def detector_of(turn: Turn, events: Sequence[Event], decide: Decide | None) -> Detect:
    """Return the detector for the pauses of a turn; it scores each pause once, whatever the plan."""
    if decide is None:
        return no_detector
    verdicts: dict[tuple[int, str], float] = {}

    def detect(question: JudgePause) -> float:
        key = (question.offset_ms, question.said)
        if key not in verdicts:
            verdicts[key] = decide(turn.name, paused(turn, events, question), question.offset_ms)
        return verdicts[key]

    return detect


def scored(
    plans: Sequence[Plan],
    of: Sequence[Turn],
    events_of: Sequence[Sequence[Event]],
    decide: Decide | None,
) -> Scores:
    """Score each turn under each plan."""
    detectors = [detector_of(turn, events, decide) for turn, events in zip(of, events_of, strict=True)]
    cut = np.zeros((len(plans), len(of)), dtype=bool)
    late_ms = np.full(cut.shape, np.nan)
    for row, plan in enumerate(plans):
        for column, (turn, events, detect) in enumerate(zip(of, events_of, detectors, strict=True)):
            # A turn without an answer counts as if it were answered at the end of the clip.
            at_ms = answered_at(events, plan, turn.over_ms, detect) or turn.over_ms
            cut[row, column] = at_ms < turn.end_ms
            if turn.finished and not cut[row, column]:
                late_ms[row, column] = at_ms - turn.end_ms
    return Scores(cut, late_ms)


def figures(
    plans: Sequence[Plan], of: Sequence[Turn], events_of: Sequence[Sequence[Event]], decide: Decide | None
) -> JsonObject:
    """Return the figures of a policy, for each set and for all."""
    scores = scored(plans, of, events_of, decide)
    parts = np.array([turn.part for turn in of])
    sets: JsonObject = {part: with_intervals(scores.of(parts == part)) for part in dict.fromkeys(parts.tolist())}
    return {**sets, "all but sentences": with_intervals(scores.of(parts != "sentences"))}


def early_answers(of: Sequence[Turn], events_of: Sequence[Sequence[Event]], decide: Decide | None) -> JsonObject:
    """Return what preemptive answers save, with a model and a voice that take `THINKING_MS`, and what they cost."""
    late_ms: dict[bool, list[int]] = {False: [], True: []}
    asked = {False: 0, True: 0}
    for turn, events in zip(of, events_of, strict=True):
        detect = detector_of(turn, events, decide)
        both = {
            early: answered(
                events, replace(_default(), preemptive=early), turn.over_ms, detect, thinking_ms=THINKING_MS
            )
            for early in (False, True)
        }
        for early, answer in both.items():
            asked[early] += answer.asked
        if turn.finished and all(one.at_ms is not None and one.at_ms >= turn.end_ms for one in both.values()):
            for early, answer in both.items():
                late_ms[early].append((answer.at_ms or 0) - turn.end_ms)
    return {
        "turns": len(late_ms[True]),
        "latency_ms_without": round(float(np.mean(late_ms[False]))),
        "latency_ms_with": round(float(np.mean(late_ms[True]))),
        "median_ms_without": round(float(np.median(late_ms[False]))),
        "median_ms_with": round(float(np.median(late_ms[True]))),
        "asked_without": asked[False],
        "asked_with": asked[True],
    }


async def heard(data: Path, kept: Kept, *, sentences: bool) -> tuple[list[Turn], list[list[Event]]]:
    """Process all turns of a collection."""
    listener, of = TurnListener(kept), list(turns(data, sentences=sentences))
    events_of = [await listener.events(turn) for turn in of]
    kept.save()
    return of, events_of


def _print(policy: str, sets: JsonObject) -> None:
    print(f"\n{policy}: value [95 % interval over clips]")
    for part, figures_of in sets.items():
        row = cast("JsonObject", figures_of)
        print(f"  {part} ({row['turns']} turns)")
        for name, title in _COLUMNS.items():
            figure = cast("dict[str, float | None]", row[name])
            print(f"    {title:22} {_shown(name, figure)}")


def _shown(name: str, figure: dict[str, float | None]) -> str:
    def one(value: float | None) -> str:
        if value is None or math.isnan(value):
            return "never"
        return f"{value:.0f} ms" if name.startswith("latency") else f"{100 * value:.1f} %"

    return f"{one(figure['value'])} [{one(figure['low'])}, {one(figure['high'])}]"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.endpointing", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--cache", type=Path, help="a folder for the models' results, which makes the next run quick")
    parser.add_argument("--policy", choices=POLICIES, action="append", help="policies to score (all)")
    parser.add_argument("--sentences", action="store_true", help="also score single sentences, as a separate set")
    parser.add_argument("--held-out", type=Path, help="probabilities of networks trained without the speaker")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    kept = Kept(None if given.cache is None else given.cache / "endpointing.json")
    of, events_of = anyio.run(partial(heard, given.data, kept, sentences=given.sentences))
    result: JsonObject = {}
    for policy in given.policy or POLICIES:
        result[policy] = sets = figures(POLICIES[policy](), of, events_of, by_model(policy, given.held_out))
        _print(policy, sets)
        if policy == "judged":
            result["early answers"] = saved = early_answers(of, events_of, by_model(policy, given.held_out))
            print(f"\nearly answers, with a model and a voice that take {THINKING_MS} ms: {saved}")
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
