"""A store that cannot be opened says so in one sentence: the path, what is wrong, and the setting."""

import errno
import os
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bargein.clock import LoopClock
from bargein.ports import StoreUnavailableError
from bargein.store import Store, backends
from bargein.store.opening import StoreOpenError
from bargein.store.vault import KEY_FILE, VaultError
from tests.postgres import Cluster
from tests.programs import needs

pytestmark = pytest.mark.anyio

Spoil = Callable[[Path], None]


async def failure(folder: Path, url: str | None = None) -> str:
    """Return the sentence with which a store is not opened."""
    with pytest.raises((StoreOpenError, StoreUnavailableError, VaultError)) as raised:
        await Store.open(folder / "bargein.db", LoopClock(), url=url)
    text = str(raised.value)
    assert "\n" not in text
    return text


def a_file(folder: Path) -> None:
    folder.write_text("")


def a_file_above(folder: Path) -> None:
    shutil.rmtree(folder.parent)
    folder.parent.write_text("")


def a_folder_in_place_of_the_database(folder: Path) -> None:
    (folder / "bargein.db").mkdir(parents=True)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (a_file, "it is a file and no folder"),
        (a_file_above, "it is a file and no folder"),
        (a_folder_in_place_of_the_database, "it is a folder and no file"),
    ],
)
async def test_a_folder_of_the_wrong_kind(tmp_path: Path, spoil: Spoil, reason: str) -> None:
    folder = tmp_path / "above" / "data"
    folder.parent.mkdir()
    spoil(folder)
    text = await failure(folder)
    assert str(folder) in text
    assert "(BARGEIN_DATA_DIR) cannot be used" in text
    assert text.endswith(reason)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "the file system is read-only"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
@pytest.mark.parametrize("call", ["open", "mkdir"])
async def test_a_folder_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str, call: str
) -> None:
    folder = tmp_path / "data"

    def refuse(path: object, *_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, call, refuse)
    text = await failure(folder)
    assert text.startswith(f"the data folder {folder} (BARGEIN_DATA_DIR) cannot be used")
    assert text.endswith(f": {reason}")


@contextmanager
def small_files(limit_bytes: int) -> Iterator[None]:
    """Make writes beyond this size of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    with small_files(20_000):
        text = await failure(tmp_path)
    assert (
        text
        == f"the database {tmp_path}/bargein.db (BARGEIN_DATA_DIR) cannot be written to: its disk is full or broken"
    )
    await (await Store.open(tmp_path / "bargein.db", LoopClock())).close()


@pytest.mark.parametrize("content", [b"not a database, whatever its name says. " * 300, os.urandom(8192)])
async def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bargein.db").write_bytes(content)
    text = await failure(tmp_path)
    assert text.startswith(f"the database {tmp_path}/bargein.db (BARGEIN_DATA_DIR) is damaged")


async def test_a_database_with_a_damaged_page(tmp_path: Path) -> None:
    path = tmp_path / "bargein.db"
    await (await Store.open(path, LoopClock())).close()
    content = bytearray(path.read_bytes())
    content[100:4096] = os.urandom(3996)
    path.write_bytes(content)
    assert "is damaged" in await failure(tmp_path)


async def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    await (await Store.open(tmp_path / "bargein.db", LoopClock())).close()
    with closing(sqlite3.connect(tmp_path / "bargein.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert (await failure(tmp_path)).endswith("was written by a newer version of bargein")


async def test_a_locked_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_BUSY_TIMEOUT_MS", 50)
    await (await Store.open(tmp_path / "bargein.db", LoopClock())).close()
    with closing(sqlite3.connect(tmp_path / "bargein.db")) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert (await failure(tmp_path)).endswith("(BARGEIN_DATA_DIR) is locked by another program")


async def test_a_key_file_that_holds_no_key(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"\xff\xfe\x00")
    assert str(tmp_path / KEY_FILE) in await failure(tmp_path)


async def test_a_postgres_that_nothing_answers_for(tmp_path: Path) -> None:
    text = await failure(tmp_path, "postgresql://user:hush-hush@127.0.0.1:1/calls")
    assert text.startswith("the Postgres database 127.0.0.1:1/calls (BARGEIN_DATABASE_URL) cannot be reached")
    assert "hush" not in text


@needs("postgres")
async def test_a_postgres_that_refuses(tmp_path: Path, cluster: Cluster) -> None:
    rules = cluster.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    try:
        rules.write_text("local all stranger scram-sha-256\n" + before)
        cluster.sql("CREATE ROLE stranger LOGIN PASSWORD 'right'")
        cluster.sql("SELECT pg_reload_conf()")
        stranger = cluster.url("postgres").replace("nobody@", "stranger:hush-hush@")
        text = await failure(tmp_path, stranger)
        assert "(BARGEIN_DATABASE_URL) cannot be used: it refuses the user or the password" in text
        assert "hush" not in text
        assert "it has no database of that name" in await failure(tmp_path, cluster.url("missing"))
    finally:
        cluster.sql("DROP ROLE stranger")
        rules.write_text(before)
        cluster.sql("SELECT pg_reload_conf()")
