"""The stored calls, with the server that each live call runs on and the jobs that follow its end."""

from collections.abc import Callable, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.store.jobs import JobTable, NewJob
from bargein.store.nodes import add_live_call, remove_live_call
from bargein.store.records import Records
from bargein.wire.base import JsonObject
from bargein.wire.call import duration_ms
from bargein.wire.schedule import due_ms


class Calls(Records):
    """The stored calls, with the server that each live call runs on.

    A call that a server goes on with by itself is live from the transaction that creates it, so that a server that is
    killed at any moment leaves no call behind that nobody ends.

    Attributes:
        jobs: the stored jobs; a call's end adds to them.
        node_id: the id of this server.
    """

    jobs: JobTable
    node_id: str

    def _columns(self, document: JsonObject) -> JsonObject:
        return {**super()._columns(document), "duration_ms": duration_ms(document), "due_at": due_ms(document)}

    async def create_live(self, document: JsonObject, *, record_id: str) -> JsonObject:
        """Store a call that this server goes on with: one that it places, or that comes in."""
        async with self._database.writing() as connection:
            await add_live_call(connection, record_id, self.node_id)
            return await self.insert(connection, document, record_id)

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """Change a call's record. A call that was deleted while it was live stays deleted.

        A call that becomes `queued` waits for its caller and is live nowhere.
        """
        async with self._database.writing() as connection:
            if (row := await self._locked(connection, call_id)) is not None:
                await self._change(connection, row, changes)
            if changes.get("status") == "queued":
                await remove_live_call(connection, call_id)

    async def begin(self, call_id: str, changes: JsonObject, node_id: str) -> None:
        """Change a call's record, and store which server it is live on; a deleted or ended call stays as it is."""
        async with self._database.writing() as connection:
            if await self._change_unended(connection, call_id, changes):
                await add_live_call(connection, call_id, node_id)

    async def finish(self, call_id: str, changes: JsonObject, jobs: Sequence[NewJob]) -> bool:
        """Store the end of a call in one transaction: its record, that it is live nowhere, and the jobs that follow.

        A deleted or ended call stays as it is.

        Args:
            call_id: the call.
            changes: the changes of its record.
            jobs: the jobs to submit.

        Returns:
            True if this ended the call.
        """
        async with self._database.writing() as connection:
            await remove_live_call(connection, call_id)
            ended = await self._change_unended(connection, call_id, changes)
            for job in jobs if ended else ():
                await self.jobs.put(connection, job)
        if ended:
            self.jobs.on_submit()
        return ended

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        """Return the ids of waiting calls that are due, earliest first."""
        due_at = self._column("due_at")
        wanted = select(self._column("id")).where(due_at <= now_ms).order_by(due_at).limit(limit)
        async with self._database.reading() as connection:
            return (await connection.execute(wanted)).scalars().all()

    async def next_due_ms(self) -> int | None:
        """Return when the first waiting call is due, in milliseconds since 1970; None if there is none."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.min(self._column("due_at"))))).scalar_one()

    async def advance(
        self,
        call_id: str,
        changes: Callable[[JsonObject], JsonObject | None],
        jobs: Sequence[NewJob],
        *,
        live: bool = False,
    ) -> bool:
        """Change a call if `changes` returns any, and submit jobs; of several servers that try, one changes it.

        Args:
            call_id: the call.
            changes: returns the changes for the current document; None leaves it as it is.
            jobs: the jobs to submit.
            live: whether this server goes on with the call if it changes it.

        Returns:
            True if the call was changed by this method.
        """
        async with self._database.writing() as connection:
            row = await self._locked(connection, call_id)
            wanted = None if row is None else changes(self._vault.open(row["document"]))
            if row is None or wanted is None:
                return False
            await self._change(connection, row, wanted)
            if live:
                await add_live_call(connection, call_id, self.node_id)
            for job in jobs:
                await self.jobs.put(connection, job)
        self.jobs.on_submit()
        return True

    async def _change_unended(self, connection: AsyncConnection, call_id: str, changes: JsonObject) -> bool:
        current = await self._locked(connection, call_id)
        if current is None or self._vault.open(current["document"]).get("status") == "ended":
            return False
        await self._change(connection, current, changes)
        return True
