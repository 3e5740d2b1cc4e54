"""Jobs as rows: written in the transaction they come from, leased by one server at a time, deleted when done."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.clock import SteadyClock
from bargein.ports import ALL_JOBS, Job, JobKinds
from bargein.store.database import Database
from bargein.store.tables import jobs
from bargein.store.vault import Vault
from bargein.wire.base import JsonObject


class NewJob(NamedTuple):
    """A job to be submitted (`bargein.ports.Jobs.submit`)."""

    kind: str
    payload: JsonObject
    key: str


class JobTable:
    """The stored jobs: a `bargein.ports.Jobs` and a `bargein.fleet.jobs.JobQueue`.

    Jobs about one call (`payload["callId"]`) run in their order, the others side by side.

    Args:
        database: the database that holds them.
        clock: the clock by which they are due. It is not the wall clock: after that was set back by an hour, a job that
            is due in a second must not wait for an hour.
        vault: encrypts their payloads.
    """

    def __init__(self, database: Database, clock: SteadyClock, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self.on_submit: Callable[[], None] = lambda: None

    async def submit(self, kind: str, payload: JsonObject, *, key: str) -> None:
        """Store a job in a transaction of its own; one that waits under the same key is not stored again."""
        async with self._database.writing() as connection:
            await self.put(connection, NewJob(kind, payload, key))
        self.on_submit()

    async def put(self, connection: AsyncConnection, job: NewJob) -> None:
        """Store a job as part of a transaction; one that waits under the same key is not stored again."""
        now = self._clock.now_ms()
        about: object = job.payload.get("callId")
        values: dict[str, Any] = {
            "key": job.key,
            "lane": about if isinstance(about, str) else job.key,
            "kind": job.kind,
            "payload": self._vault.seal(job.payload),
            "attempts": 0,
            "created_at": now,
            "due_at": now,
        }
        if (await connection.execute(select(jobs.c.id).where(jobs.c.key == job.key))).first() is None:
            await connection.execute(insert(jobs).values(values))

    async def lease(self, node_id: str, count: int, lease_ms: int, kinds: JobKinds = ALL_JOBS) -> Sequence[Job]:
        """Lease jobs that are due; no other server can lease them before `lease_ms` have passed.

        Args:
            node_id: the id of the server that leases them.
            count: the number of jobs at most.
            lease_ms: the length of the lease.
            kinds: the kinds of job to look for.
        """
        now = self._clock.now_ms()
        wanted = (
            select(jobs)
            .where(_is_due(now), _free(now), _first_of_its_lane(), _of(kinds))
            .order_by(jobs.c.due_at, jobs.c.id)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        async with self._database.writing() as connection:
            rows = (await connection.execute(wanted)).mappings().all()
            ids = [row["id"] for row in rows]
            if ids:
                leased = {"leased_by": node_id, "leased_until": now + lease_ms}
                await connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(leased))
        return [
            Job(
                row["id"],
                row["kind"],
                self._vault.open(row["payload"]),
                row["key"],
                row["attempts"],
                now - row["created_at"],
            )
            for row in rows
        ]

    async def complete(self, job_id: int) -> None:
        """Delete a job that is done or given up."""
        async with self._database.writing() as connection:
            await connection.execute(delete(jobs).where(jobs.c.id == job_id))

    async def retry(self, job_id: int, in_ms: int) -> None:
        """Count a failed attempt, and make the job due again in `in_ms`."""
        values = {
            "attempts": jobs.c.attempts + 1,
            "due_at": self._clock.now_ms() + in_ms,
            "leased_by": None,
            "leased_until": None,
        }
        async with self._database.writing() as connection:
            await connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))

    async def release(self, node_id: str, kinds: JobKinds = ALL_JOBS) -> None:
        """Release the leases of an earlier process of a server; its jobs are due now."""
        now = self._clock.now_ms()
        values = {"leased_by": None, "leased_until": None, "due_at": now}
        async with self._database.writing() as connection:
            await connection.execute(update(jobs).where(jobs.c.leased_by == node_id, _of(kinds)).values(values))

    async def due_in_ms(self, kinds: JobKinds = ALL_JOBS) -> int | None:
        """Return the time until the next job is due; None if there is none."""
        now = self._clock.now_ms()
        when = func.min(func.coalesce(jobs.c.leased_until, jobs.c.due_at))
        async with self._database.reading() as connection:
            wanted = select(when).where(_first_of_its_lane(), _of(kinds))
            due = (await connection.execute(wanted)).scalar_one_or_none()
        return None if due is None else max(0, due - now)

    async def waiting(self) -> int:
        """Return the number of stored jobs."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.count()).select_from(jobs))).scalar_one()


_FARTHEST_MS = 600_000
"""A job that is due, or leased, for longer than this was stored before the clock was set back and the server restarted:
waits (`bargein.fleet.jobs`) are of 5 minutes at most, leases of 5.5."""


def _is_due(now: int) -> Any:
    return or_(jobs.c.due_at <= now, jobs.c.due_at > now + _FARTHEST_MS)


def _free(now: int) -> Any:
    until = jobs.c.leased_until
    return or_(until.is_(None), until < now, until > now + _FARTHEST_MS)


def _of(kinds: JobKinds) -> Any:
    return jobs.c.kind.not_in(kinds.names) if kinds.others else jobs.c.kind.in_(kinds.names)


def _first_of_its_lane() -> Any:
    earlier = jobs.alias()
    return ~exists().where(earlier.c.lane == jobs.c.lane, earlier.c.id < jobs.c.id)
