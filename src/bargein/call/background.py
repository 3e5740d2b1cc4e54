"""Work that is decided on where there is no task that could own it."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_MAX_WAITING = 100

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]


class BackgroundTasks:
    """The errands of one call.

    They are begun by a task of the call's own: a timer's callback, where many of them are decided, has no task that
    could own them.
    """

    def __init__(self) -> None:
        self._begun, self._to_begin = anyio.create_memory_object_stream[BackgroundTask](_MAX_WAITING)

    def begin(self, errand: BackgroundTask) -> None:
        """Have it done; returns at once."""
        self._begun.send_nowait(errand)

    async def direct(self, tasks: "TaskGroup") -> None:
        """Begin errands as tasks of `tasks` until cancelled."""
        async with self._begun, self._to_begin:
            async for errand in self._to_begin:
                tasks.start_soon(errand)
