"""Score the end of turn by class: `python -m bench.endpointing.classes --data DIR`.

The turns are those of `training.end_of_turn`, ten classes of about equal size. With `--held-out` only those are scored
whose recordings, phrases and voices no network was trained on. The plan is the default of an assistant, with an
instant model and voice; dead air counts from the end of the voice by an energy gate.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import numpy as np
from training.end_of_turn.corpus import learned_from

from bargein.call.plan.compile import compile_plan
from bargein.providers.embedded.end_of_turn import EmbeddedEndOfTurnDetector
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.turns.commands import JudgePause
from bargein.turns.events import Event
from bargein.wire.assistant import Assistant
from bench.endpointing.corpus import Turn
from bench.endpointing.listener import Kept, TurnListener, paused
from bench.endpointing.scoring import answered_at
from bench.speech import HELP, SPEECH

_UNTIL_MS = 4_000


class Answered(NamedTuple):
    """The answer to a turn.

    Attributes:
        turn: the turn.
        late_ms: time from the end of the turn to the answer, negative if it cut the caller off; None: no answer.
    """

    turn: Turn
    late_ms: int | None


async def answers(turns: Sequence[Turn], kept: Kept) -> list[Answered]:
    """Return when each turn is answered."""
    listener, detector = TurnListener(kept), EmbeddedEndOfTurnDetector(MoonshineModel())
    plan = compile_plan(Assistant.model_validate({"firstMessageMode": "assistant-waits-for-user"}))
    found: list[Answered] = []
    for turn in turns:
        events = await listener.events(turn)
        detect = partial(_detect, detector, turn, events)
        at_ms = answered_at(events, plan, turn.over_ms + _UNTIL_MS, detect)
        found.append(Answered(turn, None if at_ms is None else at_ms - turn.end_ms))
    kept.save()
    return found


def _detect(detector: EmbeddedEndOfTurnDetector, turn: Turn, events: Sequence[Event], question: JudgePause) -> float:
    return detector.detect(paused(turn, events, question))


def table(found: Sequence[Answered]) -> list[str]:
    """Return a line for each class: turns, share cut off, dead air at the median and at the 95th percentile."""
    classes: dict[str, list[Answered]] = defaultdict(list)
    for one in found:
        classes[one.turn.part].append(one)
    return [_line(name, of) for name, of in sorted(classes.items())]


def _line(name: str, of: Sequence[Answered]) -> str:
    late = [one.late_ms for one in of if one.turn.finished and one.late_ms is not None and one.late_ms >= 0]
    cut = sum(one.late_ms is not None and one.late_ms < 0 for one in of)
    middle, slow = (round(float(np.percentile(late, share))) for share in (50, 95)) if late else (0, 0)
    unheard = sum(one.late_ms is None for one in of)
    return f"{name:12} {len(of):4} {100 * cut / len(of):5.1f} % {middle:5} {slow:5} ms  {unheard} without an answer"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.endpointing.classes", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--cache", type=Path, default=Path(".end_of_turn"), help="folder for intermediate results")
    parser.add_argument("--turns", type=int, help="only so many turns of the random order (all)")
    parser.add_argument("--held-out", action="store_true", help="only the turns that no network was trained on")
    given = parser.parse_args()
    turns = learned_from(given.data, given.cache / "spoken")[: given.turns]
    turns = [turn for turn in turns if turn.held_out or not given.held_out]
    found = anyio.run(partial(answers, turns, Kept(given.cache / "heard.json")))
    print("class       turns  cut off  p50   p95")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
