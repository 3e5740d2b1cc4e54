"""What an item of the agenda is."""

from collections.abc import Callable
from typing import NamedTuple

from bargein.turns.plan import Plan
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import State


class Item(NamedTuple):
    """Something that comes due.

    Attributes:
        due_ms: when, if nothing else happens; None: not as things stand.
        act: what then happens.
        closing: also while a call is ending, and its hooks do what they do.
    """

    due_ms: Callable[[State, Plan], int | None]
    act: Callable[[State, Plan], Change]
    closing: bool = False
