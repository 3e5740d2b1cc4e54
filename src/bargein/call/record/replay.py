"""Run a call again from its journal, under its own plan or another: the same engine, the same events."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bargein.call.record.journal import Head
from bargein.turns import Plan, State, step
from bargein.turns.commands import Command
from bargein.turns.events import Event


class Moment(NamedTuple):
    """One step of a call."""

    at_ms: int
    event: Event
    commands: tuple[Command, ...]
    state: State


def replay(head: Head, events: Iterable[Event], plan: Plan | None = None) -> Iterator[Moment]:
    """Take the journal's events one by one.

    Under the call's own plan every command comes as it did then. Under another plan the decisions are that plan's, on
    the same caller; from the first one that differs on, the caller has of course heard something else.
    """
    state = State(call_id=head.call_id)
    for event in events:
        state, commands = step(state, event, plan or head.plan)
        yield Moment(state.now_ms, event, commands, state)
