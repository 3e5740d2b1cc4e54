"""The store: documents, searches, concurrent changes, and restarts."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bargein.clock import Timer, iso_from_epoch_ms
from bargein.store import Query, Store
from bargein.store.tables import metadata

if TYPE_CHECKING:
    from bargein.ports import CallRecords

pytestmark = pytest.mark.anyio

START_MS = 1_763_900_000_000


class ManualClock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def monotonic_ms(self) -> float:
        return float(self.now_ms)

    def epoch_ms(self) -> int:
        return self.now_ms

    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> Timer:
        raise NotImplementedError


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock, database_url: str | None) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "new" / "bargein.db", clock, url=database_url)
    yield opened
    await opened.close()


async def test_a_document_is_returned_unchanged_with_the_stores_fields(store: Store) -> None:
    document = {"name": "Ada", "metadata": {"n": [1, None, {"ü": "🦀"}]}, "odd": 1.5}
    made = await store.assistants.create(document)
    stamp = iso_from_epoch_ms(START_MS)
    assert made == {**document, "id": made["id"], "orgId": store.org_id, "createdAt": stamp, "updatedAt": stamp}
    assert await store.assistants.get(made["id"]) == made
    assert await store.calls.get(made["id"]) is None


async def test_live_calls_go_on_while_a_long_list_is_decrypted(store: Store) -> None:
    for _ in range(40):
        await store.calls.create({"transcript": "word " * 100_000})
    longest_s, at_s = 0.0, time.thread_time()

    async def look() -> None:
        nonlocal longest_s, at_s
        while True:
            await anyio.lowlevel.checkpoint()
            longest_s, at_s = max(longest_s, time.thread_time() - at_s), time.thread_time()

    began_s = time.thread_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        found = await store.calls.list(Query(limit=40))
        await anyio.sleep(0.01)  # the last step is looked at too
        tasks.cancel_scope.cancel()
    assert len(found) == 40
    assert longest_s < (time.thread_time() - began_s) / 4, "the list is read in several steps"


async def test_everything_survives_a_restart(tmp_path: Path, clock: ManualClock, database_url: str | None) -> None:
    path = tmp_path / "bargein.db"
    first = await Store.open(path, clock, url=database_url)
    made = await first.calls.create({"status": "queued"}, record_id="a-call")
    await first.close()

    second = await Store.open(path, clock, url=database_url)
    try:
        assert second.org_id == first.org_id
        assert await second.calls.get("a-call") == made
        await second.ping()
    finally:
        await second.close()


async def test_a_patch_replaces_top_level_fields_and_null_removes_one(store: Store, clock: ManualClock) -> None:
    made = await store.assistants.create(
        {"name": "a", "model": {"provider": "openai", "model": "x"}, "firstMessage": "hi"}
    )
    clock.now_ms += 5
    patched = await store.assistants.patch(made["id"], {"model": {"provider": "vapi"}, "firstMessage": None})
    assert patched == {
        "name": "a",
        "model": {"provider": "vapi"},
        "id": made["id"],
        "orgId": store.org_id,
        "createdAt": made["createdAt"],
        "updatedAt": iso_from_epoch_ms(START_MS + 5),
    }
    assert await store.assistants.get(made["id"]) == patched


async def test_the_stores_own_fields_cannot_be_set(store: Store) -> None:
    made = await store.assistants.create({"id": "mine", "orgId": "o", "createdAt": "x"})
    assert made["id"] != "mine"
    assert await store.assistants.patch(made["id"], {"id": "other", "orgId": "o"}) == made


async def test_updates_at_the_same_time_lose_nothing(store: Store) -> None:
    records: CallRecords = store.calls
    call = await store.calls.create({"status": "queued"})

    async with anyio.create_task_group() as group:
        for index in range(40):
            group.start_soon(records.update, call["id"], {f"field{index}": index})

    after = await store.calls.get(call["id"])
    assert after is not None
    assert {after[f"field{index}"] for index in range(40)} == set(range(40))


async def test_two_processes_lose_none_of_each_others_changes(
    tmp_path: Path, clock: ManualClock, database_url: str | None
) -> None:
    path = tmp_path / "bargein.db"
    one, two = [await Store.open(path, clock, url=database_url) for _ in range(2)]
    try:
        assert one.org_id == two.org_id
        call = await one.calls.create({})
        async with anyio.create_task_group() as group:
            for index in range(20):
                group.start_soon((one if index % 2 else two).calls.update, call["id"], {f"field{index}": index})
        after = await two.calls.get(call["id"])
        assert after is not None
        assert {after[f"field{index}"] for index in range(20)} == set(range(20))
    finally:
        await one.close()
        await two.close()


async def test_a_cancelled_writer_leaves_a_whole_record_and_a_working_store(store: Store) -> None:
    call = await store.calls.create({})
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            for index in range(10):
                group.start_soon(store.calls.update, call["id"], {"a": index, "b": index})
            scope.cancel()
    after = await store.calls.get(call["id"])
    assert after is not None
    assert after.get("a") == after.get("b")
    await store.calls.update(call["id"], {"a": "end"})
    assert (await store.calls.get(call["id"]) or {})["a"] == "end"


async def test_cancelled_readers_leave_nothing_that_a_closing_store_waits_for(store: Store) -> None:
    before = asyncio.all_tasks()
    for tenths in range(40):
        async with anyio.create_task_group() as group:
            group.start_soon(store.jobs.waiting)
            group.start_soon(store.calls.list, Query())
            await anyio.sleep(tenths / 10_000)
            group.cancel_scope.cancel()
    await store.close()
    assert asyncio.all_tasks() <= before


async def test_a_deleted_call_stays_deleted(store: Store) -> None:
    call = await store.calls.create({"name": "x"})
    assert await store.calls.delete(call["id"]) == call
    await store.calls.update(call["id"], {"status": "ended"})
    assert await store.calls.get(call["id"]) is None
    assert await store.calls.delete(call["id"]) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [4, 3, 2, 1, 0]),
        (Query(limit=2), [4, 3]),
        (Query(limit=0), []),
        (Query(created_at_gt=START_MS + 20), [4, 3]),
        (Query(created_at_ge=START_MS + 20), [4, 3, 2]),
        (Query(created_at_lt=START_MS + 20), [1, 0]),
        (Query(created_at_le=START_MS + 20), [2, 1, 0]),
        (Query(created_at_gt=START_MS, created_at_lt=START_MS + 40), [3, 2, 1]),
        (Query(updated_at_gt=START_MS + 40), [1]),
        (Query(updated_at_le=START_MS + 30), [3, 2, 0]),
        (Query(assistant_id="even"), [4, 2, 0]),
        (Query(assistant_id="even", limit=1), [4]),
        (Query(id="call-3"), [3]),
        (Query(phone_number_id="none"), []),
    ],
)
async def test_lists_are_newest_first_and_filtered(
    store: Store, clock: ManualClock, query: Query, expected: list[int]
) -> None:
    for index in range(5):
        document: dict[str, Any] = {"n": index, "assistantId": "odd" if index % 2 else "even"}
        await store.calls.create(document, record_id=f"call-{index}")
        clock.now_ms += 10
    await store.calls.update("call-1", {"x": 1})
    assert [call["n"] for call in await store.calls.list(query)] == expected


async def test_a_filter_follows_the_document(store: Store) -> None:
    call = await store.calls.create({"assistantId": "a"})
    await store.calls.update(call["id"], {"assistantId": "b"})
    assert await store.calls.list(Query(assistant_id="a")) == []
    assert [found["id"] for found in await store.calls.list(Query(assistant_id="b"))] == [call["id"]]


async def test_the_file_is_set_up_for_many_readers(tmp_path: Path, clock: ManualClock) -> None:
    store = await Store.open(tmp_path / "bargein.db", clock)
    await store.assistants.create({})
    with sqlite3.connect(tmp_path / "bargein.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    async with store._database.reading() as reading:
        assert (await reading.exec_driver_sql("PRAGMA foreign_keys")).scalar() == 1
        assert (await reading.exec_driver_sql("PRAGMA busy_timeout")).scalar() == 5000
    await store.close()


async def test_servers_that_start_at_once_on_a_new_database_make_it_once(
    tmp_path: Path, clock: ManualClock, database_url: str | None
) -> None:
    opened: list[Store] = []

    async def start() -> None:
        opened.append(await Store.open(tmp_path / "bargein.db", clock, url=database_url))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(start)
    assert len({store.org_id for store in opened}) == 1
    made = await opened[0].tools.create({"type": "endCall"})
    assert [await store.tools.get(made["id"]) for store in opened] == [made] * 4
    for store in opened:
        await store.close()


async def test_every_character_is_kept_and_found(store: Store) -> None:
    odd = "a\x00b\u2028\uffff\U0010ffff" + "ü" * 5000
    made = await store.phone_numbers.create({"number": odd, "name": odd, "deep": {odd: [odd]}})
    assert await store.phone_numbers.get(made["id"]) == made
    assert made["deep"] == {odd: [odd]}
    assert await store.phone_numbers.list(Query(number=odd)) == [made]
    assert await store.phone_numbers.list(Query(search="a\x00b")) == [made]
    assert await store.phone_numbers.get(odd) is None
    assert await store.phone_numbers.patch(odd, {}) is None


async def test_the_order_of_fields_is_kept(store: Store) -> None:
    made = await store.tools.create({"zz": 1, "a": 2, "mmm": {"y": 1, "x": 1.0}})
    assert list(await store.tools.get(made["id"]) or {})[:3] == ["zz", "a", "mmm"]
    assert repr((await store.tools.get(made["id"]) or {})["mmm"]) == "{'y': 1, 'x': 1.0}"


async def test_a_reader_sees_one_state_while_others_write(store: Store) -> None:
    from sqlalchemy import func, select

    counted = select(func.count()).select_from(store.tools._table)
    async with store._database.reading() as connection:
        before = (await connection.execute(counted)).scalar_one()
        await store.tools.create({})
        assert (await connection.execute(counted)).scalar_one() == before
    assert (await store.tools.page(Query())).total == before + 1


async def test_the_migrations_create_the_tables_of_the_code(store: Store) -> None:
    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with store._database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_an_error_of_the_database_has_no_stored_content(store: Store) -> None:
    await store.assistants.create({"x": 1}, record_id="same")
    with pytest.raises(Exception, match=r"(?i)unique") as caught:  # only the text of the error matters
        await store.assistants.create({"server": {"secret": "hush-hush"}}, record_id="same")
    assert "hush-hush" not in str(caught.value)


async def test_a_page_has_a_part_of_the_list_and_the_total(store: Store, clock: ManualClock) -> None:
    for index in range(5):
        await store.tools.create({"n": index})
        clock.now_ms += 10

    async def page(query: Query) -> tuple[list[int], int]:
        found = await store.tools.page(query)
        return [record["n"] for record in found.records], found.total

    assert await page(Query(limit=2, offset=2)) == ([2, 1], 5)
    assert await page(Query(limit=2, offset=2, oldest_first=True)) == ([2, 3], 5)
    assert await page(Query(limit=2, offset=1 << 80)) == ([], 5)
    assert await page(Query(limit=1, created_at_lt=START_MS + 20)) == ([1], 2)
    assert await page(Query(search="no field of a tool is searched")) == ([], 0)


async def test_a_search_finds_a_part_of_a_number_an_address_or_a_name(store: Store) -> None:
    live_calls = await store.phone_numbers.create({"number": "+14155550100", "name": "Front Desk"})
    door = await store.phone_numbers.create({"sipUri": "sip:door@example.org", "x": "desk"})
    assert await store.phone_numbers.list(Query(search="dESK")) == [live_calls]
    assert await store.phone_numbers.list(Query(search="door@")) == [door]
    assert await store.phone_numbers.list(Query(search="%")) == []
    assert await store.phone_numbers.list(Query(sip_uri="sip:door@example.org")) == [door]


async def test_a_check_that_raises_leaves_a_document_as_it_was(store: Store) -> None:
    made = await store.tools.create({"type": "endCall", "messages": []})
    seen: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def refuse(before: dict[str, Any], after: dict[str, Any]) -> None:
        seen.append((before, after))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.tools.patch(made["id"], {"messages": None, "x": 1, "id": "mine"}, check=refuse)
    assert seen == [({"type": "endCall", "messages": []}, {"type": "endCall", "x": 1})]
    assert await store.tools.get(made["id"]) == made
    assert await store.tools.patch("unknown", {}, check=refuse) is None
    await store.tools.patch(made["id"], {"x": 2}, check=lambda _before, _after: None)
    assert (await store.tools.get(made["id"]) or {})["x"] == 2


async def test_calls_can_be_sorted_by_duration(store: Store) -> None:
    for name, seconds in (("long", 30), ("short", 12), ("none", None)):
        stamps = {"startedAt": "2026-01-01T00:00:00.000Z", "endedAt": f"2026-01-01T00:00:{seconds}.500Z"}
        made = await store.calls.create({"name": name})
        await store.calls.update(made["id"], {} if seconds is None else stamps)
    page = await store.calls.page(Query(order_by="duration_ms"))
    assert [call["name"] for call in page.records] == ["long", "short", "none"]
    page = await store.calls.page(Query(order_by="duration_ms", oldest_first=True, limit=2))
    assert ([call["name"] for call in page.records], page.total) == (["none", "short"], 3)


async def test_a_chat_and_its_session_are_stored_together(store: Store) -> None:
    session = await store.sessions.create({"status": "active"})
    chat, changed = await store.record_chat({"input": "Hello."}, "a-chat", session["id"], {"status": "completed"})
    assert (chat["input"], changed and changed["status"]) == ("Hello.", "completed")
    with pytest.raises(IntegrityError):  # the id is taken
        await store.record_chat({"input": "Again."}, "a-chat", session["id"], {"status": "active"})
    assert await store.sessions.get(session["id"]) == changed
