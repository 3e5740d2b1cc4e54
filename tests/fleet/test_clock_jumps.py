"""The wall clock is set by an hour, forward or back: retries, leases and heartbeats keep their times."""

from pathlib import Path

import pytest

from bargein.fleet import lease
from bargein.store import Store
from tests.fleet.test_lease import Node, be_silent
from tests.store.test_store import ManualClock

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000
LEASE_MS = 330_000
jumps = pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS], ids=["forward", "back"])


class WallClock(ManualClock):
    """A clock whose wall time a test sets; `now_ms` advances both times."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by_ms = 0

    def epoch_ms(self) -> int:
        return self.now_ms + self.set_by_ms


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@jumps
async def test_a_retry_is_due_when_its_wait_is_over(store: Store, clock: WallClock, jump_ms: int) -> None:
    await store.jobs.submit("work", {}, key="one")
    (job,) = await store.jobs.lease("a", 1, LEASE_MS)
    await store.jobs.retry(job.id, 2000)
    clock.set_by_ms = jump_ms
    assert await store.jobs.due_in_ms() == 2000
    clock.now_ms += 1999
    assert not await store.jobs.lease("a", 1, LEASE_MS)
    clock.now_ms += 1
    (again,) = await store.jobs.lease("a", 1, LEASE_MS)
    assert (again.attempts, again.age_ms) == (1, 2000)


@jumps
async def test_a_job_that_is_submitted_after_the_jump_is_due_at_once(
    store: Store, clock: WallClock, jump_ms: int
) -> None:
    clock.set_by_ms = jump_ms
    await store.jobs.submit("work", {}, key="one")
    (job,) = await store.jobs.lease("a", 1, LEASE_MS)
    assert job.age_ms == 0


@jumps
async def test_a_leased_job_stays_leased_for_its_time(store: Store, clock: WallClock, jump_ms: int) -> None:
    await store.jobs.submit("work", {}, key="one")
    assert await store.jobs.lease("a", 1, LEASE_MS)
    clock.set_by_ms = jump_ms
    clock.now_ms += LEASE_MS
    assert not await store.jobs.lease("b", 1, LEASE_MS)
    clock.now_ms += 1
    assert await store.jobs.lease("b", 1, LEASE_MS)


@jumps
async def test_a_job_does_not_wait_for_the_old_time_after_a_restart(
    store: Store, clock: WallClock, jump_ms: int, tmp_path: Path, database_url: str | None
) -> None:
    await store.jobs.submit("work", {}, key="one")
    (job,) = await store.jobs.lease("a", 1, LEASE_MS)
    await store.jobs.retry(job.id, 300_000)
    clock.set_by_ms = jump_ms
    again = await Store.open(tmp_path / "bargein.db", clock, url=database_url)
    clock.now_ms += 301_000
    assert await again.jobs.lease("a", 1, LEASE_MS)
    await again.close()


@jumps
async def test_the_calls_of_a_live_server_are_left_to_it(store: Store, clock: WallClock, jump_ms: int) -> None:
    one, two = Node(store, "a", clock), Node(store, "b", clock, journals=("x",))
    await one.keeper.recover_own_calls()
    await two.keeper.recover_own_calls()
    await one.has("x")
    await two.keeper.check()
    clock.set_by_ms = jump_ms
    await two.keeper.check()  # the other server has given no heartbeat since
    for _ in range(8):
        clock.now_ms += 5_000
        await store.nodes.beat("a")
        await store.nodes.beat("b")
        await two.keeper.check()
    assert two.ended == []


@jumps
async def test_the_calls_of_a_dead_server_are_ended_in_time(store: Store, clock: WallClock, jump_ms: int) -> None:
    one, two = Node(store, "a", clock), Node(store, "b", clock, journals=("x",))
    await one.keeper.recover_own_calls()
    await two.keeper.recover_own_calls()
    await one.has("x")
    await two.keeper.check()
    clock.set_by_ms = jump_ms
    for _ in range(8):
        clock.now_ms += 5_000
        await store.nodes.beat("b")
        if not store._database.is_sqlite:
            await be_silent(store, "a", 5_000)  # the database's own time is not the test's
        await two.keeper.check()
    assert two.ended == ["x"]
    assert lease.SILENT_MS < 8 * 5_000
