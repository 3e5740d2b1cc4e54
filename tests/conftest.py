"""What every test shares: asyncio under anyio's plugin, and the folder of real speech where there is one."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_dir() -> Path | None:
    """The folder with Vapi's schema and the speech clips; CI has it beside the repository, a user does not."""
    path = Path(os.environ.get("BARGEIN_SHARED_DIR", REPOSITORY.parent / "shared"))
    return path if path.is_dir() else None
