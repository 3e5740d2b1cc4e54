"""A database that goes away, and a disk that is full: a clear error, and all that was confirmed is there after."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bargein.clock import LoopClock
from bargein.ports import StoreAwayError
from bargein.store import Query, Store
from tests.postgres import Cluster, needs_postgres

pytestmark = pytest.mark.anyio

# a process of its own: the limit holds for all files that it writes
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


async def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bargein.db"
    ran = subprocess.run(  # noqa: ASYNC221  # it ends within a second
        [sys.executable, "-c", _FILLS_ITS_DISK, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["refused"] == "The database cannot be written to: its disk is full or broken."
    assert len(told["confirmed"]) > 5
    assert told["read"] == len(told["confirmed"]) - 1

    store = await Store.open(path, LoopClock())
    kept = await store.tools.list(Query(limit=1000))
    await store.close()
    assert {record["id"] for record in kept} == set(told["confirmed"])


@needs_postgres
async def test_postgres_may_go_and_come_back(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database() as url:
        store = await Store.open(tmp_path / "unused.db", LoopClock(), url=url)
        try:
            made = await store.tools.create({"type": "endCall"})
            cluster.stop()
            try:
                with pytest.raises(StoreAwayError, match="cannot be reached"):
                    await store.ping()
                with pytest.raises(StoreAwayError):
                    await store.tools.create({"type": "dtmf"})
                with pytest.raises(StoreAwayError):
                    await Store.open(tmp_path / "unused.db", LoopClock(), url=url)
            finally:
                cluster.start()
            assert await store.tools.list(Query()) == [made]
            await store.tools.patch(made["id"], {"x": 1})
        finally:
            await store.close()
    assert not (tmp_path / "unused.db").exists()


@needs_postgres
async def test_a_connection_that_postgres_closes_costs_at_most_what_it_was_doing(
    cluster: Cluster, tmp_path: Path
) -> None:
    with cluster.database() as url:
        store = await Store.open(tmp_path / "unused.db", LoopClock(), url=url)
        try:
            made = await store.tools.create({"type": "endCall"})
            cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            assert await store.tools.get(made["id"]) == made
            with pytest.raises(StoreAwayError):  # noqa: PT012  # it is what happens inside that raises
                async with store._database.writing() as connection:
                    cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
                    await connection.exec_driver_sql("SELECT 1")
            assert await store.tools.get(made["id"]) == made
        finally:
            await store.close()
