"""The servers of one database: their heartbeats, and the server of each live call."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.clock import Clock
from bargein.store.database import Database
from bargein.store.private import make_folder, private
from bargein.store.tables import live_calls, nodes


class NodeTable:
    """Heartbeats of servers, and the server of each live call (`bargein.fleet.lease.NodeRegistry`).

    On Postgres times are the database's, so that servers whose clocks differ agree.

    Args:
        database: the database that holds them.
        clock: the clock for SQLite, which has one machine.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def beat(self, node_id: str) -> None:
        """Record a heartbeat."""
        async with self._database.writing() as connection:
            now = await self._now(connection)
            done = await connection.execute(update(nodes).where(nodes.c.id == node_id).values(seen_at=now))
            if done.rowcount == 0:
                await connection.execute(insert(nodes).values(id=node_id, seen_at=now))

    async def leave(self, node_id: str) -> None:
        """Remove a server that stops; calls that it still has are then found as those of a dead server."""
        async with self._database.writing() as connection:
            await connection.execute(delete(nodes).where(nodes.c.id == node_id))

    async def calls_of(self, node_id: str) -> Sequence[str]:
        """Return the ids of a server's live calls."""
        async with self._database.reading() as connection:
            return (
                (await connection.execute(select(live_calls.c.call_id).where(live_calls.c.node_id == node_id)))
                .scalars()
                .all()
            )

    async def calls_of_the_dead(self, silent_ms: int) -> Sequence[str]:
        """Return the ids of the live calls of servers without a heartbeat for `silent_ms`."""
        async with self._database.reading() as connection:
            alive = _alive(await self._now(connection), silent_ms)
            wanted = select(live_calls.c.call_id).where(live_calls.c.node_id.not_in(alive))
            return (await connection.execute(wanted)).scalars().all()

    async def take_over(self, call_id: str, node_id: str, silent_ms: int) -> bool:
        """Move a dead server's call to `node_id`; return False if another server took it, or its server is alive."""
        async with self._database.writing() as connection:
            alive = _alive(await self._now(connection), silent_ms)
            this = (live_calls.c.call_id == call_id) & live_calls.c.node_id.not_in(alive)
            return (await connection.execute(update(live_calls).where(this).values(node_id=node_id))).rowcount == 1

    async def is_alive(self, node_id: str, silent_ms: int) -> bool:
        """Return whether a server has given a heartbeat in the last `silent_ms`."""
        async with self._database.reading() as connection:
            alive = _alive(await self._now(connection), silent_ms)
            return (await connection.execute(alive.where(nodes.c.id == node_id))).first() is not None

    async def _now(self, connection: AsyncConnection) -> int:
        return await database_ms(connection, self._database, self._clock)


async def database_ms(connection: AsyncConnection, database: Database, clock: Clock) -> int:
    """Return the time that the servers of a database share, in milliseconds since 1970.

    It is the database's own on Postgres. SQLite has one machine, and the time is that of the clock.
    """
    if database.is_sqlite:
        return clock.epoch_ms()
    asked = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")
    return (await connection.execute(asked)).scalar_one()


def _alive(now: int, silent_ms: int) -> Any:
    """Return the ids of the servers with a heartbeat in the last `silent_ms`.

    A heartbeat of the future is one of before the clock was set back; a live server soon gives another.
    """
    return select(nodes.c.id).where(nodes.c.seen_at > now - silent_ms, nodes.c.seen_at < now + silent_ms)


async def add_live_call(connection: AsyncConnection, call_id: str, node_id: str) -> None:
    """Store, as part of a transaction, that a call is live on a server."""
    await remove_live_call(connection, call_id)
    await connection.execute(insert(live_calls).values(call_id=call_id, node_id=node_id))


async def remove_live_call(connection: AsyncConnection, call_id: str) -> None:
    """Store, as part of a transaction, that a call is live nowhere."""
    await connection.execute(delete(live_calls).where(live_calls.c.call_id == call_id))


class NodeId:
    """The id of this server: the same after a restart on the same data folder, unless another server runs on it.

    So a server that was killed recognises its own calls when it starts again, and ends them at once.

    Attributes:
        id: a UUID.
    """

    def __init__(self, data_dir: Path) -> None:
        """Read the id that is stored in a data folder; while another server has it locked, create one for this run.

        Raises:
            OSError: the folder cannot be written to.
        """
        make_folder(data_dir)
        self._file: IO[str] | None = open(data_dir / "node", "a+", encoding="ascii", opener=private)  # noqa: SIM115  # kept open; Path.open takes no opener
        if _locked(self._file):
            self.id = self._stored(self._file)
        else:
            self.close()
            self.id = str(uuid4())

    def close(self) -> None:
        """Release the lock on the stored id."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @staticmethod
    def _stored(file: IO[str]) -> str:
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
    """Lock a file until this process ends; return False if it is locked."""
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415  # not every system has it

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
