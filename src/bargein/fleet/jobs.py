"""Runs submitted jobs and retries them until they succeed: at least once each, also across a crash."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio
import structlog
from anyio.abc import TaskGroup

from bargein.ports import ALL_JOBS, Job, JobKinds, StoreError
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.fleet")

Handler = Callable[[JsonObject, str], Awaitable[None]]
"""Runs a job, given its payload and key. The job is done when it returns, and is retried when it raises anything."""

PATIENCE_MS = 72 * 3600 * 1000
"""A job that has failed for this long is given up."""

_MAX_WAIT_MS = 300_000
_FIRST_WAIT_MS = 1_000
_POLL_S = 15.0
"""Poll interval for jobs that other servers submitted or left behind."""
_DATABASE_RETRY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """The limits of a worker.

    Attributes:
        running: the number of jobs at once.
        job_s: the time that a job may take.
        lease_ms: for how long a job is kept from other servers; longer than `job_s`.
    """

    running: int = 8
    job_s: float = 300.0
    lease_ms: int = 330_000


MOST_LONG_JOBS = 16
"""The most evals and analyses of calls that one server does at once; the others wait."""

LONG_JOBS = WorkerLimits(running=MOST_LONG_JOBS, job_s=560.0, lease_ms=590_000)
"""The limits of jobs that run for minutes, as evals and analyses do. They have a worker of their own, so
that no message to an owner waits behind them."""


class JobQueue(Protocol):
    """The stored jobs (`bargein.store.jobs.JobTable`)."""

    async def lease(self, node_id: str, count: int, lease_ms: int, kinds: JobKinds = ...) -> Sequence[Job]:
        """Lease up to `count` jobs of some kinds that are due to `node_id` for `lease_ms`."""
        ...

    async def complete(self, job_id: int) -> None:
        """Remove a job that is done or given up."""
        ...

    async def retry(self, job_id: int, in_ms: int) -> None:
        """Return a job to the queue, due in `in_ms`."""
        ...

    async def release(self, node_id: str, kinds: JobKinds = ...) -> None:
        """Release the leases for jobs of some kinds that an earlier process of this server held."""
        ...

    async def due_in_ms(self, kinds: JobKinds = ...) -> int | None:
        """Return the time until the next job of some kinds is due; None if there is none."""
        ...


class Worker:
    """Runs due jobs.

    Args:
        queue: the stored jobs.
        handlers: the handler for each kind of job; a job of another kind stays for a server that knows it.
        node_id: the id of this server.
        kinds: the kinds of job that it looks for.
        limits: how many it runs at once, and for how long.
    """

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        node_id: str,
        kinds: JobKinds = ALL_JOBS,
        limits: WorkerLimits = WorkerLimits(),
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._node_id = node_id
        self._kinds = kinds
        self._limits = limits
        self._wakeup = anyio.Event()
        self._running = 0
        self._busy = True
        self._idle = anyio.Event()

    def wake(self) -> None:
        """Look for due jobs now."""
        self._busy = True
        self._wakeup.set()

    async def settled(self) -> None:
        """Wait until no job is running and none is due; failed jobs that are due later do not count."""
        while self._running or self._busy:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def run(self) -> None:
        """Run jobs until cancelled. A job that is cancelled is run again by the next server that leases it."""
        released = False
        async with anyio.create_task_group() as tasks:
            while True:
                self._wakeup = anyio.Event()
                try:
                    if not released:
                        await self._queue.release(self._node_id, self._kinds)
                        released = True
                    wait_s = await self._start_due(tasks)
                except StoreError:
                    wait_s = _DATABASE_RETRY_S
                self._busy = wait_s == 0.0 or self._wakeup.is_set()
                if not self._busy:
                    self._idle.set()
                with anyio.move_on_after(wait_s):
                    await self._wakeup.wait()

    async def _start_due(self, tasks: TaskGroup) -> float:
        """Start the jobs that are due, and return how many seconds to wait before the next look."""
        most = self._limits.running
        free = most - self._running
        leased: Sequence[Job] = ()
        if free > 0:
            leased = await self._queue.lease(self._node_id, free, self._limits.lease_ms, self._kinds)
        for job in leased:
            self._running += 1
            tasks.start_soon(self._process, job)
        if self._running >= most or leased:
            return _POLL_S if self._running >= most else 0.0
        due_ms = await self._queue.due_in_ms(self._kinds)
        return _POLL_S if due_ms is None else min(_POLL_S, max(due_ms / 1000, 0.05))

    async def _process(self, job: Job) -> None:
        try:
            await self._record_outcome(job, await self._attempt(job))
        finally:
            self._running -= 1
            self.wake()

    async def _attempt(self, job: Job) -> str | None:
        """Run a job, and return the reason of its failure; None if it succeeded."""
        handler = self._handlers.get(job.kind)
        if handler is None:
            return "this server does not know this kind of job"
        try:
            with anyio.fail_after(self._limits.job_s):
                await handler(job.payload, job.key)
        except Exception as error:  # noqa: BLE001  # whatever goes wrong with one job: it is retried
            return str(error) or type(error).__name__
        return None

    async def _record_outcome(self, job: Job, failure: str | None) -> None:
        where = {"kind": job.kind, "key": job.key, "attempt": job.attempts + 1}
        if failure is not None and job.age_ms < PATIENCE_MS:
            wait_ms = _wait_ms(job.attempts)
            _log.warning("a job failed and will be retried", **where, reason=failure, in_s=round(wait_ms / 1000, 1))
            await self._write(lambda: self._queue.retry(job.id, wait_ms))
            return
        if failure is not None:
            _log.error("a job was given up", **where, reason=failure)
        await self._write(lambda: self._queue.complete(job.id))

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write a job's outcome, and try again while the database is away."""
        while True:
            try:
                return await write()
            except StoreError:
                await anyio.sleep(_DATABASE_RETRY_S)


def _wait_ms(attempts: int) -> int:
    """Return the wait after one more failure than `attempts`: it doubles each time, with jitter to spread retries."""
    limit_ms = min(_FIRST_WAIT_MS << min(attempts, 20), _MAX_WAIT_MS)
    return int(limit_ms * random.uniform(0.75, 1.0))  # noqa: S311  # jitter need not be unpredictable
