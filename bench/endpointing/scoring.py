"""From what a call is told of a turn to when it would answer, under any plan; and the figures of many turns."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bargein.turns import Plan, State, step, wake_at
from bargein.turns.commands import Command, JudgePause, Play, StartReply
from bargein.turns.events import (
    CallStarted,
    Event,
    PauseJudged,
    ReplyEnded,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    Tick,
)
from bargein.wire.base import JsonObject

CALL_ID = "00000000-0000-4000-8000-000000000000"
_ANSWER = "Yes."
_RESAMPLES = 2_000

JUDGING_MS = 12
"""What a judgement takes, on the machine that measured."""

Array = npt.NDArray[np.float64]

Judge = Callable[[JudgePause], float | None]
"""Says of a pause how likely it ends the turn."""


def nobody(_: JudgePause) -> float | None:
    """Judges nothing."""
    return None


class Answer(NamedTuple):
    """What a turn gets.

    Attributes:
        at_ms: when the assistant begins to sound; None: it does not.
        asked: how often the model was asked.
    """

    at_ms: int | None
    asked: int


def answered_at(events: Sequence[Event], plan: Plan, until_ms: int, judge: Judge = nobody) -> int | None:
    """When the assistant would begin to sound, if model and voice took no time; None: not before `until_ms`."""
    return answered(events, plan, until_ms, judge).at_ms


def answered(
    events: Sequence[Event], plan: Plan, until_ms: int, judge: Judge = nobody, *, thinking_ms: int = 0
) -> Answer:
    """The same, where model and voice take `thinking_ms` until there is something to be heard."""
    state, count, asked = State(call_id=CALL_ID), 0, 0
    waiting: list[tuple[int, int, Event]] = []
    for event in (CallStarted(0), *events, Tick(until_ms)):
        heapq.heappush(waiting, (event.at_ms, count := count + 1, event))
    while waiting:
        event = waiting[0][2]
        due = wake_at(state, plan)
        if due is not None and due <= event.at_ms:
            event = Tick(due)
        else:
            heapq.heappop(waiting)
        state, commands = step(state, event, plan)
        for command in commands:
            if isinstance(command, Play):
                return Answer(state.now_ms, asked)
            asked += isinstance(command, StartReply)
            for answer in _performed(command, state.now_ms, judge, thinking_ms):
                heapq.heappush(waiting, (answer.at_ms, count := count + 1, answer))
    return Answer(None, asked)


def _performed(command: Command, now_ms: int, judge: Judge, thinking_ms: int) -> list[Event]:
    if isinstance(command, JudgePause):
        return [PauseJudged(now_ms + JUDGING_MS, command.number, judge(command))]
    if not isinstance(command, StartReply):
        return []
    turn, at_ms = command.turn_id, now_ms + thinking_ms
    return [
        ReplyToken(at_ms, turn, _ANSWER),
        SpeechRequested(at_ms, turn, 0, 0, _ANSWER),
        SpeechQueued(at_ms, turn, 0, 3_000, done=True),
        ReplyEnded(at_ms, turn),
    ]


@dataclass(frozen=True, slots=True)
class Scores:
    """What plans make of turns: a row for each plan, a column for each turn.

    Attributes:
        cut: whether the caller was cut off.
        late_ms: how long after its end a turn was answered; nan: it was cut off, or has no end.
    """

    cut: npt.NDArray[np.bool_]
    late_ms: Array

    def of(self, turns: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Scores":
        """Those of some turns."""
        return Scores(self.cut[:, turns], self.late_ms[:, turns])


def points(scores: Scores) -> tuple[Array, Array]:
    """For each plan: the share of turns that are cut off, and the mean dead air of those that are not."""
    answered = np.isfinite(scores.late_ms)
    counts = answered.sum(axis=1)
    total = np.where(answered, scores.late_ms, 0.0).sum(axis=1)
    return scores.cut.mean(axis=1), np.where(counts > 0, total / np.maximum(counts, 1), np.inf)


def columns(scores: Scores) -> dict[str, float]:
    """The best that any of the plans does: cut-offs at a mean latency, latency at a share of cut-offs."""
    cut, late_ms = points(scores)

    def best(values: Array, allowed: npt.NDArray[np.bool_]) -> float:
        return float(values[allowed].min()) if allowed.any() else float("nan")

    return {
        "cutoffs_at_300_ms": best(cut, late_ms <= 300),
        "cutoffs_at_600_ms": best(cut, late_ms <= 600),
        "latency_ms_at_5_percent": best(late_ms, cut <= 0.05),
        "latency_ms_at_10_percent": best(late_ms, cut <= 0.10),
    }


def with_intervals(scores: Scores) -> JsonObject:
    """The columns, and the figures of the first plan, each with the 95 % interval of a bootstrap over turns."""
    numbers = np.random.default_rng(0)
    count = scores.cut.shape[1]

    def figures(some: Scores) -> dict[str, float]:
        cut, late_ms = points(some)
        return {**columns(some), "cutoffs": float(cut[0]), "latency_ms": float(late_ms[0])}

    drawn = [figures(scores.of(numbers.integers(0, count, count))) for _ in range(_RESAMPLES if count > 1 else 0)]
    told: JsonObject = {"turns": count}
    for name, value in figures(scores).items():
        values = np.array([one[name] for one in drawn])
        values = values[np.isfinite(values)]
        low, high = (float(np.percentile(values, p)) for p in (2.5, 97.5)) if values.size else (value, value)
        told[name] = {"value": _rounded(value), "low": _rounded(low), "high": _rounded(high)}
    return told


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
