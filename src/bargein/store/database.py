"""The database, SQLite or Postgres: read and write transactions, and migrations."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bargein.store.backends import WRITE, postgres_engine, sqlite_engine, store_errors
from bargein.store.private import make_file, make_folder

_MIGRATIONS = Path(__file__).parent / "migrations"
_STATEMENT_S = 10.0
_MIGRATION_S = 600.0
_ADVISORY_LOCK = 0x62617267  # "barg": the number of this server's advisory lock


class Database:
    """One SQLite file, or one Postgres database.

    Reads run concurrently, and each sees one state. On SQLite writes run one after the other; on Postgres writes to one
    row do.

    Attributes:
        is_sqlite: True for SQLite.
    """

    def __init__(self, engine: AsyncEngine, *, is_sqlite: bool) -> None:
        self._engine = engine
        self.is_sqlite = is_sqlite
        self._writing = anyio.Lock()

    @classmethod
    async def open(cls, path: Path, url: str | None = None) -> "Database":
        """Open the SQLite file `path`, creating it and its folder; with a `url`, that Postgres database instead.

        Migrations run first; of several servers that open one database at once, one runs them.

        Raises:
            StoreUnavailableError: the database cannot be reached.
            StoreFullError: its disk is full.
        """
        if url is not None:
            await _migrate(cls(postgres_engine(url, _MIGRATION_S), is_sqlite=False))
            return cls(postgres_engine(url, _STATEMENT_S), is_sqlite=False)
        await anyio.to_thread.run_sync(_prepare, path)
        await _migrate(cls(sqlite_engine(path), is_sqlite=True))
        # without its file the database is away: a connection must not put an empty one in its place
        return cls(sqlite_engine(path, create=False), is_sqlite=True)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """Open a connection that sees one state of the database.

        Reads are short and each statement has a time limit. A read is shielded from cancellation: aiosqlite never ends
        a connection that was cancelled during a read, and the event loop would wait for it for ever.

        Raises:
            StoreUnavailableError: the database cannot be reached.
        """
        with anyio.CancelScope(shield=True), store_errors():
            async with self._engine.connect() as connection:
                if not self.is_sqlite:
                    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """Open a connection in a write transaction.

        On SQLite it holds the write lock from its start, so that rows it has read do not change; on Postgres that holds
        for rows read `FOR UPDATE`. The transaction is short, each statement has a time limit, and it is shielded from
        cancellation: a call that ends while its record is written must leave a whole record.

        Raises:
            StoreUnavailableError: the database cannot be reached; it is unknown whether the write was made.
            StoreFullError: its disk is full; nothing was written.
        """
        with anyio.CancelScope(shield=True), store_errors():
            async with self._write_lock(), self._engine.connect() as connection:
                await connection.execution_options(**{WRITE: True})
                async with connection.begin():
                    yield connection

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[AsyncConnection]:
        """Open a write transaction that excludes all other exclusive ones, also of other processes."""
        async with self.writing() as connection:
            if not self.is_sqlite:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            yield connection

    async def drop_remains(self) -> None:
        """Remove what deleted and replaced rows left in SQLite's files. In Postgres its own vacuum does so."""
        if self.is_sqlite:
            with store_errors():
                async with self._engine.connect() as connection:
                    raw = await connection.get_raw_connection()
                    driver: Any = raw.driver_connection  # not in a transaction: SQLite has no VACUUM in one
                    for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                        await driver.execute(statement)

    def _write_lock(self) -> AbstractAsyncContextManager[None]:
        return self._writing if self.is_sqlite else nullcontext()


def _prepare(path: Path) -> None:
    make_folder(path.parent)
    make_file(path)  # SQLite gives its other files, such as the write-ahead log, the mode of this one


async def _migrate(database: Database) -> None:
    """Run the migrations, then close the database."""
    try:
        async with database.exclusive() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await database.close()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
