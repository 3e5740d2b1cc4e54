"""Work that outlives the call it came from, done by this process (`bargein.ports.Jobs`)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
import structlog

from bargein.ports import ServerError
from bargein.wire.base import JsonObject

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_log = structlog.get_logger("bargein.server")

Handler = Callable[[JsonObject, str], Awaitable[None]]

_TRIES = 12
_LONGEST_DELAY_S = 120.0


class LocalJobs:
    """Does jobs in the server's own tasks, again and again while they fail; what a crash leaves undone is lost.

    Args:
        tasks: the server's.
        handlers: by the kind of job.
    """

    def __init__(self, tasks: "TaskGroup", handlers: dict[str, Handler]) -> None:
        self._tasks = tasks
        self._handlers = handlers
        self._taken: set[str] = set()
        self._undone: set[str] = set()
        self._idle = anyio.Event()

    async def settle(self, seconds: float) -> None:
        """Wait so long for what is being done; what then is not done is given up."""
        with anyio.move_on_after(seconds):
            while self._undone:
                self._idle = anyio.Event()
                await self._idle.wait()
        for key in self._undone:
            _log.error("a job was not done when the server stopped", key=key)

    async def submit(self, kind: str, payload: JsonObject, *, key: str) -> None:
        """See `bargein.ports.Jobs.submit`."""
        if key not in self._taken:
            self._taken.add(key)
            self._undone.add(key)
            self._tasks.start_soon(self._do, kind, payload, key)

    async def _do(self, kind: str, payload: JsonObject, key: str) -> None:
        await self._tried(kind, payload, key)
        self._undone.discard(key)
        self._idle.set()

    async def _tried(self, kind: str, payload: JsonObject, key: str) -> None:
        for attempt in range(_TRIES):
            try:
                await self._handlers[kind](payload, key)
            except ServerError as error:
                _log.warning("a job failed, and is tried again", kind=kind, key=key, detail=str(error))
            except Exception as error:  # noqa: BLE001  # one job's bug must not end the server
                _log.error("a job broke", kind=kind, key=key, exc_info=error)
                return
            else:
                return
            await anyio.sleep(min(2.0**attempt, _LONGEST_DELAY_S))
        _log.error("a job was given up", kind=kind, key=key)
