"""Jobs as rows: put there in the transaction of what they come from, taken by one server at a time, gone when done."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.clock import Clock
from bargein.ports import Job
from bargein.store.database import Database
from bargein.store.tables import jobs
from bargein.wire.base import JsonObject


class NewJob(NamedTuple):
    """A job to be put down; see `bargein.ports.Jobs.submit`."""

    kind: str
    payload: JsonObject
    key: str


class JobTable:
    """The jobs (`bargein.ports.Jobs`), and what takes them from there (`bargein.fleet.jobs.Shelf`).

    Jobs about one call (`payload["callId"]`) are done in their order, the others side by side.

    Args:
        database: where they are.
        clock: says what is due.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.on_news: Callable[[], None] = lambda: None

    async def submit(self, kind: str, payload: JsonObject, *, key: str) -> None:
        """See `bargein.ports.Jobs.submit`."""
        async with self._database.writing() as connection:
            await self.put(connection, NewJob(kind, payload, key))
        self.on_news()

    async def put(self, connection: AsyncConnection, job: NewJob) -> None:
        """Put a job down as a part of a transaction; one that waits under the same key is that job."""
        now = self._clock.epoch_ms()
        about: object = job.payload.get("callId")
        values: dict[str, Any] = {
            "key": job.key,
            "lane": about if isinstance(about, str) else job.key,
            "kind": job.kind,
            "payload": job.payload,
            "attempts": 0,
            "created_at": now,
            "due_at": now,
        }
        if (await connection.execute(select(jobs.c.id).where(jobs.c.key == job.key))).first() is None:
            await connection.execute(insert(jobs).values(values))

    async def take(self, node_id: str, count: int, lease_ms: int) -> Sequence[Job]:
        """Take jobs that are due; nobody else takes them before `lease_ms` have passed.

        Args:
            node_id: who takes them.
            count: at most so many.
            lease_ms: for so long.
        """
        now = self._clock.epoch_ms()
        wanted = (
            select(jobs)
            .where(jobs.c.due_at <= now, _free(now), _first_of_its_lane())
            .order_by(jobs.c.due_at, jobs.c.id)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        async with self._database.writing() as connection:
            rows = (await connection.execute(wanted)).mappings().all()
            ids = [row["id"] for row in rows]
            if ids:
                lease = {"leased_by": node_id, "leased_until": now + lease_ms}
                await connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(lease))
        return [
            Job(row["id"], row["kind"], row["payload"], row["key"], row["attempts"], now - row["created_at"])
            for row in rows
        ]

    async def done(self, job_id: int) -> None:
        """Strike a job out."""
        async with self._database.writing() as connection:
            await connection.execute(delete(jobs).where(jobs.c.id == job_id))

    async def again(self, job_id: int, in_ms: int) -> None:
        """A job failed: it is due again so much later."""
        values = {
            "attempts": jobs.c.attempts + 1,
            "due_at": self._clock.epoch_ms() + in_ms,
            "leased_by": None,
            "leased_until": None,
        }
        async with self._database.writing() as connection:
            await connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))

    async def release(self, node_id: str) -> None:
        """Let go of what a server took that is no more; they are due now."""
        now = self._clock.epoch_ms()
        values = {"leased_by": None, "leased_until": None, "due_at": now}
        async with self._database.writing() as connection:
            await connection.execute(update(jobs).where(jobs.c.leased_by == node_id).values(values))

    async def due_in_ms(self) -> int | None:
        """How long until a job is due; None while there is none."""
        now = self._clock.epoch_ms()
        when = func.min(func.coalesce(jobs.c.leased_until, jobs.c.due_at))
        async with self._database.reading() as connection:
            due = (await connection.execute(select(when).where(_first_of_its_lane()))).scalar_one_or_none()
        return None if due is None else max(0, due - now)

    async def waiting(self) -> int:
        """How many jobs there are."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.count()).select_from(jobs))).scalar_one()


def _free(now: int) -> Any:
    return or_(jobs.c.leased_until.is_(None), jobs.c.leased_until < now)


def _first_of_its_lane() -> Any:
    earlier = jobs.alias()
    return ~exists().where(earlier.c.lane == jobs.c.lane, earlier.c.id < jobs.c.id)
