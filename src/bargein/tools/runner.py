"""The tool runner of one call, and the resources that all calls of a server share."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import structlog
from anyio.abc import TaskGroup
from typing_extensions import override

from bargein.ports import Files, OwnerMessenger, ServerError, ToolCall, ToolResult, ToolRunner
from bargein.tools.api_request import expand_api_request, run_api_request
from bargein.tools.code import CodeRuntime, run_code
from bargein.tools.function import run_function
from bargein.tools.kinds import CLIENT_TOOLS, NEEDS, has_server, need_of
from bargein.tools.mcp import McpTools
from bargein.tools.outbound import Outbound
from bargein.tools.outcome import ToolError, failed
from bargein.tools.query import Library, expand_query, run_query
from bargein.tools.templates import Render, Templates
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object
from bargein.wire.ownership import Author, is_callers

_log = structlog.get_logger("bargein.tools")

_UNAVAILABLE_TEXT = "Not run: a tool of type {} {}. Go on without it."


@dataclass(frozen=True, slots=True)
class SharedToolResources:
    """Resources that the tools of all calls share; `open_shared_tools` opens them.

    Attributes:
        tasks: the task group of connections that outlive a single tool call.
        library: the files of knowledge bases.
        outbound: sends requests.
        code: runs tools of type code; None: they are off.
    """

    tasks: TaskGroup
    library: Library
    outbound: Outbound
    code: CodeRuntime | None = None

    def runner(
        self,
        owner: OwnerMessenger,
        render: Render,
        outbound: Outbound | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        mocks: Mapping[str, str] | None = None,
        render_as_owner: Render | None = None,
        render_as_caller: Render | None = None,
    ) -> "CallToolRunner":
        """Return the tool runner of one call.

        Args:
            owner: sends messages to the owner's server.
            render: renders templates with the call's variables.
            outbound: sends requests with the credentials of the call's assistant; by default the shared one.
            headers: headers for MCP servers (`X-Call-Id`).
            mocks: results of tools that are not run, by the tools' names.
            render_as_owner: renders templates with the variables that the owner set; by default all are the owner's.
            render_as_caller: renders the templates of tools that a caller wrote; by default with all variables.
        """
        templates: dict[Author, Templates] = {
            "owner": Templates(render, render_as_owner),
            "caller": Templates(render_as_caller or render),
        }
        return CallToolRunner(self, owner, templates, outbound or self.outbound, headers or {}, mocks=mocks or {})


@asynccontextmanager
async def open_shared_tools(
    files: Files, outbound: Outbound, code: CodeRuntime | None = None
) -> AsyncGenerator[SharedToolResources]:
    """Open the shared resources of a server; connections that calls left open are closed with them."""
    async with anyio.create_task_group() as tasks:
        yield SharedToolResources(tasks, Library(files), outbound, code)
        tasks.cancel_scope.cancel()


class CallToolRunner(ToolRunner):
    """Declares and runs the tools of one call."""

    def __init__(
        self,
        shared: SharedToolResources,
        owner: OwnerMessenger,
        templates: Mapping[Author, Templates],
        outbound: Outbound,
        headers: Mapping[str, str],
        *,
        mocks: Mapping[str, str],
    ) -> None:
        self._mocks = mocks
        self._shared = shared
        self._owner = owner
        self._templates = templates
        self._outbound = outbound
        self._mcp = McpTools(outbound, shared.tasks, self._templates_of, headers)

    @override
    async def expand(self, tool: JsonObject) -> Sequence[JsonObject]:
        try:
            match tool.get("type"):
                case "apiRequest":
                    return (expand_api_request(tool),)
                case "query":
                    self._shared.library.warm(self._shared.tasks, tool)
                    return (expand_query(tool),)
                case "mcp":
                    return await self._mcp.expand(tool)
                case str(kind) if kind in CLIENT_TOOLS:
                    return (_declared(tool, CLIENT_TOOLS[kind]),)
                case "code":
                    return (_declared(tool, {"name": "run_code", "parameters": _NOTHING}),)
                case str(kind) if kind in NEEDS:
                    return (_declared(tool, {"name": kind.replace(".", "_"), "parameters": _NOTHING}),)
                case _:
                    return (tool,)
        except Exception as error:  # noqa: BLE001  # one broken tool must not prevent a call
            _log.error("a tool could not be declared", type=tool.get("type"), exc_info=error)
            return ()

    @override
    async def run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        if call.name in self._mocks:
            return ToolResult(self._mocks[call.name])
        try:
            return await self._run(tool, call)
        except ToolError as error:
            return failed(str(error))
        except ServerError as error:
            return failed(f"It failed: {error}.")
        except Exception as error:  # noqa: BLE001  # the model must get a result even if our code is wrong
            _log.error("a tool raised an unexpected error", type=tool.get("type"), name=call.name, exc_info=error)
            return failed("The tool failed: internal error.")

    @override
    def close(self) -> None:
        self._mcp.close()

    def _templates_of(self, tool: JsonObject) -> Templates:
        return self._templates["caller" if is_callers(tool) else "owner"]

    async def _run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        kind, templates = str(tool.get("type")), self._templates_of(tool)
        runners: dict[str, Callable[[], Awaitable[ToolResult]]] = {
            "apiRequest": lambda: run_api_request(tool, call, self._outbound, templates),
            "mcp": lambda: self._mcp.run(tool, call),
            "query": lambda: run_query(tool, call, self._shared.library),
            "function": lambda: run_function(tool, call, self._owner, templates),
        }
        if (need := need_of(tool, code=self._shared.code is not None)) is not None:
            return failed(_UNAVAILABLE_TEXT.format(kind, need))
        if kind == "code" and self._shared.code is not None and not has_server(tool):
            return await run_code(tool, call, self._shared.code, templates)
        by_owner = has_server(tool) or kind in CLIENT_TOOLS
        run = runners.get(kind) or (runners["function"] if by_owner else None)
        if run is None:
            return failed(_UNAVAILABLE_TEXT.format(kind, "is unknown to this server"))
        return await run()


_NOTHING: JsonObject = {"type": "object", "properties": {}}


def _declared(tool: JsonObject, function: JsonObject) -> JsonObject:
    """Declare a tool to the model by a function, in which the tool's own fields take precedence."""
    given = as_object(tool.get("function"))
    named = {} if tool.get("name") is None else {"name": tool["name"]}
    return {**tool, "function": {**function, **named, **{key: value for key, value in given.items() if value}}}
