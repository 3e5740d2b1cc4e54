"""The servers of one database: which of them live, and whose each live call is."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.clock import Clock
from bargein.store.database import Database
from bargein.store.tables import live_calls, nodes


class NodeTable:
    """Signs of life, and who has which live call (`bargein.fleet.lease.NodeRegistry`).

    On Postgres the database's own clock counts, so that servers whose clocks differ agree.

    Args:
        database: where they are.
        clock: counts on SQLite, which has one machine.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def beat(self, node_id: str) -> None:
        """Give a sign of life."""
        async with self._database.writing() as connection:
            now = await self._now(connection)
            done = await connection.execute(update(nodes).where(nodes.c.id == node_id).values(seen_at=now))
            if done.rowcount == 0:
                await connection.execute(insert(nodes).values(id=node_id, seen_at=now))

    async def leave(self, node_id: str) -> None:
        """Say that a server is no more; a call that is still its is found by whoever looks for those of the dead."""
        async with self._database.writing() as connection:
            await connection.execute(delete(nodes).where(nodes.c.id == node_id))

    async def calls_of(self, node_id: str) -> Sequence[str]:
        """The ids of a server's live calls."""
        async with self._database.reading() as connection:
            return (
                (await connection.execute(select(live_calls.c.call_id).where(live_calls.c.node_id == node_id)))
                .scalars()
                .all()
            )

    async def calls_of_the_dead(self, silent_ms: int) -> Sequence[str]:
        """The ids of the live calls of servers that gave no sign of life for so long."""
        async with self._database.reading() as connection:
            alive = select(nodes.c.id).where(nodes.c.seen_at > await self._now(connection) - silent_ms)
            wanted = select(live_calls.c.call_id).where(live_calls.c.node_id.not_in(alive))
            return (await connection.execute(wanted)).scalars().all()

    async def take_over(self, call_id: str, node_id: str, silent_ms: int) -> bool:
        """Make a dead server's call one's own; False if somebody else has, or it lives after all."""
        async with self._database.writing() as connection:
            alive = select(nodes.c.id).where(nodes.c.seen_at > await self._now(connection) - silent_ms)
            this = (live_calls.c.call_id == call_id) & live_calls.c.node_id.not_in(alive)
            return (await connection.execute(update(live_calls).where(this).values(node_id=node_id))).rowcount == 1

    async def _now(self, connection: AsyncConnection) -> int:
        if self._database.is_sqlite:
            return self._clock.epoch_ms()
        asked = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")
        return (await connection.execute(asked)).scalar_one()


async def hold(connection: AsyncConnection, call_id: str, node_id: str) -> None:
    """Note, as a part of a transaction, that a call is live at a server."""
    await let_go(connection, call_id)
    await connection.execute(insert(live_calls).values(call_id=call_id, node_id=node_id))


async def let_go(connection: AsyncConnection, call_id: str) -> None:
    """Note, as a part of a transaction, that a call is live nowhere."""
    await connection.execute(delete(live_calls).where(live_calls.c.call_id == call_id))


class NodeId:
    """Who this server is: the same after a restart on the same data folder, as long as no other server runs on it.

    So a server that was killed knows its own calls when it comes back, and need not wait until they count as lost.

    Attributes:
        id: a UUID.
    """

    def __init__(self, data_dir: Path) -> None:
        """Take the id that is kept in a data folder; where another server holds that, a new one for this run.

        Raises:
            OSError: the folder cannot be written to.
        """
        data_dir.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] | None = (data_dir / "node").open("a+", encoding="ascii")
        if _locked(self._file):
            self.id = self._kept(self._file)
        else:
            self.close()
            self.id = str(uuid4())

    def close(self) -> None:
        """Let others have the id."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @staticmethod
    def _kept(file: IO[str]) -> str:
        file.seek(0)
        try:
            return str(UUID(file.read().strip()))
        except ValueError:
            made = str(uuid4())
            file.seek(0)
            file.truncate()
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
            return made


def _locked(file: IO[str]) -> bool:
    """Lock a file for as long as this process lives, however it ends."""
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415  # not every system has it

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
