"""Jobs: at least once, in the order of their lane, by one server at a time, and again while they fail."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from bargein.fleet import jobs
from bargein.fleet.jobs import Worker
from bargein.ports import ServerError
from bargein.store import Store
from tests.call.harness import eventually
from tests.store.test_store import ManualClock

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def working(store: Store, handler: Callable[[Any, str], Awaitable[None]], name: str = "a") -> AsyncIterator[None]:
    worker = Worker(store.jobs, {"work": handler}, name)
    store.jobs.on_submit = worker.wake
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run)
        yield
        tasks.cancel_scope.cancel()


async def all_done(store: Store) -> None:
    await eventually(store.jobs.waiting, lambda count: count == 0)


async def test_a_job_is_done_once_and_removed(store: Store) -> None:
    done: list[tuple[Any, str]] = []

    async def work(payload: Any, key: str) -> None:
        done.append((payload, key))

    await store.jobs.submit("work", {"n": 1, "odd": "\x00ü"}, key="one")
    await store.jobs.submit("work", {"n": 2}, key="one")
    async with working(store, work):
        await all_done(store)
        await store.jobs.submit("work", {"n": 3}, key="three")
        await all_done(store)
    assert done == [({"n": 1, "odd": "\x00ü"}, "one"), ({"n": 3}, "three")]


async def test_a_job_that_fails_is_done_again_later_and_later(store: Store, clock: ManualClock) -> None:
    tries: list[int] = []

    async def work(_payload: Any, key: str) -> None:
        tries.append(clock.now_ms)
        if len(tries) < 12:
            raise ServerError("the server answered 503", reason="status")
        assert key == "one"

    await store.jobs.submit("work", {}, key="one")

    async def advance_time() -> None:
        while await store.jobs.waiting():  # the test advances the clock to the job's time
            due_ms = await store.jobs.due_in_ms() or 0
            if due_ms <= 300_000:  # otherwise it is in progress
                clock.now_ms += due_ms
                store.jobs.on_submit()
            await anyio.sleep(0.005)

    with capture_logs() as lines:
        async with working(store, work):
            with anyio.fail_after(20):
                await advance_time()
    waits = [later - sooner for sooner, later in pairwise(tries)]
    assert len(tries) == 12
    assert 750 <= waits[0] <= 1100
    assert max(waits) <= 301_000
    assert waits[-1] >= 225_000
    assert [line["attempt"] for line in lines if line["event"].startswith("a job failed")] == list(range(1, 12))


async def test_a_job_that_fails_for_days_is_given_up(store: Store, clock: ManualClock) -> None:
    tries: list[str] = []

    async def work(_payload: Any, key: str) -> None:
        tries.append(key)
        raise RuntimeError("a bug")

    await store.jobs.submit("work", {}, key="hopeless")
    clock.now_ms += jobs.PATIENCE_MS
    with capture_logs() as lines:
        async with working(store, work):
            await all_done(store)
    assert tries == ["hopeless"]
    assert [line["event"] for line in lines] == ["a job was given up"]


async def test_jobs_of_one_call_are_done_in_order_and_others_do_not_wait(store: Store) -> None:
    begun: list[str] = []
    stuck = anyio.Event()

    async def work(_payload: Any, key: str) -> None:
        begun.append(key)
        if key == "a1":
            await stuck.wait()

    for key in ("a1", "a2", "a3", "b1", "b2"):
        await store.jobs.submit("work", {"callId": key[0]}, key=key)
    async with working(store, work):
        await eventually(store.jobs.waiting, lambda count: count == 3)
        assert begun == ["a1", "b1", "b2"]
        stuck.set()
        await all_done(store)
    assert begun == ["a1", "b1", "b2", "a2", "a3"]


async def test_two_servers_never_do_a_job_at_the_same_time(store: Store) -> None:
    done: list[str] = []

    async def work(_payload: Any, key: str) -> None:
        done.append(key)
        await anyio.sleep(0.005)

    for n in range(40):
        await store.jobs.submit("work", {}, key=str(n))
    async with working(store, work, "a"), working(store, work, "b"):
        await all_done(store)
    assert sorted(done, key=int) == [str(n) for n in range(40)]


async def test_the_jobs_of_a_killed_server_are_done_again(store: Store, clock: ManualClock) -> None:
    done: list[str] = []

    async def work(_payload: Any, key: str) -> None:
        done.append(key)

    await store.jobs.submit("work", {}, key="mine")
    await store.jobs.submit("work", {}, key="another's")
    (mine,) = await store.jobs.lease("a", 1, 60_000)
    (another,) = await store.jobs.lease("b", 1, 60_000)
    assert (mine.key, another.key) == ("mine", "another's")
    assert await store.jobs.lease("c", 9, 60_000) == []
    async with working(store, work, "a"):  # a has been killed and started again
        await eventually(store.jobs.waiting, lambda count: count == 1)
        assert done == ["mine"]
        clock.now_ms += 60_001  # b is not restarted
        await store.jobs.submit("work", {}, key="news")
        await all_done(store)
    assert sorted(done) == ["another's", "mine", "news"]


async def test_a_job_of_an_unknown_kind_stays(store: Store) -> None:
    async def work(_payload: Any, _key: str) -> None: ...

    await store.jobs.submit("of a later version", {}, key="x")
    async with working(store, work):
        await store.jobs.submit("work", {}, key="y")
        await eventually(store.jobs.waiting, lambda count: count == 1)
    assert await store.jobs.waiting() == 1
