"""Leases: a restarted server ends its own calls; other servers end only the calls of a dead one."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from sqlalchemy import select, update

from bargein.fleet import lease
from bargein.fleet.lease import LeaseKeeper
from bargein.store import Store
from bargein.store.nodes import NodeId
from bargein.store.tables import live_calls, nodes
from tests.store.test_store import ManualClock

pytestmark = pytest.mark.anyio

ENDED = {"status": "ended", "endedReason": "x"}


class Node:
    """A server's lease keeper, and the calls that it ended."""

    def __init__(self, store: Store, name: str, clock: ManualClock, journals: tuple[str, ...] = ()) -> None:
        self.ended: list[str] = []
        self._store = store
        self.name = name
        self.keeper = LeaseKeeper(store.nodes, name, clock, self._recover, journals.__contains__)
        self.keeper._steady_since_ms = clock.monotonic_ms() - lease.SILENT_MS

    async def _recover(self, call_id: str) -> None:
        self.ended.append(call_id)
        await self._store.calls.finish(call_id, ENDED, [])

    async def has(self, *call_ids: str) -> None:
        for call_id in call_ids:
            await self._store.calls.create({"status": "queued"}, record_id=call_id)
            await self._store.calls.begin(call_id, {"status": "in-progress"}, self.name)


async def be_silent(store: Store, name: str, ms: int) -> None:
    async with store._database.writing() as connection:
        this = nodes.c.id == name
        await connection.execute(update(nodes).where(this).values(seen_at=nodes.c.seen_at - ms))


async def run_until(node: Node, true: Callable[[], Awaitable[bool] | bool]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(node.keeper.run)
        with anyio.fail_after(5):
            while not true():  # there is no event to wait for
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()


async def test_a_restarted_server_ends_its_own_calls_at_once(store: Store, clock: ManualClock) -> None:
    before, other = Node(store, "a", clock), Node(store, "b", clock)
    await before.keeper.recover_own_calls()
    await other.keeper.recover_own_calls()
    await before.has("one", "two")
    await other.has("three")

    again = Node(store, "a", clock)
    await again.keeper.recover_own_calls()
    await again.has("new")  # a call that begins after the restart is not ended
    await run_until(again, lambda: len(again.ended) == 2)
    assert sorted(again.ended) == ["one", "two"]
    assert {c["id"]: c["status"] for name in ("three", "new") if (c := await store.calls.get(name))} == {
        "three": "in-progress",
        "new": "in-progress",
    }


async def test_the_calls_of_a_live_server_are_not_ended(store: Store, clock: ManualClock) -> None:
    one, two = Node(store, "a", clock), Node(store, "b", clock, journals=("x",))
    await one.keeper.recover_own_calls()
    await two.keeper.recover_own_calls()
    await one.has("x")
    await be_silent(store, "a", lease.SILENT_MS - 5000)
    await two.keeper.check()
    assert two.ended == []


async def test_a_server_with_the_journals_ends_the_calls_of_a_dead_one(store: Store, clock: ManualClock) -> None:
    one, two = Node(store, "a", clock), Node(store, "b", clock, journals=("here",))
    await one.keeper.recover_own_calls()
    await two.keeper.recover_own_calls()
    await one.has("here", "there")
    await be_silent(store, "a", lease.SILENT_MS + 1000)
    await two.keeper.check()
    assert two.ended == ["here"]
    # a journal that only the dead server's disk has is waited for, but with a limit
    await be_silent(store, "a", lease.PATIENCE_MS)
    await two.keeper.check()
    assert two.ended == ["here", "there"]
    async with store._database.reading() as connection:
        assert (await connection.execute(select(live_calls))).all() == []


async def test_after_a_database_outage_every_server_counts_as_live(store: Store, clock: ManualClock) -> None:
    one, two = Node(store, "a", clock), Node(store, "b", clock, journals=("x",))
    await one.keeper.recover_own_calls()
    await two.keeper.recover_own_calls()
    await one.has("x")
    await be_silent(store, "a", lease.SILENT_MS + 1000)
    two.keeper._steady_since_ms = clock.monotonic_ms() - lease.SILENT_MS + 1
    await two.keeper.check()
    assert two.ended == []
    clock.now_ms += 1
    await two.keeper.check()
    assert two.ended == ["x"]


async def test_one_of_two_takes_a_call_over(store: Store, clock: ManualClock) -> None:
    dead = Node(store, "dead", clock)
    await dead.keeper.recover_own_calls()
    await dead.has("x")
    await be_silent(store, "dead", lease.SILENT_MS + 1000)
    rivals = [Node(store, name, clock, journals=("x",)) for name in ("a", "b", "c")]
    for rival in rivals:
        await rival.keeper.recover_own_calls()
    async with anyio.create_task_group() as tasks:
        for rival in rivals:
            tasks.start_soon(rival.keeper.check)
    assert [call_id for rival in rivals for call_id in rival.ended] == ["x"]


async def test_a_call_has_one_end(store: Store, clock: ManualClock) -> None:
    node = Node(store, "a", clock)
    await node.has("x")
    assert await store.calls.finish("x", {"status": "ended", "endedReason": "first"}, [])
    assert not await store.calls.finish("x", {"status": "ended", "endedReason": "second"}, [])
    await store.calls.begin("x", {"status": "in-progress"}, "a")
    assert (await store.calls.get("x") or {})["endedReason"] == "first"
    assert await store.nodes.calls_of("a") == []


def test_a_servers_name_survives_a_restart_and_is_unique(tmp_path: Path) -> None:
    first = NodeId(tmp_path)
    beside = NodeId(tmp_path)
    assert first.id != beside.id
    first.close()
    beside.close()
    again = NodeId(tmp_path)
    assert again.id == first.id
    again.close()
    (tmp_path / "node").write_text("broken")
    mended = NodeId(tmp_path)
    assert mended.id not in ("broken", first.id)
    mended.close()
