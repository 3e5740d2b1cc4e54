"""Tools of type mcp: the tools of an MCP server, declared to the model at the start of the call.

A connection is opened on first use and kept for the call, so that a server with sessions sees one session for each
call. A task of the server holds it, because one task must open and close it, and a call's tools run in many.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import structlog
from anyio.abc import TaskGroup

from bargein.http_client import read_url
from bargein.ports import ServerError, ToolCall, ToolResult
from bargein.tools.outbound import Outbound
from bargein.tools.outcome import ToolError, arguments_of, done, failed
from bargein.tools.templates import AUTHORITY, NOT_THE_OWNERS, Templates
from bargein.webhooks.authentication import legacy_headers
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string

if TYPE_CHECKING:
    from bargein.tools.mcp_client import Connection

_log = structlog.get_logger("bargein.tools")

LISTING_S = 5.0
"""How long a call waits for the list of a server's tools; after that it starts without them."""
DEFAULT_TIMEOUT_S = 20.0
"""Default of `server.timeoutSeconds` of an `mcp` tool."""
_IDLE_S = 4 * 3600.0
_NO_LIBRARY = "MCP tools need the extra `mcp` of the package: pip install 'bargein[mcp]'"
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def _url(tool: JsonObject) -> str:
    url = as_string(as_object(tool.get("server")).get("url"))
    if url is None:
        raise ToolError("Not run: the tool names no MCP server (server.url).")
    return url


def _path(tool: JsonObject) -> str:
    parts = AUTHORITY.fullmatch(_url(tool))
    return "" if parts is None else parts.group(2)


def _host(tool: JsonObject) -> str:
    try:
        url = read_url(_url(tool))
    except ToolError:
        return ""
    return "" if url is None else url.host


def _sse(tool: JsonObject) -> bool:
    return as_object(tool.get("metadata")).get("protocol") == "sse"


def _timeout_s(tool: JsonObject) -> float:
    given: object = as_object(tool.get("server")).get("timeoutSeconds")
    return float(given) if isinstance(given, int | float) else DEFAULT_TIMEOUT_S


class McpTools:
    """The MCP servers of one call.

    Args:
        outbound: sends requests to them.
        tasks: the task group that holds the connections.
        templates_of: returns the templates of a tool, for its URL and headers.
        headers: sent to each server with every request.
        listing_s: time limit of listing a server's tools.
    """

    def __init__(
        self,
        outbound: Outbound,
        tasks: TaskGroup,
        templates_of: Callable[[JsonObject], Templates],
        headers: Mapping[str, str],
        listing_s: float = LISTING_S,
    ) -> None:
        self._outbound = outbound
        self._tasks = tasks
        self._templates_of = templates_of
        self._headers = headers
        self._listing_s = listing_s
        self._connections: dict[str, Connection] = {}
        self._locks: dict[str, anyio.Lock] = {}
        self._remote_names: dict[str, tuple[str, str]] = {}
        self._closed = False

    async def expand(self, tool: JsonObject) -> Sequence[JsonObject]:
        """Return the server's tools, each as an mcp tool with its `function`; none if it does not answer in time."""
        why = "it took too long"
        with anyio.move_on_after(self._listing_s):
            try:
                connection = await self._connection(tool)
                return self._declared(tool, await connection.list_tools())
            except (ToolError, ServerError) as error:
                why = str(error)
            except Exception as error:  # noqa: BLE001  # the library may raise anything on a bad answer
                why = type(error).__name__
        _log.warning("the tools of an MCP server are not available", host=_host(tool), reason=why)
        return ()

    async def run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        """Call one of the tools that `expand` returned.

        Raises:
            ToolError: it cannot be called; the text is for the model.
        """
        arguments = arguments_of(call)
        _, name = self._remote_names.get(call.name, ("", call.name))
        with anyio.move_on_after(_timeout_s(tool)):
            try:
                connection = await self._connection(tool)
                text, is_error = await connection.call(name, arguments)
            except (ToolError, ServerError):
                raise
            except Exception as error:  # noqa: BLE001  # as above; its text may hold an address
                raise ToolError(f"The MCP server failed ({type(error).__name__}).") from None
            return failed(text or "The tool failed and did not say why.") if is_error else done(text)
        raise ToolError(f"The MCP server did not answer within {_timeout_s(tool):g} seconds.")

    def close(self) -> None:
        """Close the connections, without waiting."""
        self._closed = True
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _declared(self, tool: JsonObject, found: Sequence[Any]) -> Sequence[JsonObject]:
        url = _url(tool)
        overrides = {
            one.get("name"): one.get("messages")
            for one in as_objects(tool.get("toolMessages"))
            if one.get("messages") is not None
        }
        declared: list[JsonObject] = []
        for remote in found:
            name = self._name_for(url, remote.name)
            function: JsonObject = {"name": name, "parameters": remote.input_schema}
            if remote.description:
                function["description"] = remote.description
            expanded: JsonObject = {**tool, "function": function}
            if remote.name in overrides:
                expanded["messages"] = overrides[remote.name]
            declared.append(expanded)
        return declared

    def _name_for(self, url: str, name: str) -> str:
        """Return a name that OpenAI accepts and that no other MCP tool of the call has."""
        plain = _NOT_IN_A_NAME.sub("_", name)[:64] or "tool"
        unique, count = plain, 1
        while self._remote_names.get(unique, (url, name)) != (url, name):
            count += 1
            unique = f"{plain[:60]}_{count}"
        self._remote_names[unique] = (url, name)
        return unique

    async def _connection(self, tool: JsonObject) -> "Connection":
        """Return the call's connection to a server, opening it on first use."""
        key = repr((_url(tool), _sse(tool), tool.get("server")))
        async with self._locks.setdefault(key, anyio.Lock()):
            connection = self._connections.get(key)
            if connection is None or connection.over:
                connection = await self._connect(tool)
                self._connections[key] = connection
                self._tasks.start_soon(connection.run, _IDLE_S)
            try:
                await connection.ready.wait()
            except anyio.get_cancelled_exc_class():
                # it may never finish opening; the next call opens a new one
                connection.close()
                self._connections.pop(key, None)
                raise
            if connection.over:
                raise ToolError(f"The MCP server cannot be reached ({connection.why or 'closed'}).")
        return connection

    async def _connect(self, tool: JsonObject) -> "Connection":
        if self._closed:
            raise ToolError("The call is over.")
        try:
            # on a thread: loading the library takes a second
            module = await anyio.to_thread.run_sync(_load)
        except ImportError:
            raise ToolError(_NO_LIBRARY) from None
        server = as_object(tool.get("server"))
        templates = self._templates_of(tool)
        url = templates.text(_url(tool))
        headers = {name: templates.text(value) for name, value in legacy_headers(server).items()}
        auth = await self._outbound.auth(server)
        if (headers or auth is not None or "{{" in _path(tool)) and not templates.is_owners_address(_url(tool)):
            raise ToolError(NOT_THE_OWNERS)
        return module.Connection(
            url,
            sse=_sse(tool),
            headers={**self._headers, **headers},
            bridge=module.Bridge(self._outbound.client, auth),
            timeout_s=_timeout_s(tool),
        )


def _load() -> Any:
    from bargein.tools import mcp_client  # noqa: PLC0415  # an optional extra

    return mcp_client
