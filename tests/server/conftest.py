"""A server for each test, called without a network."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.clock import Clock
from bargein.server.api.services import Warmable
from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from tests.conftest import BOTH

PRIVATE = "private-key-1234"
PUBLIC = "public-key-5678"
OWNER = {"Authorization": f"Bearer {PRIVATE}"}
VISITOR = {"Authorization": f"Bearer {PUBLIC}"}
BASE = "http://127.0.0.1:8700"

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


ON_BOTH = ("test_assistants", "test_calls", "test_scheduled_calls", "test_tools", "test_outages")
"""The modules whose tests run on both databases, because they store and query records."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    name = metafunc.module.__name__.rpartition(".")[2]
    if "database_url" in metafunc.fixturenames and name in ON_BOTH:
        metafunc.parametrize("database_url", BOTH, indirect=True)


@pytest.fixture
def serve(tmp_path: Path, database_url: str | None) -> Serve:
    """Return a function that runs a server: `async with serve(api_key=…) as client`."""

    @asynccontextmanager
    async def running(
        *, embedded: Warmable | None = None, clock: Clock | None = None, **settings: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(
            make_settings(data_dir=tmp_path, database_url=database_url, **settings), embedded=embedded, clock=clock
        )
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield client

    return running


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a server without keys."""
    async with serve() as opened:
        yield opened


@pytest.fixture
async def client_with_keys(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a server with both keys; its requests have none unless a test adds one."""
    async with serve(api_key=PRIVATE, public_key=PUBLIC) as opened:
        yield opened
