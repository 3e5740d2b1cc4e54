"""What a model calls, and who runs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a model wants run.

    Attributes:
        id: names this call of it; the result refers to it.
        name: of the function, as the model was told it.
        arguments: JSON text, as the model wrote it; it may be broken.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What became of a tool call.

    Attributes:
        text: what the model is told: the result, or what went wrong.
        failed: whether it went wrong.
        message: what the tool's own server wants said (`ToolCallResult.message` of Vapi's schema); None: nothing.
        metadata: kept with the history, not told to the model.
        variables: what the tool's `variableExtractionPlan` took from its answer, by name; templates may use them from
            here on, and they are kept in `artifact.variableValues`. The runner knows them already.
    """

    text: str
    failed: bool = False
    message: JsonObject | None = None
    metadata: JsonObject | None = None
    variables: JsonObject | None = None


class ToolRunner(Protocol):
    """Runs the tools of one call that reach outside it (`function`, `apiRequest`, `mcp`, `query`)."""

    async def expand(self, tool: JsonObject) -> Sequence[JsonObject]:
        """What the model may call of a tool: each with its `function` (name, description, parameters) filled in.

        Most tools stand for themselves. One of type `mcp` stands for each tool of its server (none, if that does not
        answer within a few seconds), with the messages that `toolMessages` has for it. What is given back is what `run`
        takes. It raises nothing, and is told before the call's first reply; a tool of a type that this room does not
        know comes back as it is.
        """
        ...

    async def run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        """Run one call of `tool` (Vapi's JSON of it) once. What goes wrong is a result too: it raises nothing.

        It has its own time limit (`tool.server.timeoutSeconds`), and can be cancelled.
        """
        ...

    def close(self) -> None:
        """The call is over: let go of what its tools hold (connections to MCP servers); returns at once."""
        ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was uploaded (Vapi's `/file`).

    Attributes:
        id: its id.
        name: as it was uploaded; models are told it.
        mimetype: as it was uploaded; may be empty or wrong.
        path: where its bytes are. They never change.
    """

    id: str
    name: str
    mimetype: str
    path: Path


class Files(Protocol):
    """The uploaded files, as knowledge bases need them (`knowledgeBases[].fileIds`)."""

    async def find(self, file_id: str) -> StoredFile | None:
        """A file; None if there is none of that id."""
        ...
