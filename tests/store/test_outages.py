"""A database that goes away, and a disk that is full: a clear error, and all that was confirmed is there after."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bargein.clock import LoopClock
from bargein.ports import StoreUnavailableError
from bargein.store import Query, Store, journals
from tests.postgres import Cluster
from tests.programs import needs

pytestmark = pytest.mark.anyio

# a process of its own: the limit applies to all files that a process writes
_FILLS_ITS_DISK = """
import json, resource, signal, sys
from pathlib import Path
import anyio
from bargein.clock import LoopClock
from bargein.ports import StoreFullError
from bargein.store import Query, Store

async def main(path):
    store = await Store.open(Path(path), LoopClock())
    confirmed, refused = [], ""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = Path(path).stat().st_size + (1 << 20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        while True:
            confirmed.append((await store.tools.create({"x": "y" * 50_000}))["id"])
    except StoreFullError as error:
        refused = str(error)
    read = len(await store.tools.list(Query(limit=1000)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    confirmed.append((await store.tools.create({"x": "there is room again"}))["id"])
    await store.close()
    print(json.dumps({"confirmed": confirmed, "refused": refused, "read": read}))

anyio.run(main, sys.argv[1])
"""


async def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bargein.db"
    ran = subprocess.run(  # noqa: ASYNC221  # it ends within a second
        [sys.executable, "-c", _FILLS_ITS_DISK, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["refused"] == "The database cannot be written to: its disk is full or broken."
    assert len(report["confirmed"]) > 5
    assert report["read"] == len(report["confirmed"]) - 1

    store = await Store.open(path, LoopClock())
    kept = await store.tools.list(Query(limit=1000))
    await store.close()
    assert {record["id"] for record in kept} == set(report["confirmed"])


@needs("postgres")
async def test_postgres_may_stop_and_start_again(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database() as url:
        store = await Store.open(tmp_path / "unused.db", LoopClock(), url=url)
        try:
            made = await store.tools.create({"type": "endCall"})
            cluster.stop()
            try:
                with pytest.raises(StoreUnavailableError, match="cannot be reached"):
                    await store.ping()
                with pytest.raises(StoreUnavailableError):
                    await store.tools.create({"type": "dtmf"})
                with pytest.raises(StoreUnavailableError):
                    await Store.open(tmp_path / "unused.db", LoopClock(), url=url)
            finally:
                cluster.start()
            assert await store.tools.list(Query()) == [made]
            await store.tools.patch(made["id"], {"x": 1})
        finally:
            await store.close()
    assert not (tmp_path / "unused.db").exists()


@needs("postgres")
async def test_a_connection_that_postgres_closes_fails_at_most_its_current_statement(
    cluster: Cluster, tmp_path: Path
) -> None:
    with cluster.database() as url:
        store = await Store.open(tmp_path / "unused.db", LoopClock(), url=url)
        try:
            made = await store.tools.create({"type": "endCall"})
            cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            assert await store.tools.get(made["id"]) == made
            with pytest.raises(StoreUnavailableError):  # noqa: PT012  # the statement inside raises
                async with store._database.writing() as connection:
                    cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
                    await connection.exec_driver_sql("SELECT 1")
            assert await store.tools.get(made["id"]) == made
        finally:
            await store.close()


# the journal's file may grow to 4,000 bytes: the write at the limit is cut short, those after it fail
_FILLS_ITS_JOURNAL = """
import json, resource, signal, sys
from pathlib import Path
import anyio
from bargein.store.journals import JournalFile

async def main(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal, n = JournalFile(Path(path)), 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
    for _ in range(10):
        for _ in range(10):
            journal.write(json.dumps({"n": n, "x": "ü" * 40}, ensure_ascii=False))
            n += 1
        await journal.close()
    size = Path(path).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await journal.close()
    print(json.dumps({"lines": n, "size_when_full": size}))

anyio.run(main, sys.argv[1])
"""


async def test_a_journal_goes_on_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "journals" / "a.jsonl"
    ran = subprocess.run(  # noqa: ASYNC221  # it ends within a second
        [sys.executable, "-c", _FILLS_ITS_JOURNAL, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    *log, report = ran.stdout.splitlines()
    report = json.loads(report)
    assert 3000 < report["size_when_full"] <= 4000
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == list(range(report["lines"]))
    assert sum("cannot be written" in line for line in log) == 1
    assert sum("is written again" in line for line in log) == 1


async def test_a_journal_that_cannot_be_written_for_too_long_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_MAX_CHARS", 1000)
    (tmp_path / "journals").write_text("a file where the folder should be")
    journal = journals.JournalFile(journals.journal_path(tmp_path, "a"))
    with capture_logs() as lines:
        for n in range(100):
            journal.write(f"line {n:03d} " + "x" * 20)
        await journal.close()
    assert [line["event"] for line in lines] == ["a call's journal ends early: it could not be written for too long"]
    assert journal._lines == []


async def test_a_deleted_file_is_not_replaced_by_an_empty_database(tmp_path: Path) -> None:
    path = tmp_path / "50% #1?.db"
    store = await Store.open(path, LoopClock())
    made = await store.tools.create({"x": 1})
    assert await store.tools.get(made["id"]) == made
    path.unlink()
    await store.close()  # the next read opens a new connection
    with pytest.raises(StoreUnavailableError):
        await store.tools.get(made["id"])
    assert not path.exists()
