"""The server's log as a fixture."""

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
    """The log as it leaves the process."""

    def __init__(self) -> None:
        self._out = io.StringIO()
        self.set_level("info")

    def set_level(self, level: str) -> None:
        configure(level=level, clock=LoopClock(), stream=self._out)

    @property
    def text(self) -> str:
        return self._out.getvalue()

    def lines(self, event: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """Return the lines with this event and these fields."""
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
    """Freeze the objects of earlier tests: a garbage collection of them takes 100 ms, and calls are timed here."""
    gc.collect()
    gc.freeze()
