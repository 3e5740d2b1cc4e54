"""Every test of the store runs on both databases."""

import pytest

from tests.conftest import BOTH


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", BOTH, indirect=True)
