"""The items of the agenda."""

from collections.abc import Callable
from typing import NamedTuple

from bargein.turns.plan import Plan
from bargein.turns.state import Change, State


class Item(NamedTuple):
    """Something that the engine does when its time comes, without an event that asks for it.

    Attributes:
        name: a few words for it, unique in the agenda.
        why: a sentence: when it is due, and what then happens.
        due_ms: the time at which it is due if nothing else happens; None: not at all in this state.
        act: what then happens. Afterwards it must not be due, or be due later.
        closing: it also happens while the call is ending and its `call.ending` hooks run.
    """

    name: str
    why: str
    due_ms: Callable[[State, Plan], int | None]
    act: Callable[[State, Plan], Change]
    closing: bool = False
