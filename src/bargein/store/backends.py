"""SQLite and Postgres: their engines, and the classification of their errors."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bargein.ports import StoreFullError, StoreUnavailableError

WRITE = "bargein_write"
"""The execution option of a connection that will write."""

_BUSY_TIMEOUT_MS = 5_000
_CONNECT_TIMEOUT_S = 5
_CONNECTIONS = 10

# https://www.sqlite.org/rescode.html: temporary errors, and errors of the disk
_SQLITE_AWAY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PROTOCOL")
_SQLITE_FULL = ("SQLITE_FULL", "SQLITE_IOERR")
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, resources, operator, read only, canceled
_POSTGRES_AWAY = ("08", "53", "57", "58", "25006", "40")
_POSTGRES_FULL = "53100"


def sqlite_engine(path: Path, *, create: bool = True) -> AsyncEngine:
    """Return an engine for the SQLite file `path`.

    Args:
        path: the file.
        create: whether a connection creates the file if there is none; otherwise it cannot be opened.
    """
    # https://www.sqlite.org/uri.html
    query = {"uri": "true", "mode": "rwc" if create else "rw"}
    url = URL.create("sqlite+aiosqlite", database=f"file:{quote(str(path))}", query=query)
    # hide_parameters: an error's text must not contain stored values
    engine = create_async_engine(url, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _on_connect)
    event.listen(engine.sync_engine, "begin", _on_begin)
    return engine


def postgres_engine(url: str, command_timeout_s: float) -> AsyncEngine:
    """Return an engine for a Postgres database.

    Args:
        url: as libpq takes it (`postgresql://…`, also with `sslmode`, `host` and the like after a question mark).
        command_timeout_s: time limit of one statement.
    """
    import asyncpg  # noqa: PLC0415  # comes with an extra of the package

    async def connect(*_: object, **__: object) -> Any:  # asyncpg reads every option of a URL; SQLAlchemy does not
        return await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_S, command_timeout=command_timeout_s)  # pyright: ignore[reportUnknownVariableType]  # generic in its records

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        pool_pre_ping=True,  # a connection that Postgres closed meanwhile must not fail a request
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_timeout=_CONNECT_TIMEOUT_S,
    )


@contextmanager
def store_errors() -> Generator[None]:
    """Translate errors of an unavailable database into those of `bargein.ports`; others pass unchanged.

    Raises:
        StoreUnavailableError: the database does not answer.
        StoreFullError: its disk is full or broken.
    """
    try:
        yield
    except DBAPIError as error:
        if (classified := _classify(error)) is None:
            raise
        raise classified from error
    except (OSError, TimeoutError, PoolTimeoutError) as error:
        raise StoreUnavailableError(_AWAY) from error


_AWAY = "The database cannot be reached. Try again."
_GONE = "The tables of the database are gone. Restart the server."
_POSTGRES_NO_TABLE = "42P01"  # undefined_table
_FULL = "The database cannot be written to: its disk is full or broken."


def _classify(error: DBAPIError) -> StoreUnavailableError | StoreFullError | None:
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
        return StoreUnavailableError(_GONE)
    return StoreUnavailableError(_AWAY) if away else None


def _on_connect(connection: Any, _record: object) -> None:  # a DBAPI connection, which has no type
    connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
    cursor = connection.cursor()
    # secure_delete: what is deleted or replaced is overwritten in the file
    pragmas = ("journal_mode = WAL", f"busy_timeout = {_BUSY_TIMEOUT_MS}", "foreign_keys = ON", "secure_delete = ON")
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
