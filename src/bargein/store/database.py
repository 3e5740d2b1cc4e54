"""The database: SQLite or Postgres. How a read and a write begin, and how the tables come to be."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path

import anyio
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bargein.store.backends import WRITE, postgres_engine, sqlite_engine, told_apart

_MIGRATIONS = Path(__file__).parent / "migrations"
_STATEMENT_S = 10.0
_MIGRATION_S = 600.0
_ALONE = 0x62617267  # "barg": the number of the advisory lock that nobody else on this database uses


class Database:
    """One SQLite file, or one Postgres database.

    Reads run side by side, and each sees one state. On SQLite writes come one after the other; on Postgres those of one
    row do.

    Attributes:
        is_sqlite: which of the two it is.
    """

    def __init__(self, engine: AsyncEngine, *, is_sqlite: bool) -> None:
        self._engine = engine
        self.is_sqlite = is_sqlite
        self._writing = anyio.Lock()

    @classmethod
    async def open(cls, path: Path, url: str | None = None) -> "Database":
        """Open the SQLite file `path`, making it and its folder where needed; with a `url`, that Postgres instead.

        The tables are brought up to date; of several that open one database at once, one does it.

        Raises:
            StoreAwayError: it cannot be reached.
            StoreFullError: its disk is full.
        """
        if url is not None:
            return await cls._open_postgres(url)
        await anyio.Path(path.parent).mkdir(parents=True, exist_ok=True)
        database = cls(sqlite_engine(path), is_sqlite=True)
        await database._migrate()
        return database

    @classmethod
    async def _open_postgres(cls, url: str) -> "Database":
        patient = cls(postgres_engine(url, _MIGRATION_S), is_sqlite=False)
        try:
            await patient._migrate()
        finally:
            await patient.close()
        return cls(postgres_engine(url, _STATEMENT_S), is_sqlite=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A connection that sees one state of the database.

        What is read is short, each step of it has a time limit, and it is not cut by a cancellation either: aiosqlite
        never ends a connection that was cancelled in mid-read, nor a loop that waits for it.

        Raises:
            StoreAwayError: it cannot be reached.
        """
        with anyio.CancelScope(shield=True), told_apart():
            async with self._engine.connect() as connection:
                if not self.is_sqlite:
                    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """A connection in a transaction.

        On SQLite it holds the write lock from its start, so that what it reads stays true; on Postgres that is so for
        what it reads `FOR UPDATE`. The transaction is short, each step of it has a time limit, and it is not cut by a
        cancellation: a call that ends while its record is written must leave a whole record.

        Raises:
            StoreAwayError: it cannot be reached, or has gone: whether the write is done is then not known.
            StoreFullError: its disk is full; nothing is written.
        """
        with anyio.CancelScope(shield=True), told_apart():
            async with self._turn(), self._engine.connect() as connection:
                await connection.execution_options(**{WRITE: True})
                async with connection.begin():
                    yield connection

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[AsyncConnection]:
        """As `writing`, while nobody else, in whatever process, does anything under this same lock."""
        async with self.writing() as connection:
            if not self.is_sqlite:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_ALONE})"))
            yield connection

    def _turn(self) -> AbstractAsyncContextManager[None]:
        return self._writing if self.is_sqlite else nullcontext()

    async def _migrate(self) -> None:
        try:
            async with self.alone() as connection:
                await connection.run_sync(_upgrade)
        except BaseException:
            await self.close()
            raise


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
