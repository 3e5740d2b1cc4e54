"""A WebSocket of the server to itself: both ends are in this process, and no port or proxy is between them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from typing_extensions import override
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Close

from bargein.carriers.websocket import WebsocketLeg
from bargein.carriers.websocket.leg import NORMAL_CLOSURE, Socket
from bargein.client.connection import ClientSocket
from bargein.server.calls.live_calls import LiveCalls
from bargein.wire.client_controls import parse_client_control
from bargein.wire.json import read_json

RATE_HZ = 16_000
"""The sample rate of the audio in both directions, as PCM."""

_MOST_FRAMES = 1000
"""The frames that wait for the end that is to read them; with more it has stalled."""
_GOODBYE_S = 2.0

_Sender = MemoryObjectSendStream[bytes | str]
_Receiver = MemoryObjectReceiveStream[bytes | str]


class _ClientEnd(ClientSocket):
    """The client's end: to be read by one task, and written to by any."""

    def __init__(self, to_server: _Sender, from_server: _Receiver) -> None:
        self._to_server = to_server
        self._from_server = from_server
        self._code: int | None = None

    @property
    @override
    def close_code(self) -> int | None:
        return self._code

    @property
    @override
    def close_reason(self) -> str | None:
        return None

    @override
    async def send(self, message: bytes | str) -> None:
        try:
            await self._to_server.send(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise self._closed() from None

    @override
    async def recv(self) -> bytes | str:
        try:
            return await self._from_server.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise self._closed() from None

    def _closed(self) -> ConnectionClosedOK:
        self._code = NORMAL_CLOSURE
        return ConnectionClosedOK(Close(NORMAL_CLOSURE, ""), None)


class _ServerEnd(Socket):
    """The server's end, as Vapi's transport sends on it."""

    def __init__(self, to_client: _Sender) -> None:
        self._to_client = to_client

    @override
    async def send_text(self, data: str) -> None:
        await self._send(data)

    @override
    async def send_bytes(self, data: bytes) -> None:
        await self._send(data)

    @override
    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        self._to_client.close()

    async def _send(self, data: bytes | str) -> None:
        try:
            await self._to_client.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise ConnectionError("the client has closed its socket") from None


@asynccontextmanager
async def calling(live_calls: LiveCalls, call_id: str) -> AsyncGenerator[ClientSocket]:
    """Begin a call of this server, and yield its client's end; leaving the block ends the call.

    The call is run as one over a network is: it is reserved, opened, registered and recorded.

    Raises:
        RefusedError: there is no such call, or it is over.
        StartError: its assistant cannot be run on this server; the call is recorded as ended.
    """
    to_server, from_client = anyio.create_memory_object_stream[bytes | str](_MOST_FRAMES)
    to_client, from_server = anyio.create_memory_object_stream[bytes | str](_MOST_FRAMES)
    with live_calls.reserve(call_id):
        leg = WebsocketLeg(_ServerEnd(to_client), "pcm_s16le", RATE_HZ)
        session = await live_calls.open(await live_calls.find(call_id), leg, tells_details=True)

        async def receive() -> None:
            async for frame in from_client:
                if isinstance(frame, bytes):
                    session.receive_audio(frame)
                else:
                    session.control(parse_client_control(read_json(frame)), by_caller=True, author="caller")
            session.hang_up("customer-ended-call")

        async def run() -> None:
            async with anyio.create_task_group() as tasks:
                with live_calls.register(session):
                    tasks.start_soon(leg.run, lambda: session.hang_up("customer-ended-call"))
                    tasks.start_soon(receive)
                    await session.run()
                with anyio.move_on_after(_GOODBYE_S):
                    await leg.done.wait()
                to_client.close()
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as call:
            call.start_soon(run)
            try:
                yield _ClientEnd(to_server, from_server)
            finally:
                to_server.close()
                from_server.close()
