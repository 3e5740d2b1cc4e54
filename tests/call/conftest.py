"""The log of the server that a test runs."""

import gc
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bargein.clock import LoopClock
from bargein.server.ops.logs import configure


class Log:
    """Everything that was logged, as it leaves the process."""

    def __init__(self) -> None:
        self._out = io.StringIO()
        self.set_level("info")

    def set_level(self, level: str) -> None:
        configure(level=level, clock=LoopClock(), stream=self._out)

    @property
    def text(self) -> str:
        return self._out.getvalue()

    def lines(self, event: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """The lines with this text and these fields."""
        found = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in found if event in (None, line["event"]) and fields.items() <= line.items()]


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Log()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True, scope="module")
def _short_collections() -> None:
    """What tests before have left is not looked through again and again while calls are timed: that takes 100 ms."""
    gc.collect()
    gc.freeze()
