"""SQLite and Postgres: how each is opened, and how each says that it cannot go on."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bargein.ports import StoreAwayError, StoreFullError

WRITE = "bargein_write"
"""The execution option of a connection that is going to write."""

_BUSY_TIMEOUT_MS = 5_000
_CONNECT_TIMEOUT_S = 5
_CONNECTIONS = 10

# https://www.sqlite.org/rescode.html: what passes by itself, and what is the matter with the disk
_SQLITE_AWAY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PROTOCOL")
_SQLITE_FULL = ("SQLITE_FULL", "SQLITE_IOERR")
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, resources, operator, read only, canceled
_POSTGRES_AWAY = ("08", "53", "57", "58", "25006", "40")
_POSTGRES_FULL = "53100"


def sqlite_engine(path: Path) -> AsyncEngine:
    """An engine for the file `path`."""
    # hide_parameters: an error's text must not hold what was being stored
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _on_connect)
    event.listen(engine.sync_engine, "begin", _on_begin)
    return engine


def postgres_engine(url: str, command_timeout_s: float) -> AsyncEngine:
    """An engine for a Postgres database.

    Args:
        url: as libpq takes it (`postgresql://…`, also with `sslmode`, `host` and the like after a question mark).
        command_timeout_s: how long one statement may take.
    """
    import asyncpg  # noqa: PLC0415  # comes with an extra of the package

    async def connect(
        *_: object, **__: object
    ) -> Any:  # asyncpg reads all that may stand in a URL; SQLAlchemy does not
        return await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_S, command_timeout=command_timeout_s)  # pyright: ignore[reportUnknownVariableType]  # generic in its records

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        pool_pre_ping=True,  # a connection that the server closed meanwhile must not cost a request
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_timeout=_CONNECT_TIMEOUT_S,
    )


@contextmanager
def told_apart() -> Generator[None]:
    """Turn the errors of a database that cannot go on into those of `bargein.ports`; the others go through.

    Raises:
        StoreAwayError: it does not answer, or not now.
        StoreFullError: its disk is full or broken.
    """
    try:
        yield
    except DBAPIError as error:
        if (told := _told(error)) is None:
            raise
        raise told from error
    except (OSError, TimeoutError, PoolTimeoutError) as error:
        raise StoreAwayError(_AWAY) from error


_AWAY = "The database cannot be reached. Try again."
_GONE = "The database has been taken away from under the server. Restart it."
_POSTGRES_NO_TABLE = "42P01"  # undefined_table
_FULL = "The database cannot be written to: its disk is full or broken."


def _told(error: DBAPIError) -> StoreAwayError | StoreFullError | None:
    original = error.orig
    if isinstance(original, sqlite3.Error):
        name = getattr(original, "sqlite_errorname", "")
        full, away = name.startswith(_SQLITE_FULL), name.startswith(_SQLITE_AWAY)
        gone = str(original).startswith("no such table")
    else:
        code = getattr(original, "sqlstate", None) or ""
        gone = code == _POSTGRES_NO_TABLE
        full, away = code == _POSTGRES_FULL, error.connection_invalidated or code.startswith(_POSTGRES_AWAY)
    if full:
        return StoreFullError(_FULL)
    if gone:
        return StoreAwayError(_GONE)
    return StoreAwayError(_AWAY) if away else None


def _on_connect(connection: Any, _record: object) -> None:  # a DBAPI connection, which has no type
    connection.isolation_level = None  # SQLAlchemy says when a transaction begins, not the driver
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", f"busy_timeout = {_BUSY_TIMEOUT_MS}", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
