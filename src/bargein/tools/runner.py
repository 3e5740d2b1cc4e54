"""The tools of one call: `ports.ToolRunner`, and what all calls of a server share."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import anyio
import structlog
from anyio.abc import TaskGroup

from bargein.ports import Files, OwnerMessenger, ServerError, ToolCall, ToolResult
from bargein.tools.api_request import expand_api_request, run_api_request
from bargein.tools.function import run_function
from bargein.tools.mcp import McpTools
from bargein.tools.outbound import Outbound
from bargein.tools.outcome import ToolError, failed
from bargein.tools.query import Library, expand_query, run_query
from bargein.tools.templates import Render, Templates
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.tools")

_NOT_HERE = "The tool {} ({}) is not available on this server. Go on without it."


@dataclass(frozen=True, slots=True)
class SharedToolResources:
    """What the tools of all calls share. `workshop` opens one.

    Attributes:
        tasks: holds what must outlive a single tool call.
        library: the files of knowledge bases.
        outbound: the way out.
    """

    tasks: TaskGroup
    library: Library
    outbound: Outbound

    def tools(
        self,
        line: OwnerMessenger,
        render: Render,
        outbound: Outbound | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "CallToolRunner":
        """The tools of one call.

        Args:
            line: to the owner's servers.
            render: fills in templates with the call's variables.
            outbound: knows the credentials of the call's assistant; the workshop's if not given.
            headers: what MCP servers are told of the call (`X-Call-Id`).
        """
        return CallToolRunner(self, line, Templates(render), outbound or self.outbound, headers or {})


@asynccontextmanager
async def open_shared_tools(files: Files, outbound: Outbound) -> AsyncGenerator[SharedToolResources]:
    """Open what the tools of a server's calls share; it is closed with the connections that calls left."""
    async with anyio.create_task_group() as tasks:
        yield SharedToolResources(tasks, Library(files), outbound)
        tasks.cancel_scope.cancel()


class CallToolRunner:
    """See `ports.ToolRunner`."""

    def __init__(
        self,
        shop: SharedToolResources,
        line: OwnerMessenger,
        templates: Templates,
        outbound: Outbound,
        headers: Mapping[str, str],
    ) -> None:
        self._shop = shop
        self._line = line
        self._templates = templates
        self._outbound = outbound
        self._mcp = McpTools(outbound, shop.tasks, templates, headers)

    async def expand(self, tool: JsonObject) -> Sequence[JsonObject]:
        """See `ToolRunner.expand`."""
        try:
            match tool.get("type"):
                case "apiRequest":
                    return (expand_api_request(tool),)
                case "query":
                    self._shop.library.warm(self._shop.tasks, tool)
                    return (expand_query(tool),)
                case "mcp":
                    return await self._mcp.expand(tool)
                case str(kind) if kind in UNAVAILABLE:
                    return (_declared_all_the_same(tool, kind),)
                case _:
                    return (tool,)
        except Exception as error:  # noqa: BLE001  # one odd tool must not keep a call from beginning
            _log.error("a tool could not be declared", type=tool.get("type"), exc_info=error)
            return ()

    async def run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        """See `ToolRunner.run`."""
        try:
            return await self._run(tool, call)
        except ToolError as error:
            return failed(str(error))
        except ServerError as error:
            return failed(f"It failed: {error}.")
        except Exception as error:  # noqa: BLE001  # a bug of ours must not keep the model waiting for its result
            _log.error("a tool broke", type=tool.get("type"), name=call.name, exc_info=error)
            return failed("The tool failed: internal error.")

    def close(self) -> None:
        """See `ToolRunner.close`."""
        self._mcp.close()

    async def _run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        kind = str(tool.get("type"))
        own: dict[str, Callable[[], Awaitable[ToolResult]]] = {
            "apiRequest": lambda: run_api_request(tool, call, self._outbound, self._templates),
            "mcp": lambda: self._mcp.run(tool, call),
            "query": lambda: run_query(tool, call, self._shop.library),
            "function": lambda: run_function(tool, call, self._line, self._templates),
        }
        server: object = tool.get("server")
        has_server = isinstance(server, dict) and bool(cast("JsonObject", server).get("url"))
        run = own.get(kind) or (own["function"] if has_server else None)
        if run is None:
            return failed(_NOT_HERE.format(call.name, kind))
        return await run()


UNAVAILABLE = frozenset({
    "code", "bash", "computer", "textEditor", "google.calendar.event.create", "google.calendar.availability.check",
    "google.sheets.row.append", "slack.message.send", "sms", "gohighlevel.calendar.availability.check",
    "gohighlevel.calendar.event.create", "gohighlevel.contact.create", "gohighlevel.contact.get",
})  # fmt: skip
"""What Vapi's cloud or its vendors run. One that has a `server` of its own is sent there like a function."""


def _declared_all_the_same(tool: JsonObject, kind: str) -> JsonObject:
    """The model is told of it, as with Vapi, and hears that it is not available when it calls it."""
    given = cast("JsonObject", tool.get("function") or {})
    name = tool.get("name") or kind.replace(".", "_")
    function: JsonObject = {"name": name, "parameters": {"type": "object", "properties": {}}}
    return {**tool, "function": {**function, **{key: value for key, value in given.items() if value}}}
