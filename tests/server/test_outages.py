"""A failing database: every request gets an error in Vapi's format, and no confirmed write is lost."""

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from bargein.ports import StoreUnavailableError
from bargein.server.api.services import Services
from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from tests.postgres import Cluster
from tests.programs import needs

pytestmark = pytest.mark.anyio


def services_of(client: httpx.AsyncClient) -> Services:
    return client._transport.app.state.services  # type: ignore[attr-defined,no-any-return]  # httpx's ASGITransport


async def test_patches_at_once_lose_nothing(client: httpx.AsyncClient) -> None:
    made = (await client.post("/assistant", json={"name": "Ada"})).json()
    fields = [{"name": "Eve"}, {"firstMessage": "Hi"}, {"endCallMessage": "Bye"}, {"metadata": {"a": 1}}]
    statuses: list[int] = []

    async def patch(changes: dict[str, Any]) -> None:
        statuses.append((await client.patch(f"/assistant/{made['id']}", json=changes)).status_code)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            for changes in fields:
                group.start_soon(patch, changes)
    assert statuses == [200] * 12
    after = (await client.get(f"/assistant/{made['id']}")).json()
    assert {name: after[name] for changes in fields for name in changes} == {
        name: value for changes in fields for name, value in changes.items()
    }


@asynccontextmanager
async def failing(services: Services, error: Exception) -> AsyncIterator[None]:
    """Make every statement of the database raise an error of its driver."""
    engine = services.store._database._engine.sync_engine

    def refuse(*_: object, **__: object) -> None:
        raise error

    event.listen(engine, "before_cursor_execute", refuse)
    yield
    event.remove(engine, "before_cursor_execute", refuse)


async def test_a_database_that_is_away_is_told_and_comes_back(client: httpx.AsyncClient) -> None:
    made = (await client.post("/assistant", json={"name": "Ada"})).json()
    async with failing(services_of(client), OSError("no route to host 10.1.2.3")):
        for answer in (
            await client.get("/assistant"),
            await client.post("/assistant", json={"name": "Eve"}),
            await client.patch(f"/assistant/{made['id']}", json={"name": "Eve"}),
            await client.delete(f"/assistant/{made['id']}"),
            await client.post("/call", json={"assistantId": made["id"], "transport": {"provider": "vapi.websocket"}}),
        ):
            assert answer.status_code == 503
            message = "The database cannot be reached. Try again."
            assert answer.json() == {"message": message, "error": "Service Unavailable", "statusCode": 503}
            assert answer.headers["retry-after"] == "5"
        assert (await client.get("/ready")).json()["message"] == ["the database does not answer"]
        assert (await client.get("/health")).status_code == 200
    assert (await client.get("/assistant")).json() == [made]
    assert (await client.get("/ready")).status_code == 200


@needs("postgres")
async def test_a_server_waits_for_a_database_that_starts_beside_it(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database() as url:
        app = create_app(make_settings(data_dir=tmp_path, database_url=url))
        ready = anyio.Event()

        async def start() -> None:
            async with app.router.lifespan_context(app):
                ready.set()

        cluster.stop()
        with capture_logs() as lines:
            async with anyio.create_task_group() as tasks:
                try:
                    tasks.start_soon(start)
                    with anyio.fail_after(10):
                        while not lines:
                            await anyio.sleep(0.01)
                    assert not ready.is_set()
                finally:
                    cluster.start()
        assert ready.is_set()
        assert lines[0]["event"] == "waiting for the database"


@needs("postgres")
async def test_a_server_whose_database_does_not_come_says_so(tmp_path: Path) -> None:
    nowhere = f"postgresql://ada:hush-hush@/x?host={tmp_path}"
    app = create_app(make_settings(data_dir=tmp_path, database_url=nowhere, database_wait_s=0))
    with pytest.raises(StoreUnavailableError) as caught:
        async with app.router.lifespan_context(app):
            pass
    said = "the Postgres database /x (BARGEIN_DATABASE_URL) cannot be reached: nothing listens there"
    assert app.state.start_error == said
    assert "hush-hush" not in "".join(traceback.format_exception(caught.value))
