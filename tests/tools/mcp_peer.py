"""A real MCP server on 127.0.0.1, made with the official library, over each of its transports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.types import ASGIApp, Receive, Scope, Send

Transport = Literal["shttp", "stateless", "sse"]


@dataclass
class McpPeer:
    """A running server.

    Attributes:
        url: address of the server.
        requests: method and headers of each request.
        sessions: sessions in which tools were called.
        gate: event that its tool `wait` waits for.
        streams: number of GET requests in progress; with the transport `sse` each is a connection.
    """

    url: str
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sessions: list[int] = field(default_factory=list)
    gate: anyio.Event = field(default_factory=anyio.Event)
    streams: int = 0


@asynccontextmanager
async def mcp_peer(transport: Transport = "shttp") -> AsyncIterator[McpPeer]:
    """Run a server on a free port."""
    peer = McpPeer("")
    app = _app(_server(peer), transport)

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer.requests.append((scope["method"], {k.decode(): v.decode() for k, v in scope["headers"]}))
        streaming = scope.get("method") == "GET"
        peer.streams += streaming
        try:
            await app(scope, receive, send)
        finally:
            peer.streams -= streaming

    config = uvicorn.Config(watched, port=0, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server._serve)
        with anyio.fail_after(10):
            while not server.started:
                await anyio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        peer.url = f"http://127.0.0.1:{port}{'/sse' if transport == 'sse' else '/mcp'}"
        try:
            yield peer
        finally:
            server.should_exit = True


def _app(server: MCPServer, transport: Transport) -> ASGIApp:
    if transport == "sse":
        return server.sse_app()
    return server.streamable_http_app(json_response=transport == "stateless", stateless_http=transport == "stateless")


def _server(peer: McpPeer) -> MCPServer:
    server = MCPServer("shop")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool(name="shop.find item")
    def find(what: str) -> str:
        return f"found {what}"

    @server.tool()
    def session(context: Context) -> str:
        peer.sessions.append(id(context.session))
        return "counted"

    @server.tool()
    def fail() -> str:
        raise ToolError("out of stock")

    @server.tool()
    async def hang() -> str:
        await anyio.sleep_forever()
        return ""

    @server.tool()
    async def wait() -> str:
        await peer.gate.wait()
        return "waited"

    @server.tool()
    def long(chars: int) -> str:
        return "x" * chars

    return server
