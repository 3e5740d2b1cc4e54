"""The time at which a call answers a turn under a plan, from the call's events; and the figures of many turns."""

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
"""Time of the end-of-turn detector on the machine that was measured."""

Array = npt.NDArray[np.float64]

Detect = Callable[[JudgePause], float | None]
"""Returns the probability that a pause ends its turn; None without a detector."""


def no_detector(_: JudgePause) -> float | None:
    """Return None for every pause."""
    return None


class Answer(NamedTuple):
    """The answer to a turn.

    Attributes:
        at_ms: start of the assistant's audio; None without an answer.
        asked: number of requests to the model.
    """

    at_ms: int | None
    asked: int


def answered_at(events: Sequence[Event], plan: Plan, until_ms: int, detect: Detect = no_detector) -> int | None:
    """Return when an answer of an instant model and voice would begin; None: not before `until_ms`."""
    return answered(events, plan, until_ms, detect).at_ms


def answered(
    events: Sequence[Event], plan: Plan, until_ms: int, detect: Detect = no_detector, *, thinking_ms: int = 0
) -> Answer:
    """Return the answer with a model and a voice that take `thinking_ms` until the first audio."""
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
            for answer in _performed(command, state.now_ms, detect, thinking_ms):
                heapq.heappush(waiting, (answer.at_ms, count := count + 1, answer))
    return Answer(None, asked)


def _performed(command: Command, now_ms: int, detect: Detect, thinking_ms: int) -> list[Event]:
    if isinstance(command, JudgePause):
        return [PauseJudged(now_ms + JUDGING_MS, command.number, detect(command))]
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
    """The results of plans: a row for each plan, a column for each turn.

    Attributes:
        cut: whether the caller was cut off.
        late_ms: time from the end of a turn to its answer; nan if the caller was cut off or the turn has no end.
    """

    cut: npt.NDArray[np.bool_]
    late_ms: Array

    def of(self, turns: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Scores":
        """Return the scores of some turns."""
        return Scores(self.cut[:, turns], self.late_ms[:, turns])


def points(scores: Scores) -> tuple[Array, Array]:
    """Return, for each plan, the share of turns that are cut off, and the mean dead air of the others."""
    answered = np.isfinite(scores.late_ms)
    counts = answered.sum(axis=1)
    total = np.where(answered, scores.late_ms, 0.0).sum(axis=1)
    return scores.cut.mean(axis=1), np.where(counts > 0, total / np.maximum(counts, 1), np.inf)


def columns(scores: Scores) -> dict[str, float]:
    """Return the best results of any plan: cut-offs at a mean latency, and latency at a share of cut-offs."""
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
    """Return the columns and the figures of the first plan, each with the 95 % interval of a bootstrap over turns."""
    numbers = np.random.default_rng(0)
    count = scores.cut.shape[1]

    def figures(some: Scores) -> dict[str, float]:
        cut, late_ms = points(some)
        return {**columns(some), "cutoffs": float(cut[0]), "latency_ms": float(late_ms[0])}

    drawn = [figures(scores.of(numbers.integers(0, count, count))) for _ in range(_RESAMPLES if count > 1 else 0)]
    row: JsonObject = {"turns": count}
    for name, value in figures(scores).items():
        values = np.array([one[name] for one in drawn])
        values = values[np.isfinite(values)]
        low, high = (float(np.percentile(values, p)) for p in (2.5, 97.5)) if values.size else (value, value)
        row[name] = {"value": _rounded(value), "low": _rounded(low), "high": _rounded(high)}
    return row


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
