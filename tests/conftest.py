"""Fixtures and hooks of all tests: asyncio with anyio's plugin, databases, timed tests, and missing programs."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from dev.test_stages import PARTLY_TIMED, TIMED

from tests import postgres, programs

# An example's time says something about the machine; tests that measure time do so themselves.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of the folders in which every test is timed, before tests are selected by their marks."""
    for item in items:
        file = item.path.relative_to(REPOSITORY)
        if any(file.is_relative_to(folder) for folder in TIMED):
            item.add_marker("timed")
        elif item.get_closest_marker("timed") and not any(file.is_relative_to(folder) for folder in PARTLY_TIMED):
            raise pytest.UsageError(
                f"{item.nodeid} would never run: add its folder to PARTLY_TIMED in dev/test_stages.py"
            )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose programs are missing, before its fixtures are set up."""
    programs.require(item)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """A Postgres, started by the first test that needs it."""
    with postgres.cluster() as running:
        yield running


BOTH = ("sqlite", pytest.param("postgres", marks=programs.needs("postgres")))
"""The databases that tests of stored data run on."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None for SQLite, or the URL of a new Postgres database: as the test is parametrised, else SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
        return
    running: postgres.Cluster = request.getfixturevalue("cluster")
    with running.database() as url:
        yield url
