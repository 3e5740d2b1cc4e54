"""Every test of this folder runs on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bargein.store import Store
from tests.conftest import BOTH
from tests.store.test_store import ManualClock


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", BOTH, indirect=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock, database_url: str | None) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "bargein.db", clock, url=database_url)
    yield opened
    await opened.close()
