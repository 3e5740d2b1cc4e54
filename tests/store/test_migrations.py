"""Every step from the first tables to today's: what was stored before is there after."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import bargein.store.database
from bargein.clock import LoopClock
from bargein.store import Query, Store

pytestmark = pytest.mark.anyio

MIGRATIONS = Path(bargein.store.database.__file__).parent / "migrations"


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def move(path: Path, revision: str, *, down: bool = False) -> None:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            config = alembic()
            config.attributes["connection"] = connection
            (command.downgrade if down else command.upgrade)(config, revision)
    finally:
        engine.dispose()


def old_database(path: Path) -> None:
    """A database as the first version left it, with something in it."""
    move(path, "0001")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO meta VALUES ('org_id', 'the-org')")
        connection.execute("""INSERT INTO assistants VALUES ('a', 1000, 2000, '{"name": "Ada"}')""")
        connection.execute(
            "INSERT INTO calls VALUES ('c', 1000, 2000, 'a', NULL, 'ended', "
            """'{"assistantId": "a", "status": "ended", "endedReason": "customer-ended-call"}')"""
        )


def names(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


async def test_a_database_of_the_first_version_opens_with_all_it_held(tmp_path: Path) -> None:
    path = tmp_path / "bargein.db"
    await anyio.to_thread.run_sync(old_database, path)
    assert "tools" not in names(path)

    store = await Store.open(path, LoopClock())
    try:
        stamps = {"createdAt": "1970-01-01T00:00:01.000Z", "updatedAt": "1970-01-01T00:00:02.000Z"}
        assistant = {"id": "a", "orgId": "the-org", "name": "Ada", **stamps}
        assert await store.assistants.list(Query()) == [assistant]
        (call,) = await store.calls.list(Query(assistant_id="a"))
        assert (call["id"], call["status"], call["endedReason"]) == ("c", "ended", "customer-ended-call")
        tool = await store.tools.create({"type": "endCall"})
        number = await store.phone_numbers.create({"provider": "vapi", "number": "+14155550100"})
        assert await store.tools.get(tool["id"]) == tool
        assert await store.phone_numbers.list(Query(number="+14155550100")) == [number]
    finally:
        await store.close()


def test_the_steps_go_back_as_well(tmp_path: Path) -> None:
    path = tmp_path / "bargein.db"
    old_database(path)
    before = names(path)
    move(path, "head")
    assert names(path) == before | {"phone_numbers", "tools"}
    move(path, "0001", down=True)
    assert names(path) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM calls").fetchall() == [("c",)]


def test_the_steps_are_one_line() -> None:
    steps = [step.revision for step in ScriptDirectory.from_config(alembic()).walk_revisions()]
    assert steps[-2:] == ["0002", "0001"]
    assert len(ScriptDirectory.from_config(alembic()).get_heads()) == 1
