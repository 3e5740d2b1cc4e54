"""A WebSocket client for load tests: without a task, a queue or a copy for a frame, so that a core runs a hundred."""

import asyncio
from collections.abc import Callable
from typing import cast

import anyio
from typing_extensions import override
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri


class LoadSocket(asyncio.Protocol):
    """An open socket. Frames are passed to the callbacks as soon as they arrive.

    Args:
        url: URL that begins with ws://.
        on_audio: called with each binary frame.
        on_text: called with each text frame, as bytes.
    """

    def __init__(self, url: str, on_audio: Callable[[bytes], None], on_text: Callable[[bytes], None]) -> None:
        self.opened = anyio.Event()
        self.closed = anyio.Event()
        self.why_closed = ""
        self._websocket = ClientProtocol(parse_uri(url))
        self._on_audio = on_audio
        self._on_text = on_text
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(
        cls, url: str, on_audio: Callable[[bytes], None], on_text: Callable[[bytes], None], *, within_s: float = 10.0
    ) -> "LoadSocket":
        """Connect and wait for the handshake.

        Raises:
            OSError: there is no server, or it refused the connection.
            TimeoutError: it took too long.
        """
        target = parse_uri(url)
        with anyio.fail_after(within_s):
            _, socket = await asyncio.get_running_loop().create_connection(
                lambda: cls(url, on_audio, on_text), target.host, target.port
            )
            await socket.opened.wait()
        if socket.closed.is_set():
            raise ConnectionRefusedError(f"the call's socket was refused: {socket.why_closed}")
        return socket

    def send_audio(self, frame: bytes) -> None:
        """Send a binary frame, unless the socket is closing."""
        if self._websocket.state is State.OPEN:
            self._websocket.send_binary(frame)
            self._flush()

    def send_text(self, text: str) -> None:
        """Send a text frame, unless the socket is closing."""
        if self._websocket.state is State.OPEN:
            self._websocket.send_text(text.encode())
            self._flush()

    def pause_reading(self) -> None:
        """Read nothing more, as a client that hangs."""
        if self._transport is not None:
            self._transport.pause_reading()

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._websocket.send_request(self._websocket.connect())
        self._flush()

    @override
    def data_received(self, data: bytes) -> None:
        self._websocket.receive_data(data)
        for event in self._websocket.events_received():
            if isinstance(event, Response):
                self._handle_response(event)
            else:
                self._handle_frame(cast("Frame", event))
        self._flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.why_closed = self.why_closed or str(exc or "the connection was closed")
        self.closed.set()
        self.opened.set()

    def _handle_response(self, response: Response) -> None:
        if self._websocket.handshake_exc is not None:
            self.why_closed = f"HTTP status {response.status_code}"
            self.closed.set()
        self.opened.set()

    def _handle_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self._on_audio(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT:
            self._on_text(bytes(frame.data))
        elif frame.opcode is Opcode.CLOSE:
            self.why_closed = f"close code {self._websocket.close_code} {self._websocket.close_reason}"

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for data in self._websocket.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.write_eof()
