"""The connection to SQLite: how it is opened, how a write begins, how the tables come to be."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 5_000
_WRITE = "bargein_write"


class Database:
    """One SQLite file. Reads run side by side; writes one after the other, each in a transaction of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = anyio.Lock()

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open `path`, making it and its folder where needed, and bring the tables up to date."""
        await anyio.Path(path.parent).mkdir(parents=True, exist_ok=True)
        # hide_parameters: an error's text must not hold what was being stored
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _on_connect)
        event.listen(engine.sync_engine, "begin", _on_begin)
        database = cls(engine)
        async with database.writing() as connection:
            await connection.run_sync(_migrate)
        return database

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A connection that sees one state of the database."""
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """A connection in a transaction that holds the write lock from its start, so that what it reads stays true.

        The transaction is short and local, and is not cut by a cancellation: a call that ends while its record is
        written must leave a whole record.
        """
        with anyio.CancelScope(shield=True):
            async with self._writing, self._engine.connect() as connection:
                await connection.execution_options(**{_WRITE: True})
                async with connection.begin():
                    yield connection


def _on_connect(connection: Any, _record: object) -> None:  # a DBAPI connection, which has no type
    connection.isolation_level = None  # SQLAlchemy says when a transaction begins, not the driver
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", f"busy_timeout = {_BUSY_TIMEOUT_MS}", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
