"""One connection to an MCP server. It needs the extra `mcp` of the package; nothing else imports that library."""

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

MOST_TOOLS = 128
"""OpenAI takes no more functions than this."""
_MOST_PAGES = 20
_CLOSING_S = 2.0


class Connection:
    """A connection to one server. `hold` keeps it; the rest may be used from any task once `ready` is set.

    Args:
        url: of the server.
        sse: whether it speaks the older protocol of two channels; else Streamable HTTP.
        headers: go with each request.
        bridge: sends the requests.
        timeout_s: for each request of the protocol.
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

    async def hold(self, idle_s: float) -> None:
        """Open it, and keep it open until it is closed, breaks, or has stood for `idle_s`; raises nothing."""
        try:
            with self._scope:
                self._scope.deadline = anyio.current_time() + idle_s
                await self._open()
        except Exception as error:  # noqa: BLE001  # whatever a stranger's server makes the library raise
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
        if self._sse:  # which opens and closes the client by itself
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
            # leaving tells the server that the session is over; one that does not answer is not waited for
            self._scope.deadline = anyio.current_time() + _CLOSING_S

    def close(self) -> None:
        """Let it go; returns at once. One that is not open yet is given up."""
        self._closing.set()
        if self._client is None:
            self._scope.cancel()

    async def list_tools(self) -> Sequence[types.Tool]:
        """The server's tools, the first `MOST_TOOLS` of them.

        Raises:
            ToolError: there is no connection.
            Exception: what the library raises.
        """
        client, found = self._opened(), list[types.Tool]()
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            found.extend(page.tools)
            cursor = page.next_cursor
            if cursor is None or len(found) >= MOST_TOOLS:
                break
        return found[:MOST_TOOLS]

    async def call(self, name: str, arguments: JsonObject) -> tuple[str, bool]:
        """Call a tool: what it answers as text, and whether it says that it failed.

        Raises:
            ToolError: there is no connection.
            Exception: what the library raises.
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
