"""Background tasks of a call: started from callbacks, which have no task group of their own."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_MAX_WAITING = 100

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]


class BackgroundTasks:
    """The background tasks of one call.

    A task of the call starts them in its task group, because many are requested by a timer's callback, which has none.
    """

    def __init__(self) -> None:
        self._to_start_in, self._to_start = anyio.create_memory_object_stream[BackgroundTask](_MAX_WAITING)

    def start(self, task: BackgroundTask) -> None:
        """Request the start of a task; returns at once."""
        self._to_start_in.send_nowait(task)

    async def run(self, tasks: "TaskGroup") -> None:
        """Start requested tasks in `tasks` until cancelled."""
        async with self._to_start_in, self._to_start:
            async for task in self._to_start:
                tasks.start_soon(task)
