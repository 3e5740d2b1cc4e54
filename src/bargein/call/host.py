"""What the parts of a call know of it."""

from collections.abc import Mapping
from typing import Protocol

from bargein.call.setting import Setting
from bargein.turns import State
from bargein.turns.events import Event


class Host(Protocol):
    """The call that a part works for.

    Attributes:
        epoch_ms: milliseconds since 1970 at which the call's time began.
        zero_ms: the clock's reading at that moment.
    """

    epoch_ms: int
    zero_ms: float

    @property
    def setting(self) -> Setting:
        """Of the assistant that has the call."""
        ...

    @property
    def state(self) -> State:
        """Where the engine stands."""
        ...

    def now_ms(self) -> float:
        """Milliseconds since the call began."""
        ...

    def post(self, event: Event) -> None:
        """Tell the engine."""
        ...

    def render(self, text: str, values: Mapping[str, object]) -> str:
        """Fill in the templates of a text, which may also name these values."""
        ...

    async def moved(self) -> None:
        """Wait until the engine has been told something more."""
        ...
