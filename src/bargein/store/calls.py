"""The calls, and what their beginning and end mean for the whole fleet."""

from collections.abc import Callable, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.store.jobs import JobTable, NewJob
from bargein.store.nodes import hold, let_go
from bargein.store.records import Records
from bargein.wire.base import JsonObject
from bargein.wire.call import duration_ms
from bargein.wire.schedule import due_ms


class Calls(Records):
    """The calls, and what their beginning and end mean for the whole fleet.

    Attributes:
        jobs: where the jobs go that follow from a call's end.
    """

    jobs: JobTable

    def _columns(self, document: JsonObject) -> JsonObject:
        return {**super()._columns(document), "duration_ms": duration_ms(document), "due_at": due_ms(document)}

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """Change a call's record. A call that was deleted while it was live stays deleted."""
        await self.patch(call_id, changes)

    async def begin(self, call_id: str, changes: JsonObject, node_id: str) -> None:
        """Change a call's record, and note at which server it is live; one that is deleted or over stays so."""
        async with self._database.writing() as connection:
            if await self._change_unended(connection, call_id, changes):
                await hold(connection, call_id, node_id)

    async def finish(self, call_id: str, changes: JsonObject, jobs: Sequence[NewJob]) -> bool:
        """Write the end of a call: its record, that it is live nowhere, and the jobs that follow; all or nothing.

        A call that is deleted or over stays so.

        Args:
            call_id: which.
            changes: what its record becomes.
            jobs: what is to be done after it.

        Returns:
            Whether this was its end.
        """
        async with self._database.writing() as connection:
            await let_go(connection, call_id)
            ended = await self._change_unended(connection, call_id, changes)
            for job in jobs if ended else ():
                await self.jobs.put(connection, job)
        if ended:
            self.jobs.on_submit()
        return ended

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        """The ids of calls that wait and have to be looked at by now, the most urgent first."""
        due_at = self._column("due_at")
        wanted = select(self._column("id")).where(due_at <= now_ms).order_by(due_at).limit(limit)
        async with self._database.reading() as connection:
            return (await connection.execute(wanted)).scalars().all()

    async def next_due_ms(self) -> int | None:
        """When the first of them has to be looked at, in milliseconds since 1970; None: there is none."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.min(self._column("due_at"))))).scalar_one()

    async def advance(
        self, call_id: str, changes: Callable[[JsonObject], JsonObject | None], jobs: Sequence[NewJob]
    ) -> bool:
        """Change a call, if it needs that, with the jobs that follow; of several servers that do it one changes it.

        Args:
            call_id: which.
            changes: from the document as it is to its changes; None: nothing is to be done.
            jobs: what is to be done after it.

        Returns:
            Whether it was changed here.
        """
        async with self._database.writing() as connection:
            row = await self._locked(connection, call_id)
            wanted = None if row is None else changes(self._vault.open(row["document"]))
            if row is None or wanted is None:
                return False
            await self._change(connection, row, wanted)
            for job in jobs:
                await self.jobs.put(connection, job)
        self.jobs.on_submit()
        return True

    async def _change_unended(self, connection: AsyncConnection, call_id: str, changes: JsonObject) -> bool:
        current = await self._locked(connection, call_id)
        if current is None or current["document"].get("status") == "ended":
            return False
        await self._change(connection, current, changes)
        return True
