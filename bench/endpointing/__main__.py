"""Score when turns are taken to be over: `python -m bench.endpointing --data DIR`."""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import anyio
import numpy as np

from bargein.call.rules import compile_plan
from bargein.turns import Plan
from bargein.turns.events import Event
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from bench.endpointing.corpus import Turn, turns
from bench.endpointing.hearing import Hearing, Kept
from bench.endpointing.scoring import Scores, answered_at, with_intervals

_PATIENCES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
_WAITS_MS = (0, 100, 200, 300, 400, 600, 800, 1000)

_COLUMNS = {
    "cutoffs_at_300_ms": "cut-offs at 300 ms",
    "cutoffs_at_600_ms": "cut-offs at 600 ms",
    "latency_ms_at_5_percent": "latency at 5 %",
    "latency_ms_at_10_percent": "latency at 10 %",
    "cutoffs": "as shipped: cut-offs",
    "latency_ms": "latency",
}


def by_timers() -> list[Plan]:
    """The transcription plan: as it stands, then with its pauses scaled and other waits."""
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


def _default() -> Plan:
    assistant = Assistant.model_validate({"firstMessageMode": "assistant-waits-for-user"})
    return compile_plan(assistant)


POLICIES = {"timers": by_timers}
"""By name: a policy's plans, the one that is shipped first."""


def scored(plans: Sequence[Plan], of: Sequence[Turn], told: Sequence[Sequence[Event]]) -> Scores:
    """What each plan makes of each turn."""
    cut = np.zeros((len(plans), len(of)), dtype=bool)
    late_ms = np.full(cut.shape, np.nan)
    for row, plan in enumerate(plans):
        for column, (turn, events) in enumerate(zip(of, told, strict=True)):
            # Who gets no answer at all is counted as if it came when the clip is over.
            at_ms = answered_at(events, plan, turn.over_ms) or turn.over_ms
            cut[row, column] = at_ms < turn.end_ms
            if turn.finished and not cut[row, column]:
                late_ms[row, column] = at_ms - turn.end_ms
    return Scores(cut, late_ms)


def figures(plans: Sequence[Plan], of: Sequence[Turn], told: Sequence[Sequence[Event]]) -> JsonObject:
    """The figures of a policy, set by set and over all."""
    scores = scored(plans, of, told)
    parts = np.array([turn.part for turn in of])
    sets: JsonObject = {part: with_intervals(scores.of(parts == part)) for part in dict.fromkeys(parts.tolist())}
    return {**sets, "all": with_intervals(scores)}


async def heard(data: Path, kept: Kept) -> tuple[list[Turn], list[list[Event]]]:
    """Hear all turns of a collection."""
    hearing, of = Hearing(kept), list(turns(data))
    told = [await hearing.events(turn) for turn in of]
    kept.save()
    return of, told


def _print(policy: str, sets: JsonObject) -> None:
    print(f"\n{policy}: value [95 % interval over clips]")
    for part, told in sets.items():
        row = cast("JsonObject", told)
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
    parser.add_argument("--data", type=Path, required=True, help="a collection of recordings with a MANIFEST.tsv")
    parser.add_argument("--cache", type=Path, help="a folder for what the models said, so that another run is quick")
    parser.add_argument("--policy", choices=POLICIES, action="append", help="which policies (all of them)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    kept = Kept(None if given.cache is None else given.cache / "endpointing.json")
    of, told = anyio.run(heard, given.data, kept)
    result: JsonObject = {}
    for policy in given.policy or POLICIES:
        result[policy] = sets = figures(POLICIES[policy](), of, told)
        _print(policy, sets)
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
