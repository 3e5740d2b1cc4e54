"""Tools of type mcp: the tools of an MCP server, declared to the model at the call's start and called when it asks.

A connection is made for the first need and kept for the call, so that a server that keeps a session sees one session a
call. It is held by a task of the server's, because it must be opened and closed by one task and a call's tools run in
many.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread
import httpx
import structlog
from anyio.abc import TaskGroup

from bargein.ports import ServerError, ToolCall, ToolResult
from bargein.tools.outbound import Outbound
from bargein.tools.outcome import ToolError, arguments_of, done, failed
from bargein.tools.templates import Templates
from bargein.webhooks.authentication import legacy_headers
from bargein.wire.base import JsonObject

if TYPE_CHECKING:
    from bargein.tools.mcp_client import Connection

_log = structlog.get_logger("bargein.tools")

LISTING_S = 5.0
"""How long a call may wait for the list of a server's tools; after that it goes on without them."""
DEFAULT_TIMEOUT_S = 20.0
_IDLE_S = 4 * 3600.0
_NO_LIBRARY = "MCP tools need the extra `mcp` of the package: pip install 'bargein[mcp]'"
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def _url(tool: JsonObject) -> str:
    server: object = tool.get("server")
    url: object = cast("JsonObject", server).get("url") if isinstance(server, dict) else None
    if not isinstance(url, str):
        raise ToolError("Not run: the tool names no MCP server (server.url).")
    return url


def _host(tool: JsonObject) -> str:
    try:
        return httpx.URL(_url(tool)).host
    except (ToolError, httpx.InvalidURL):
        return ""


def _sse(tool: JsonObject) -> bool:
    metadata: object = tool.get("metadata")
    return isinstance(metadata, dict) and cast("JsonObject", metadata).get("protocol") == "sse"


def _timeout_s(tool: JsonObject) -> float:
    server: object = tool.get("server")
    given: object = cast("JsonObject", server).get("timeoutSeconds") if isinstance(server, dict) else None
    return float(given) if isinstance(given, int | float) else DEFAULT_TIMEOUT_S


class McpTools:
    """The MCP servers of one call.

    Args:
        outbound: sends requests to them.
        tasks: holds the connections.
        templates: of the call, for the servers' headers.
        headers: what each server is told of the call.
        listing_s: how long to wait for a list of tools.
    """

    def __init__(
        self,
        outbound: Outbound,
        tasks: TaskGroup,
        templates: Templates,
        headers: Mapping[str, str],
        listing_s: float = LISTING_S,
    ) -> None:
        self._outbound = outbound
        self._tasks = tasks
        self._templates = templates
        self._headers = headers
        self._listing_s = listing_s
        self._connections: dict[str, Connection] = {}
        self._locks: dict[str, anyio.Lock] = {}
        self._theirs: dict[str, tuple[str, str]] = {}
        self._closed = False

    async def expand(self, tool: JsonObject) -> Sequence[JsonObject]:
        """The server's tools, each as a tool of type mcp with its `function`; none if it cannot be had in time."""
        why = "it took too long"
        with anyio.move_on_after(self._listing_s):
            try:
                connection = await self._connection(tool)
                return self._declared(tool, await connection.list_tools())
            except (ToolError, ServerError) as error:
                why = str(error)
            except Exception as error:  # noqa: BLE001  # whatever a stranger's server makes the library raise
                why = type(error).__name__
        _log.warning("an MCP server's tools are not there", host=_host(tool), reason=why)
        return ()

    async def run(self, tool: JsonObject, call: ToolCall) -> ToolResult:
        """Call one of the tools that `expand` gave.

        Raises:
            ToolError: it cannot be called; the text is for the model.
        """
        arguments = arguments_of(call)
        _, name = self._theirs.get(call.name, ("", call.name))
        with anyio.move_on_after(_timeout_s(tool)):
            try:
                connection = await self._connection(tool)
                text, is_error = await connection.call(name, arguments)
            except (ToolError, ServerError):
                raise
            except Exception as error:  # noqa: BLE001  # as above; its words may hold an address
                raise ToolError(f"The MCP server failed ({type(error).__name__}).") from None
            return failed(text or "The tool failed and did not say why.") if is_error else done(text)
        raise ToolError(f"The MCP server did not answer within {_timeout_s(tool):g} seconds.")

    def close(self) -> None:
        """Let the connections go; returns at once."""
        self._closed = True
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _declared(self, tool: JsonObject, found: Sequence[Any]) -> Sequence[JsonObject]:
        url = _url(tool)
        overrides = {
            one.get("name"): one.get("messages")
            for one in cast("list[JsonObject]", tool.get("toolMessages") or [])
            if one.get("messages") is not None
        }
        declared: list[JsonObject] = []
        for theirs in found:
            name = self._name_for(url, theirs.name)
            function: JsonObject = {"name": name, "parameters": theirs.input_schema}
            if theirs.description:
                function["description"] = theirs.description
            expanded: JsonObject = {**tool, "function": function}
            if theirs.name in overrides:
                expanded["messages"] = overrides[theirs.name]
            declared.append(expanded)
        return declared

    def _name_for(self, url: str, name: str) -> str:
        """A name that OpenAI takes and no other MCP tool of the call has."""
        plain = _NOT_IN_A_NAME.sub("_", name)[:64] or "tool"
        ours, count = plain, 1
        while self._theirs.get(ours, (url, name)) != (url, name):
            count += 1
            ours = f"{plain[:60]}_{count}"
        self._theirs[ours] = (url, name)
        return ours

    async def _connection(self, tool: JsonObject) -> "Connection":
        """The call's connection to a server, opened where there is none."""
        key = repr((_url(tool), _sse(tool), tool.get("server")))
        async with self._locks.setdefault(key, anyio.Lock()):
            held = self._connections.get(key)
            if held is None or held.over:
                held = await self._connect(tool)
                self._connections[key] = held
                self._tasks.start_soon(held.hold, _IDLE_S)
            try:
                await held.ready.wait()
            except anyio.get_cancelled_exc_class():
                # it may be half open for as long as it likes; the next one tries anew
                held.close()
                self._connections.pop(key, None)
                raise
            if held.over:
                raise ToolError(f"The MCP server cannot be reached ({held.why or 'closed'}).")
        return held

    async def _connect(self, tool: JsonObject) -> "Connection":
        if self._closed:
            raise ToolError("The call is over.")
        try:
            # it takes a second to load: not on the thread that all calls share
            module = await anyio.to_thread.run_sync(_load)
        except ImportError:
            raise ToolError(_NO_LIBRARY) from None
        server = cast("JsonObject", tool.get("server") or {})
        url = self._templates.text(_url(tool))
        headers = {name: self._templates.text(value) for name, value in legacy_headers(server).items()}
        auth = await self._outbound.auth(server)
        return module.Connection(
            url,
            sse=_sse(tool),
            headers={**self._headers, **headers},
            bridge=module.Bridge(self._outbound.client, auth),
            timeout_s=_timeout_s(tool),
        )


def _load() -> Any:
    from bargein.tools import mcp_client  # noqa: PLC0415  # of an extra, which need not be there

    return mcp_client
