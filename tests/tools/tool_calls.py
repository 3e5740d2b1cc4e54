"""The tools of one call for tests: over real sockets, with scripted answers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bargein.call.plan.variables import Variables
from bargein.clock import LoopClock
from bargein.ports import OwnerMessenger, ServerError, StoredFile, ToolCall
from bargein.tools.outbound import Outbound
from bargein.tools.runner import CallToolRunner, open_shared_tools
from bargein.webhooks.owner_channel import Owner, OwnerChannel
from bargein.wire.base import JsonObject
from bargein.wire.ownership import is_callers
from tests.webhooks.sending import sending

EPOCH_MS = 1_795_000_000_000


@dataclass
class ScriptedMessenger:
    """A messenger to an owner's server that gives a fixed answer."""

    answer: JsonObject | ServerError = field(default_factory=dict)
    asked: list[tuple[JsonObject, JsonObject | None]] = field(default_factory=list)
    asks_by_function_call: bool = False

    def send(self, message: JsonObject) -> None:
        raise AssertionError(message)

    def switch_assistant(self, assistant: JsonObject) -> None:
        raise AssertionError(assistant)

    def reaches_caller(self, server: dict[str, Any] | None) -> bool:
        return is_callers(server or {})

    async def request(
        self, message: JsonObject, *, server: JsonObject | None = None, timeout_s: float | None = None
    ) -> JsonObject:
        self.asked.append((message, server))
        if isinstance(self.answer, ServerError):
            raise self.answer
        return self.answer


@dataclass
class StoredFiles:
    """Uploaded files in a folder."""

    folder: Path
    files: dict[str, StoredFile] = field(default_factory=dict)

    def put(self, name: str, content: str | bytes, mimetype: str = "") -> str:
        file_id = f"file-{len(self.files)}"
        path = self.folder / file_id
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.files[file_id] = StoredFile(file_id, name, mimetype, path)
        return file_id

    async def find(self, file_id: str) -> StoredFile | None:
        return self.files.get(file_id)


def render_with(variables: Mapping[str, Any]) -> Any:
    def render(text: str, more: Mapping[str, object]) -> str:
        return Variables("call-1", variables).render_strict(text, EPOCH_MS, more)

    return render


@asynccontextmanager
async def tools(
    messenger: OwnerMessenger | None = None,
    *,
    stored: StoredFiles | None = None,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = True,
    credentials: Mapping[str, JsonObject] | None = None,
    **variables: Any,
) -> AsyncIterator[CallToolRunner]:
    """Yield the tool runner of a call, with a real channel to the owner's server if no messenger is given."""
    async with sending(allow_private=allow_private, **(credentials or {})) as opened:
        outbound = Outbound(opened.client, opened.authentication)
        async with open_shared_tools(stored or StoredFiles(Path()), outbound) as shared:
            real = OwnerChannel(Owner(call={"id": "call-1"}), opened.sender, LoopClock())
            runner = shared.runner(messenger or real, render_with(variables), headers=headers)
            yield runner
            runner.close()


def call(name: str = "book", arguments: str = "{}", call_id: str = "call_1") -> ToolCall:
    return ToolCall(call_id, name, arguments)
