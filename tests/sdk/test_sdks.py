"""Vapi's official SDKs, unmodified, against `make serve` on each database: they read back what they wrote."""

import pytest

from tests.programs import needs
from tests.sdk.conftest import Sdk

CHECKS = (
    "assistants", "phone_numbers", "tools", "calls", "squads", "files", "sessions", "chats", "lists", "errors",
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_the_python_sdk(check: str, url: str, python_sdk: Sdk) -> None:
    python_sdk.check(check, url)


@needs("node", "npm")
@pytest.mark.parametrize("check", CHECKS)
def test_the_typescript_sdk(check: str, url: str, node_sdk: Sdk) -> None:
    node_sdk.check(check, url)
