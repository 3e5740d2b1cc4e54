"""Replay of a call from its journal, under its own plan or another: the same engine, the same events."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bargein.call.record.journal import Head
from bargein.turns import Plan, State, step
from bargein.turns.commands import Command
from bargein.turns.events import Event


class Moment(NamedTuple):
    """One step of a call: the event, its commands and the state after it."""

    at_ms: int
    event: Event
    commands: tuple[Command, ...]
    state: State


def replay(head: Head, events: Iterable[Event], plan: Plan | None = None) -> Iterator[Moment]:
    """Run the journal's events through the engine, one by one.

    Under the call's own plan the commands are those of the live call. Under another plan the decisions are that plan's,
    on the same events; after the first decision that differs, the real caller would have reacted to something else.
    """
    state = State(call_id=head.call_id)
    for event in events:
        state, commands = step(state, event, plan or head.plan)
        yield Moment(state.now_ms, event, commands, state)
