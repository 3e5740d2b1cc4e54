"""What other plans would have done with calls that a person has marked.

Each mark is tried by itself: the call is run under its own plan up to the marked voice, and under the plan in question
from its onset on. So one plan's decision never spoils the next mark, though after the moment at which the real call
stopped the caller's side is that of a caller who had been yielded to.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bargein.call.plan.compile import with_stop_speaking
from bargein.call.record.journal import Head
from bargein.call.tuning.marks import Mark, MarkError, MarkKind, Run, place
from bargein.turns import Plan, State, step, wake_at
from bargein.turns.commands import Decide
from bargein.turns.events import Event, Tick, VoiceStarted
from bargein.wire.errors import parse_request
from bargein.wire.plans import StopSpeakingPlan

HIT_MS = 2000
"""A true interruption that is yielded to later than this was missed."""

FALSE_AFTER_MS = 1000
"""A stop so long after a sound's end is still blamed on it."""

EVIDENCE = "{}"
"""The plan that leaves it to the evidence, as an assistant without numbers has it."""

USUAL: tuple[dict[str, Any], ...] = (
    {},
    *({"voiceSeconds": seconds} for seconds in (0.1, 0.2, 0.3, 0.4, 0.5)),
    *({"numWords": words} for words in (1, 2, 3)),
)
"""The `stopSpeakingPlan`s that are tried where none are named."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one plan did about one mark.

    Attributes:
        kind: what the voice was.
        sounding: whether the assistant could be cut when the voice began; else the mark says nothing.
        stop_ms: how long after the onset the assistant was stopped; None: it was not, in the time that counts.
    """

    kind: MarkKind
    sounding: bool
    stop_ms: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """What one plan did about all marks.

    Attributes:
        name: the plan's JSON.
        interruptions: how many true ones there were over the assistant's voice.
        caught: and how many of them it yielded to.
        latencies_ms: of these, in order of size.
        others: how many voices there were that take no floor.
        stops: how many of them stopped it, by their kind.
    """

    name: str
    interruptions: int
    caught: int
    latencies_ms: tuple[int, ...]
    others: int
    stops: tuple[tuple[str, int], ...]

    def percentile(self, percent: int) -> int | None:
        """Of the latencies."""
        if not self.latencies_ms:
            return None
        return self.latencies_ms[min(len(self.latencies_ms) - 1, len(self.latencies_ms) * percent // 100)]


@dataclass(frozen=True, slots=True)
class Marked:
    """A recorded call with its marks.

    Attributes:
        head: of its journal.
        events: all of them.
        runs: the caller's runs of voice.
        marks: what some of them were.
    """

    head: Head
    events: tuple[Event, ...]
    runs: tuple[Run, ...]
    marks: tuple[Mark, ...]


def plan_like(plan: Plan, stop_speaking: dict[str, Any]) -> Plan:
    """A call's plan with another `stopSpeakingPlan` (JSON values); without numbers the evidence decides.

    Raises:
        WireError: it is no such plan.
    """
    bare = replace(plan, adaptive_interruption=True, num_words=0, voice_ms=Plan().voice_ms)
    return with_stop_speaking(bare, parse_request(StopSpeakingPlan, stop_speaking))


def tune(calls: Sequence[Marked], plans: Iterable[tuple[str, dict[str, Any] | None]]) -> Iterator[Row]:
    """Try plans, by name and JSON; None is the plan that each call had.

    Raises:
        WireError: one is no plan.
        MarkError: a mark lies where no voice begins.
    """
    for name, asked in plans:
        trials: list[Trial] = []
        for call in calls:
            trials.extend(_try(call, mark, asked) for mark in call.marks)
        yield _row(name, [trial for trial in trials if trial.sounding])


def _row(name: str, trials: Sequence[Trial]) -> Row:
    true = [trial for trial in trials if trial.kind == "interruption"]
    others = [trial for trial in trials if trial.kind != "interruption"]
    stopped = [trial.kind for trial in others if trial.stop_ms is not None]
    return Row(
        name=name,
        interruptions=len(true),
        caught=sum(trial.stop_ms is not None for trial in true),
        latencies_ms=tuple(sorted(trial.stop_ms for trial in true if trial.stop_ms is not None)),
        others=len(others),
        stops=tuple((kind, stopped.count(kind)) for kind in sorted(set(stopped))),
    )


def _try(call: Marked, mark: Mark, asked: dict[str, Any] | None) -> Trial:
    run = place(call.runs, mark.at_ms)
    begin = next(n for n, event in enumerate(call.events) if _begins(event, run))
    state = State(call_id=call.head.call_id)
    for event in call.events[:begin]:
        state, _ = step(state, event, call.head.plan)
    sounding = _is_audible(state)
    plan = state.plan or call.head.plan
    if asked is not None:
        plan = plan_like(plan, asked)
        state = replace(state, plan=None if state.plan is None else plan)
    until_ms = _until(call, mark, run)
    for at_ms, decision in _decisions(state, call.events[begin:], plan, until_ms):
        if decision.what == "stopped":
            return Trial(mark.kind, sounding, at_ms - run.onset_ms)
    return Trial(mark.kind, sounding, None)


def _decisions(state: State, events: Sequence[Event], plan: Plan, until_ms: int) -> Iterator[tuple[int, Decide]]:
    """What is decided up to a moment. Another plan than the call's own wants ticks that the journal has not."""
    for number, event in enumerate(events):
        # The voice itself comes first: what was said before it is no matter of this trial.
        while number and (due := wake_at(state, plan)) is not None and due <= min(event.at_ms, until_ms):
            state, commands = step(state, Tick(due), plan)
            yield from ((due, command) for command in commands if isinstance(command, Decide))
        if event.at_ms > until_ms:
            return
        state, commands = step(state, event, plan)
        yield from ((state.now_ms, command) for command in commands if isinstance(command, Decide))


def _until(call: Marked, mark: Mark, run: Run) -> int:
    """How long a stop is that voice's doing."""
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


__all__ = ["EVIDENCE", "USUAL", "MarkError", "Marked", "Row", "Trial", "plan_like", "tune"]
