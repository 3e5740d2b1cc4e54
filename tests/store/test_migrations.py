"""Every migration from the first tables to the present ones: stored data survives."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import bargein.store.database
from bargein.clock import LoopClock
from bargein.store import Query, Store
from bargein.store.backends import postgres_engine, sqlite_engine

pytestmark = pytest.mark.anyio

MIGRATIONS = Path(bargein.store.database.__file__).parent / "migrations"


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


class Steps:
    """A database that is migrated step by step."""

    def __init__(self, path: Path, url: str | None) -> None:
        self.path = path
        self.url = url
        self._engine = sqlite_engine(path) if url is None else postgres_engine(url, 10)

    async def move(self, revision: str, *, down: bool = False) -> None:
        def run(connection: Connection) -> None:
            config = alembic()
            config.attributes["connection"] = connection
            (command.downgrade if down else command.upgrade)(config, revision)

        async with self._engine.begin() as connection:
            await connection.run_sync(run)

    async def sql(self, *statements: str) -> list[tuple[object, ...]]:
        async with self._engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement.replace(":", "\\:")))
            return [tuple(row) for row in result] if result.returns_rows else []

    async def tables(self) -> set[str]:
        async with self._engine.connect() as connection:
            return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))

    async def open(self) -> Store:
        return await Store.open(self.path, LoopClock(), url=self.url)

    async def close(self) -> None:
        await self._engine.dispose()


@pytest.fixture
async def steps(tmp_path: Path, database_url: str | None) -> AsyncIterator[Steps]:
    """A database of the first version with some content."""
    found = Steps(tmp_path / "bargein.db", database_url)
    await found.move("0001")
    await found.sql(
        "INSERT INTO meta VALUES ('org_id', 'the-org')",
        """INSERT INTO assistants VALUES ('a', 1000, 2000, '{"name": "Ada"}')""",
        "INSERT INTO calls VALUES ('c', 1000, 2000, 'a', NULL, 'ended', "
        """'{"assistantId": "a", "status": "ended", "endedReason": "customer-ended-call"}')""",
    )
    yield found
    await found.close()


async def test_a_database_of_the_first_version_opens_with_its_content(steps: Steps) -> None:
    assert "tools" not in await steps.tables()
    store = await steps.open()
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


async def test_the_migrations_can_be_reverted(steps: Steps) -> None:
    before = await steps.tables()
    await steps.move("head")
    after = await steps.tables()
    assert after >= before | {"phone_numbers", "tools", "credentials", "chats"}
    await steps.move("0001", down=True)
    assert await steps.tables() == before
    await steps.move("head")
    assert await steps.tables() == after
    assert await steps.sql("SELECT id FROM calls") == [("c",)]


def test_the_migrations_have_no_branches() -> None:
    steps = [step.revision for step in ScriptDirectory.from_config(alembic()).walk_revisions()]
    assert steps[-4:] == ["0004", "0003", "0002", "0001"]
    assert len(ScriptDirectory.from_config(alembic()).get_heads()) == 1
