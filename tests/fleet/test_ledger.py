"""The ledger: writes of calls during a database outage are made up for afterwards, in bounded memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from bargein.fleet import ledger as fleet_ledger
from bargein.fleet.ledger import Ledger
from bargein.ports import StoreUnavailableError
from tests.call.harness import eventually

pytestmark = pytest.mark.anyio


class FlakyRecords:
    """Call records that can be made to fail."""

    def __init__(self) -> None:
        self.away = False
        self.written: list[tuple[str, str, dict[str, Any]]] = []

    async def _write(self, step: str, call_id: str, changes: dict[str, Any]) -> None:
        await anyio.lowlevel.checkpoint()
        if self.away:
            raise StoreUnavailableError("away")
        if call_id == "bad":
            raise ValueError("no database accepts this")
        self.written.append((step, call_id, changes))

    async def begin(self, call_id: str, changes: dict[str, Any]) -> None:
        await self._write("begin", call_id, changes)

    async def update(self, call_id: str, changes: dict[str, Any]) -> None:
        await self._write("update", call_id, changes)

    async def finish(self, call_id: str, changes: dict[str, Any]) -> None:
        await self._write("finish", call_id, changes)


@asynccontextmanager
async def keeping(records: FlakyRecords) -> AsyncIterator[tuple[Ledger, list[str]]]:
    forgotten: list[str] = []
    ledger = Ledger(records, forgotten.append)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.run)
        yield ledger, forgotten
        tasks.cancel_scope.cancel()


async def test_a_possible_write_is_done_on_return() -> None:
    records = FlakyRecords()
    async with keeping(records) as (ledger, _):
        await ledger.begin("a", {"status": "in-progress"})
        await ledger.update("a", {"x": 1})
        await ledger.finish("a", {"status": "ended"})
        assert records.written == [
            ("begin", "a", {"status": "in-progress"}),
            ("update", "a", {"x": 1}),
            ("finish", "a", {"status": "ended"}),
        ]
        assert ledger.pending == 0


async def test_an_impossible_write_is_done_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_ledger, "PATIENCE_S", 0.05)
    records = FlakyRecords()
    records.away = True
    async with keeping(records) as (ledger, _):
        await ledger.begin("a", {"status": "in-progress", "startedAt": "t"})
        await ledger.begin("b", {"status": "in-progress"})
        await ledger.finish("a", {"status": "ended"})
        assert (records.written, ledger.pending) == ([], 2)
        records.away = False

        async def look() -> int:
            return ledger.pending

        await eventually(look, lambda pending: pending == 0)
        assert sorted(records.written) == [
            ("begin", "b", {"status": "in-progress"}),
            ("finish", "a", {"status": "ended", "startedAt": "t"}),
        ]


async def test_a_record_that_no_database_accepts_blocks_no_other() -> None:
    records = FlakyRecords()
    with capture_logs() as lines:
        async with keeping(records) as (ledger, _):
            await ledger.finish("bad", {"status": "ended"})
            await ledger.finish("good", {"status": "ended"})
    assert records.written == [("finish", "good", {"status": "ended"})]
    assert [line["call_id"] for line in lines] == ["bad"]


async def test_memory_is_bounded_because_journals_have_the_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_ledger, "PATIENCE_S", 0.0)
    monkeypatch.setattr(fleet_ledger, "MAX_PENDING", 3)
    records = FlakyRecords()
    async with keeping(records) as (ledger, forgotten):
        for name in "abcde":
            await ledger.begin(name, {})
            await ledger.flush()
        records.away = True
        for name in "abcde":
            await ledger.finish(name, {"status": "ended"})
        assert ledger.pending == 3
        assert forgotten == ["a", "b"]
        # a call without a stored beginning is never dropped: no recovery would look for it
        await ledger.begin("new", {})
        await ledger.finish("new", {"status": "ended"})
        records.away = False
        await ledger.flush()
    assert [call_id for step, call_id, _ in records.written if step == "finish"] == ["d", "e", "new"]


async def test_a_cancelled_write_is_still_done() -> None:
    records = FlakyRecords()
    records.away = True
    ledger = Ledger(records, lambda _: None)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await ledger.finish("a", {"status": "ended"})
    records.away = False
    assert await ledger.flush()
    assert records.written == [("finish", "a", {"status": "ended"})]
