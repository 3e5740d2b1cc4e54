"""The reasons why a store cannot be opened, in sentences that name the path and the setting."""

import errno
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from alembic.util.exc import CommandError

from bargein.ports import StoreError, StoreFullError, StoreUnavailableError
from bargein.store.private import private
from bargein.store.vault import VaultError


class StoreOpenError(StoreError):
    """The store cannot be opened, and waiting does not help. The text may be shown; it has no password."""


_FOLDER = "BARGEIN_DATA_DIR"
_DATABASE = "BARGEIN_DATABASE_URL"

_REASONS = {
    errno.EEXIST: "it is a file and no folder",
    errno.ENOTDIR: "it is a file and no folder",
    errno.EISDIR: "it is a folder and no file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EFBIG: "a file may not be as large",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENOENT: "there is no such file or folder, and it cannot be made",
}

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_REASONS = {
    "28P01": "it refuses the user or the password",
    "28000": "it refuses the user",
    "3D000": "it has no database of that name",
    "42501": "the user may not create or change tables",
    "3F000": "the user has no schema to create tables in",
}


@contextmanager
def open_errors(path: Path, url: str | None) -> Generator[None]:
    """Describe errors of opening a store; those that nobody expects pass unchanged.

    Args:
        path: the SQLite file; its folder is the data folder.
        url: the URL of a Postgres database, or None.

    Raises:
        StoreOpenError: waiting does not help.
        StoreUnavailableError: the database may be starting, or is locked; waiting may help.
    """
    try:
        yield
    except VaultError:
        raise
    except StoreUnavailableError as error:
        if (sentence := _described(error, path, url)) is not None:
            raise StoreOpenError(sentence) from error
        raise StoreUnavailableError(_unavailable(error, path, url)) from error
    except Exception as error:
        if (sentence := _described(error, path, url)) is None:
            raise
        raise StoreOpenError(sentence) from error


def folder_error(error: OSError, folder: Path) -> str:
    """Return the sentence for a data folder that cannot be used."""
    where = Path(str(error.filename)) if error.filename is not None else folder
    what = "" if where in (folder, folder.absolute()) else f": {where}"
    return f"the data folder {folder.absolute()} ({_FOLDER}) cannot be used{what}: {_reason(error)}"


_PROBE = ".ready"
_PROBE_BYTES = 64 * 1024


def write_error(folder: Path) -> str | None:
    """Write and remove a file of 64 KiB; return why the data folder cannot be written to, without its path, or None."""
    path = folder / _PROBE
    try:
        try:
            with open(path, "wb", opener=private) as file:  # Path.open takes no opener
                file.write(bytes(_PROBE_BYTES))
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        return f"the data folder cannot be written to: {_reason(error)}"
    return None


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, error.strerror or type(error).__name__)


def _described(error: BaseException, path: Path, url: str | None) -> str | None:
    where = _place(path, url)
    for cause in _causes(error):
        if isinstance(cause, StoreFullError):
            return f"{where} cannot be written to: its disk is full or broken"
        if isinstance(cause, CommandError) and "locate revision" in str(cause):
            return f"{where} was written by a newer version of bargein"
        if isinstance(cause, sqlite3.Error):
            sentence = _sqlite(cause, where)
            if sentence is not None:
                return sentence
        code: object = getattr(cause, "sqlstate", None)
        if isinstance(code, str) and code in _POSTGRES_REASONS:
            return f"{where} cannot be used: {_POSTGRES_REASONS[code]}"
        if isinstance(cause, OSError) and url is None:
            return folder_error(cause, path.parent)
    return None


def _sqlite(error: sqlite3.Error, where: str) -> str | None:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return f"{where} is damaged or no SQLite database: restore it from a backup, or move it away"
    if name.startswith("SQLITE_READONLY"):
        return f"{where} is read-only"
    if name.startswith("SQLITE_CANTOPEN"):
        return f"{where} cannot be opened: it is no file, or may not be read"
    return None


def _unavailable(error: BaseException, path: Path, url: str | None) -> str:
    where = _place(path, url)
    if url is None:
        return f"{where} is locked by another program"
    found = next((one for one in _causes(error) if isinstance(one, OSError)), None)
    if found is None:
        return f"{where} cannot be reached"
    # the socket of a Postgres on this machine is a file, which is there once Postgres has started
    reason = "nothing listens there" if found.errno == errno.ENOENT else _reason(found)
    return f"{where} cannot be reached: {reason}"


def _place(path: Path, url: str | None) -> str:
    """Return the name of the database, without a password."""
    if url is None:
        return f"the database {path.absolute()} ({_FOLDER})"
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"the Postgres database {host}{parts.path} ({_DATABASE})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the error first."""
    found: BaseException | None = error
    while found is not None:
        yield found
        original: object = getattr(found, "orig", None)
        if isinstance(original, BaseException) and original is not found.__cause__:
            yield original
        found = found.__cause__ or found.__context__
