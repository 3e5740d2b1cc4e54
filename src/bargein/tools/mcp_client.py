"""One connection to an MCP server. Needs the extra `mcp`; no other module imports that library."""

import base64
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, cast

import anyio
import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from bargein import __version__
from bargein.tools.mcp_http import Bridge
from bargein.tools.outcome import ToolError
from bargein.wire.base import JsonObject

MAX_TOOLS = 128
"""The number of functions that OpenAI accepts."""
_MAX_PAGES = 20
_CLOSING_S = 2.0


class Connection:
    """A connection to one server. `run` holds it; all other methods may be used from any task once `ready` is set.

    Args:
        url: the URL of the server.
        sse: whether it speaks the older protocol with two channels (HTTP with SSE) instead of Streamable HTTP.
        headers: sent with each request.
        bridge: sends the requests.
        timeout_s: time limit of each request of the protocol.
    """

    def __init__(self, url: str, *, sse: bool, headers: dict[str, str], bridge: Bridge, timeout_s: float) -> None:
        self.ready = anyio.Event()
        self.over = False
        self.why = ""
        self._closing = anyio.Event()
        self._scope = anyio.CancelScope()
        self._client: Client | None = None
        self._url, self._sse, self._headers, self._bridge = url, sse, headers, bridge
        self._timeout_s = timeout_s

    async def run(self, idle_s: float) -> None:
        """Open the connection, and keep it open until it is closed, fails, or `idle_s` have passed; raises nothing."""
        try:
            with self._scope:
                self._scope.deadline = anyio.current_time() + idle_s
                await self._open()
        except Exception as error:  # noqa: BLE001  # the library may raise anything on a bad answer
            self.why = _name(error)
        finally:
            self.over = True
            self._client = None
            self.ready.set()

    async def _open(self) -> None:
        http = httpx2.AsyncClient(
            transport=self._bridge,
            headers=self._headers,
            timeout=httpx2.Timeout(self._timeout_s, read=None),
            trust_env=False,
        )
        if self._sse:  # this transport opens and closes the client itself
            transport = sse_client(self._url, httpx_client_factory=lambda headers=None, timeout=None, auth=None: http)
        else:
            transport = streamable_http_client(self._url, http_client=http)
        client = Client(
            transport,
            mode="legacy" if self._sse else "auto",
            read_timeout_seconds=self._timeout_s,
            client_info=types.Implementation(name="bargein", version=__version__),
            cache=None,
        )
        async with AsyncExitStack() as stack:
            if not self._sse:
                await stack.enter_async_context(http)
            await stack.enter_async_context(client)
            self._client = client
            self.ready.set()
            await self._closing.wait()
            # leaving the stack ends the session at the server, which gets this long to answer
            self._scope.deadline = anyio.current_time() + _CLOSING_S

    def close(self) -> None:
        """Close the connection, without waiting; opening is cancelled."""
        self._closing.set()
        if self._client is None:
            self._scope.cancel()

    async def list_tools(self) -> Sequence[types.Tool]:
        """Return the first `MAX_TOOLS` of the server's tools.

        Raises:
            ToolError: there is no connection.
            Exception: any error of the library.
        """
        client, found = self._opened(), list[types.Tool]()
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            found.extend(page.tools)
            cursor = page.next_cursor
            if cursor is None or len(found) >= MAX_TOOLS:
                break
        return found[:MAX_TOOLS]

    async def call(self, name: str, arguments: JsonObject) -> tuple[str, bool]:
        """Call a tool; return its answer as text, and whether it reports a failure.

        Raises:
            ToolError: there is no connection.
            Exception: any error of the library.
        """
        result = await self._opened().call_tool(name, arguments, read_timeout_seconds=self._timeout_s)
        return _text_of(result), result.is_error

    def _opened(self) -> Client:
        if self._client is None:
            raise ToolError("The MCP server cannot be reached.")
        return self._client


def _text_of(result: types.CallToolResult) -> str:
    parts = [_block(block) for block in result.content]
    if not parts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(parts)


def _block(block: Any) -> str:
    match block:
        case types.TextContent():
            return block.text
        case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
            return resource.text
        case types.EmbeddedResource(resource=types.BlobResourceContents() as resource):
            return f"[{len(base64.b64decode(resource.blob, validate=False))} bytes]"
        case types.ResourceLink():
            return f"[{block.name}: {block.uri}]"
        case _:
            return f"[{block.type}]"


def _name(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return type(error).__name__
