"""A small HTTP/1.1 server on 127.0.0.1 whose responses can be delayed, cut short and broken off.

It is made for fakes: it reads requests with a Content-Length, answers in chunks, keeps connections alive, and notices
at once when the client disconnects. It uses little CPU, so that a load test measures the server and not its fakes.

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, b'{"results": []}', content_type="application/json")

    async with HttpPeer(answer) as peer:
        ...  # a client of peer.origin
        request = await peer.exchange(0)
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import anyio
from anyio.abc import SocketAttribute, SocketStream

from bargein.errors import BargeinError

_REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 500: "Internal Server Error"}
_MAX_HEAD_BYTES = 64 * 1024


class _PeerGoneError(BargeinError):
    """The client closed its connection."""


@dataclass(slots=True, eq=False)
class Exchange:
    """One request and the state of its response.

    Attributes:
        path: path of the request, with its query.
        method: like POST.
        headers: headers of the request, names in lower case.
        body: the request's parsed JSON, or the text of a form or of XML; None without a body.
        gone: set if the client closed the connection before the response was complete.
        done: set once the response has ended, completely or not.
        sent_bytes: bytes of the body written to the socket.
        deaf: whether the response continues after the client has disconnected.
    """

    path: str
    headers: dict[str, str]
    body: Any
    stream: SocketStream = field(repr=False)
    gone: anyio.Event = field(default_factory=anyio.Event)
    done: anyio.Event = field(default_factory=anyio.Event)
    sent_bytes: int = 0
    deaf: bool = False
    keep_alive: bool = True
    method: str = "POST"

    async def respond(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send a whole response; underscores in the names of headers become hyphens."""
        await self._send_head(status, {**headers, "content_length": str(len(body))}, body)

    async def respond_json(self, value: object, status: int = 200) -> None:
        """Send a whole response with a value as JSON."""
        await self.respond(status, json.dumps(value).encode(), content_type="application/json")

    async def start(self, content_type: str | None, first: bytes = b"") -> None:
        """Begin a chunked response, with the first piece of its body."""
        named = {} if content_type is None else {"content_type": content_type}
        await self._send_head(200, {**named, "transfer_encoding": "chunked"}, _chunk(first))
        self.sent_bytes += len(first)

    async def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data:
            await self._write(_chunk(data))
            self.sent_bytes += len(data)

    async def end(self) -> None:
        """Complete the response."""
        await self._write(b"0\r\n\r\n")

    async def die(self) -> None:
        """Announce a chunk and close the connection in the middle of it."""
        await self._write(b"400\r\nhalf of it")
        self.keep_alive = False

    async def _send_head(self, status: int, headers: dict[str, str], tail: bytes) -> None:
        head = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self._write("\r\n".join(head).encode() + b"\r\n\r\n" + tail)

    async def _write(self, data: bytes) -> None:
        if self.gone.is_set() and self.deaf:
            await anyio.lowlevel.checkpoint()
            return
        try:
            await self.stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.gone.set()  # a write may fail before the end of the stream is read
            if not self.deaf:
                raise _PeerGoneError from None


class HttpPeer:
    """A server on a free port of 127.0.0.1 that runs while its `async with` block does.

    Args:
        answer: coroutine function that answers an `Exchange`; cancelled when the client disconnects, unless the
            exchange is `deaf`.
        record: whether to keep the requests in `exchanges`; a load test needs none of them.

    Attributes:
        exchanges: the requests, in their order.
        connections: the number of connections that were opened.
        port: the port.
        probes: the number of HEAD requests, which open connections ahead of their use; these are answered with 200 and
            nothing, and are no exchanges.
    """

    def __init__(self, answer: Callable[[Exchange], Awaitable[None]], *, record: bool = True) -> None:
        self.exchanges: list[Exchange] = []
        self.connections = 0
        self.probes = 0
        self.port = 0
        self._answer = answer
        self._record = record
        self._arrived = anyio.Event()
        self._stack = AsyncExitStack()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        self.port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's
        self._stack.push_async_callback(listener.aclose)
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(listener.serve, self._serve)
        self._stack.callback(tasks.cancel_scope.cancel)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def exchange(self, number: int = 0, *, within_s: float = 5.0) -> Exchange:
        """Wait for the request with this number, counted from 0.

        Raises:
            TimeoutError: it was not received within `within_s`.
        """
        with anyio.fail_after(within_s):
            while len(self.exchanges) <= number:
                await self._arrived.wait()
        return self.exchanges[number]

    async def _serve(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            buffer = bytearray()
            try:
                while (exchange := await _read_request(stream, buffer)) is not None:
                    if exchange.method == "HEAD":
                        self.probes += 1
                        await exchange.respond(200)
                        continue
                    if self._record:
                        self.exchanges.append(exchange)
                        self._arrived.set()
                        self._arrived = anyio.Event()
                    await self._run(exchange, buffer)
                    if exchange.gone.is_set() or not exchange.keep_alive:
                        return
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def _run(self, exchange: Exchange, buffer: bytearray) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_watch, exchange, buffer, tasks.cancel_scope)
                try:
                    await self._answer(exchange)
                except _PeerGoneError:
                    exchange.gone.set()
                tasks.cancel_scope.cancel()
        finally:
            exchange.done.set()


async def _watch(exchange: Exchange, buffer: bytearray, scope: anyio.CancelScope) -> None:
    try:
        while True:
            buffer += await exchange.stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        exchange.gone.set()
        if not exchange.deaf:
            scope.cancel()


async def _read_request(stream: SocketStream, buffer: bytearray) -> Exchange | None:
    try:
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            if len(buffer) > _MAX_HEAD_BYTES:
                return None
            buffer += await stream.receive()
        request_line, *fields = bytes(buffer[:end]).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
        body_end = end + 4 + int(headers.get("content-length", "0"))
        while len(buffer) < body_end:
            buffer += await stream.receive()
    except anyio.EndOfStream:
        return None
    body = bytes(buffer[end + 4 : body_end])
    del buffer[:body_end]
    method, path, *_ = request_line.split(" ")
    return Exchange(path, headers, _parsed(headers.get("content-type", ""), body), stream, method=method)


def _parsed(content_type: str, body: bytes) -> Any:
    if content_type.startswith("application/x-www-form-urlencoded"):
        return body.decode("latin-1")
    if "xml" in content_type:
        return body.decode()
    return json.loads(body) if body else None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
