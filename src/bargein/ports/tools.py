"""Tool calls of a model, and the runner of tools."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call of a model.

    Attributes:
        id: identifies the call; the result refers to it.
        name: the name of the function.
        arguments: JSON text as the model wrote it; it may be invalid.
        vendor_state: what the model's vendor wants back with the call in later requests (Gemini's thought signatures,
            Claude's thinking), as JSON text that its adapter alone reads; empty: nothing.
    """

    id: str
    name: str
    arguments: str
    vendor_state: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool call.

    Attributes:
        text: the result for the model, or an error message.
        failed: whether the tool call failed.
        message: the message that the tool's server wants said (`ToolCallResult.message` of Vapi's schema); None: none.
        metadata: kept with the history, and not sent to the model.
        variables: the values that the tool's `variableExtractionPlan` extracted from the answer, by name; templates may
            use them from here on, and they are stored in `artifact.variableValues`. The runner has them already.
    """

    text: str
    failed: bool = False
    message: JsonObject | None = None
    metadata: JsonObject | None = None
    variables: JsonObject | None = None


class ToolRunner(Protocol):
    """The runner of one call's tools that reach outside the call (`function`, `apiRequest`, `mcp`, `query`)."""

    async def expand(self, tool: JsonObject) -> Sequence[JsonObject]:
        """Return the functions of a tool, as `run` takes them, with their `function` (name, description, parameters).

        Most tools are one function. A tool of type `mcp` is expanded to the tools of its server (none, if that does not
        answer within a few seconds), each with its messages of `toolMessages`. A tool of an unknown type is returned
        unchanged. It is called before the call's first reply, and raises nothing.
        """
        ...

    async def run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        """Run one call of `tool` (Vapi's JSON of it) once. A failure is a result too: it raises nothing.

        It has its own time limit (`tool.server.timeoutSeconds`), and can be cancelled.
        """
        ...

    def close(self) -> None:
        """Release the resources of the tools (connections to MCP servers); returns at once."""
        ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file (Vapi's `/file`).

    Attributes:
        id: the id.
        name: the name as uploaded; models see it.
        mimetype: the type as uploaded; may be empty or wrong.
        path: the path of its content, which never changes.
    """

    id: str
    name: str
    mimetype: str
    path: Path


class Files(Protocol):
    """The uploaded files, for knowledge bases (`knowledgeBases[].fileIds`)."""

    async def find(self, file_id: str) -> StoredFile | None:
        """Return a file; None if there is none with that id."""
        ...
