"""Does the jobs that were submitted, again and again until they are done: at least once each, also across a crash."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import anyio
import structlog
from anyio.abc import TaskGroup

from bargein.ports import Job, StoreError
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.fleet")

Handler = Callable[[JsonObject, str], Awaitable[None]]
"""Does a job, given its payload and key. To return means that it is done; whatever it raises means that it is not."""

PATIENCE_MS = 72 * 3600 * 1000
"""A job that fails for so long is given up."""

_AT_ONCE = 8
_LONGEST_WAIT_MS = 300_000
_FIRST_WAIT_MS = 1_000
_JOB_S = 300.0
_LEASE_MS = 330_000
_LOOK_S = 15.0
"""How often to look for what other servers submitted or left behind."""
_AWAY_S = 2.0


class JobQueue(Protocol):
    """Where jobs lie; see `bargein.store.jobs.JobTable`."""

    async def take(self, node_id: str, count: int, lease_ms: int) -> Sequence[Job]:
        """Take jobs that are due, for some time."""
        ...

    async def done(self, job_id: int) -> None:
        """Strike a job out."""
        ...

    async def again(self, job_id: int, in_ms: int) -> None:
        """Put a job back."""
        ...

    async def release(self, node_id: str) -> None:
        """Let go of what a server took that is no more."""
        ...

    async def due_in_ms(self) -> int | None:
        """How long until a job is due."""
        ...


class Worker:
    """Does jobs while it runs.

    Args:
        shelf: where they lie.
        handlers: by the kind of job; a job of another kind stays for a server that knows it.
        node_id: this server.
    """

    def __init__(self, queue: JobQueue, handlers: Mapping[str, Handler], node_id: str) -> None:
        self._queue = queue
        self._handlers = handlers
        self._node_id = node_id
        self._news = anyio.Event()
        self._running = 0
        self._busy = True
        self._idle = anyio.Event()

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._busy = True
        self._news.set()

    async def settled(self) -> None:
        """Wait until nothing is being done and nothing is due; what failed and is due later does not count."""
        while self._running or self._busy:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def run(self) -> None:
        """Work until cancelled. What is then under way is done again by whoever comes next."""
        released = False
        async with anyio.create_task_group() as tasks:
            while True:
                self._news = anyio.Event()
                try:
                    if not released:
                        await self._queue.release(self._node_id)
                        released = True
                    wait_s = await self._begin(tasks)
                except StoreError:
                    wait_s = _AWAY_S
                self._busy = wait_s == 0.0 or self._news.is_set()
                if not self._busy:
                    self._idle.set()
                with anyio.move_on_after(wait_s):
                    await self._news.wait()

    async def _begin(self, tasks: TaskGroup) -> float:
        """Begin what is due; gives how long to wait then."""
        room = _AT_ONCE - self._running
        taken = await self._queue.take(self._node_id, room, _LEASE_MS) if room > 0 else ()
        for job in taken:
            self._running += 1
            tasks.start_soon(self._do, job)
        if self._running >= _AT_ONCE or taken:
            return _LOOK_S if self._running >= _AT_ONCE else 0.0
        due_ms = await self._queue.due_in_ms()
        return _LOOK_S if due_ms is None else min(_LOOK_S, max(due_ms / 1000, 0.05))

    async def _do(self, job: Job) -> None:
        try:
            await self._settle(job, await self._tried(job))
        finally:
            self._running -= 1
            self.wake()

    async def _tried(self, job: Job) -> str | None:
        """Do a job; gives what went wrong."""
        handler = self._handlers.get(job.kind)
        if handler is None:
            return "this server does not know this kind of job"
        try:
            with anyio.fail_after(_JOB_S):
                await handler(job.payload, job.key)
        except Exception as error:  # noqa: BLE001  # whatever goes wrong with one job: it is done again
            return str(error) or type(error).__name__
        return None

    async def _settle(self, job: Job, failure: str | None) -> None:
        where = {"kind": job.kind, "key": job.key, "attempt": job.attempts + 1}
        if failure is not None and job.age_ms < PATIENCE_MS:
            wait_ms = _wait_ms(job.attempts)
            _log.warning("a job failed, and will be done again", **where, reason=failure, in_s=round(wait_ms / 1000, 1))
            await self._insist(lambda: self._queue.again(job.id, wait_ms))
            return
        if failure is not None:
            _log.error("a job was given up", **where, reason=failure)
        await self._insist(lambda: self._queue.done(job.id))

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write what became of a job, also if the database is away for a while."""
        while True:
            try:
                return await write()
            except StoreError:
                await anyio.sleep(_AWAY_S)


def _wait_ms(attempts: int) -> int:
    """How long to wait after so many failures and one more: twice as long each time, and never all at once."""
    longest = min(_FIRST_WAIT_MS << min(attempts, 20), _LONGEST_WAIT_MS)
    return int(longest * random.uniform(0.75, 1.0))  # noqa: S311  # nothing depends on its not being guessed
