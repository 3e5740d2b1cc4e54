"""The connections of the model and the voice are kept ready while their assistant is active, and never end a call."""

from typing import Any

import anyio
import pytest

from bargein.call.speaking.connections import ReadyConnections
from bargein.ports import ProviderError

pytestmark = pytest.mark.anyio


class Part:
    """A model or voice that notes when it is kept ready."""

    def __init__(self, log: list[str], name: str, error: Exception | None = None) -> None:
        self.log, self.name, self.error = log, name, error

    async def run(self) -> None:
        self.log.append(f"{self.name} begins")
        try:
            if self.error is not None:
                raise self.error
            await anyio.sleep_forever()
        finally:
            self.log.append(f"{self.name} ends")


def part(log: list[str], name: str, error: Exception | None = None) -> Any:
    return Part(log, name, error)


async def test_they_follow_the_assistant() -> None:
    log: list[str] = []
    connections = ReadyConnections(part(log, "model A"), part(log, "voice A"), "c1")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connections.run)
        await anyio.sleep(0.02)
        assert sorted(log) == ["model A begins", "voice A begins"]
        connections.switch_agent(part(log, "model B"), part(log, "voice B"))
        await anyio.sleep(0.02)
        assert sorted(log[2:4]) == ["model A ends", "voice A ends"]
        assert sorted(log[4:]) == ["model B begins", "voice B begins"]
        tasks.cancel_scope.cancel()
    assert sorted(log[6:]) == ["model B ends", "voice B ends"]


@pytest.mark.parametrize("error", [ProviderError("no", ended_reason="r"), KeyError("bug")], ids=["provider", "bug"])
async def test_an_error_is_logged_once_and_ends_nothing(error: Exception, log: Any) -> None:
    notes: list[str] = []
    connections = ReadyConnections(part(notes, "model"), part(notes, "voice", error), "c1")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connections.run)
        await anyio.sleep(0.02)
        assert "model ends" not in notes
        tasks.cancel_scope.cancel()
    (line,) = log.lines("a connection is not kept ready", part="voice", call_id="c1")
    assert line["level"] == ("warning" if isinstance(error, ProviderError) else "error")
