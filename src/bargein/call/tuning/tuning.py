"""Trials of other plans on calls that a person has marked.

Each mark is tried separately: the call is replayed under its own plan up to the marked voice, and under the other plan
from its onset on, so that one decision never affects the next mark. The caller's side is that of the real call: after
the assistant stopped there, it is that of a caller who was allowed to speak.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bargein.call.plan.compile import with_stop_speaking
from bargein.call.record.journal import Head
from bargein.call.tuning.marks import Mark, MarkError, MarkKind, Run, nearest_run
from bargein.turns import Plan, State, step, wake_at
from bargein.turns.commands import Decide
from bargein.turns.events import Event, Tick, VoiceStarted
from bargein.wire.errors import parse_request
from bargein.wire.plans import StopSpeakingPlan

HIT_MS = 2000
"""An interruption that stops the assistant later than this counts as missed."""

FALSE_AFTER_MS = 1000
"""A stop within this time after the end of a voice is attributed to it."""

ADAPTIVE = "{}"
"""The plan of an assistant without numbers: adaptive interruption."""

DEFAULT_PLANS: tuple[dict[str, Any], ...] = (
    {},
    *({"voiceSeconds": seconds} for seconds in (0.1, 0.2, 0.3, 0.4, 0.5)),
    *({"numWords": words} for words in (1, 2, 3)),
)
"""The `stopSpeakingPlan`s that are compared if none are named."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one plan for one mark.

    Attributes:
        kind: the kind of the voice.
        interruptible: whether the assistant could be interrupted at the onset; if not, the mark is not counted.
        stop_ms: how long after the onset the assistant stopped; None: it did not, in the time that counts.
    """

    kind: MarkKind
    interruptible: bool
    stop_ms: int | None


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The result of one plan for all marks.

    Attributes:
        name: the plan's JSON.
        interruptions: the number of true interruptions over the assistant.
        caught: how many of them stopped the assistant.
        latencies_ms: the latencies of these, in ascending order.
        others: the number of other voices over the assistant.
        stops: how many of them stopped the assistant, by kind.
    """

    name: str
    interruptions: int
    caught: int
    latencies_ms: tuple[int, ...]
    others: int
    stops: tuple[tuple[str, int], ...]

    def percentile(self, percent: int) -> int | None:
        """Return a percentile of the latencies; None if there are none."""
        if not self.latencies_ms:
            return None
        return self.latencies_ms[min(len(self.latencies_ms) - 1, len(self.latencies_ms) * percent // 100)]


@dataclass(frozen=True, slots=True)
class MarkedCall:
    """A recorded call with its marks.

    Attributes:
        head: the head of its journal.
        events: all events.
        runs: the caller's runs of voice.
        marks: the marks of some of them.
    """

    head: Head
    events: tuple[Event, ...]
    runs: tuple[Run, ...]
    marks: tuple[Mark, ...]


def plan_with(plan: Plan, stop_speaking: dict[str, Any]) -> Plan:
    """Return a call's plan with another `stopSpeakingPlan` (JSON values); without numbers, with adaptive interruption.

    Raises:
        WireError: it is not a valid `stopSpeakingPlan`.
    """
    bare = replace(plan, adaptive_interruption=True, num_words=0, voice_ms=Plan().voice_ms)
    return with_stop_speaking(bare, parse_request(StopSpeakingPlan, stop_speaking))


def tune(calls: Sequence[MarkedCall], plans: Iterable[tuple[str, dict[str, Any] | None]]) -> Iterator[PlanResult]:
    """Try plans, given by name and JSON; None is each call's own plan.

    Raises:
        WireError: a plan is not valid.
        MarkError: no voice begins at a mark.
    """
    for name, stop_speaking in plans:
        trials: list[Trial] = []
        for call in calls:
            trials.extend(_try(call, mark, stop_speaking) for mark in call.marks)
        yield _row(name, [trial for trial in trials if trial.interruptible])


def _row(name: str, trials: Sequence[Trial]) -> PlanResult:
    true = [trial for trial in trials if trial.kind == "interruption"]
    others = [trial for trial in trials if trial.kind != "interruption"]
    stopped = [trial.kind for trial in others if trial.stop_ms is not None]
    return PlanResult(
        name=name,
        interruptions=len(true),
        caught=sum(trial.stop_ms is not None for trial in true),
        latencies_ms=tuple(sorted(trial.stop_ms for trial in true if trial.stop_ms is not None)),
        others=len(others),
        stops=tuple((kind, stopped.count(kind)) for kind in sorted(set(stopped))),
    )


def _try(call: MarkedCall, mark: Mark, stop_speaking: dict[str, Any] | None) -> Trial:
    run = nearest_run(call.runs, mark.at_ms)
    begin = next(n for n, event in enumerate(call.events) if _begins(event, run))
    state = State(call_id=call.head.call_id)
    for event in call.events[:begin]:
        state, _ = step(state, event, call.head.plan)
    interruptible = _is_audible(state)
    plan = state.plan or call.head.plan
    if stop_speaking is not None:
        plan = plan_with(plan, stop_speaking)
        state = replace(state, plan=None if state.plan is None else plan)
    until_ms = _until(call, mark, run)
    for at_ms, decision in _decisions(state, call.events[begin:], plan, until_ms):
        if decision.what == "stopped":
            return Trial(mark.kind, interruptible, at_ms - run.onset_ms)
    return Trial(mark.kind, interruptible, None)


def _decisions(state: State, events: Sequence[Event], plan: Plan, until_ms: int) -> Iterator[tuple[int, Decide]]:
    """Yield the decisions up to `until_ms`, with the ticks that this plan needs and the journal does not have."""
    for number, event in enumerate(events):
        # The voice comes first: the trial begins at its onset.
        while number and (due := wake_at(state, plan)) is not None and due <= min(event.at_ms, until_ms):
            state, commands = step(state, Tick(due), plan)
            yield from ((due, command) for command in commands if isinstance(command, Decide))
        if event.at_ms > until_ms:
            return
        state, commands = step(state, event, plan)
        yield from ((state.now_ms, command) for command in commands if isinstance(command, Decide))


def _until(call: MarkedCall, mark: Mark, run: Run) -> int:
    """Return the time up to which a stop is attributed to the marked voice."""
    if mark.kind == "interruption":
        return run.onset_ms + HIT_MS
    end_ms = (run.end_ms or call.events[-1].at_ms) + FALSE_AFTER_MS
    following = next((other.at_ms for other in call.marks if other.at_ms > mark.at_ms), end_ms)
    return min(end_ms, following)


def _begins(event: Event, run: Run) -> bool:
    return isinstance(event, VoiceStarted) and min(event.onset_ms, event.at_ms) == run.onset_ms


def _is_audible(state: State) -> bool:
    reply = state.reply
    return reply is not None and reply.audible_ms is not None and reply.interruptible


__all__ = ["ADAPTIVE", "DEFAULT_PLANS", "MarkError", "MarkedCall", "PlanResult", "Trial", "plan_with", "tune"]
