"""What every test shares: asyncio under anyio's plugin, and the folder of real speech where there is one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres

REPOSITORY = Path(__file__).resolve().parent.parent


TIMED_ROOMS = ("bench",)
"""Where a clock is held to every test."""
PARTLY_TIMED = ("call", "carriers", "client", "fleet")
"""Where tests may be marked as timed: only there are timed tests looked for (`make test-in-turn`)."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is timed, before it is chosen by marks what runs."""
    for item in items:
        room = item.path.relative_to(REPOSITORY / "tests").parts[0]
        if room in TIMED_ROOMS:
            item.add_marker("timed")
        elif room not in PARTLY_TIMED and item.get_closest_marker("timed") is not None:
            raise pytest.UsageError(f"{item.nodeid} would never run: timed tests are looked for elsewhere")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_dir() -> Path | None:
    """The folder with Vapi's schema and the speech clips; CI has it beside the repository, a user does not."""
    path = Path(os.environ.get("BARGEIN_SHARED_DIR", REPOSITORY.parent / "shared"))
    return path if path.is_dir() else None


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """Postgres, started by the first test that wants it."""
    with postgres.cluster() as running:
        yield running


BOTH = ("sqlite", pytest.param("postgres", marks=postgres.needs_postgres))
"""The databases that a test of what is stored runs on."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None for SQLite, or the URL of a new Postgres database: as the test is parametrised, else SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
        return
    running: postgres.Cluster = request.getfixturevalue("cluster")
    with running.database() as url:
        yield url
