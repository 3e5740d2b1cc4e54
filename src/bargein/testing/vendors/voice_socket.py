"""The common part of the fakes of voices behind a WebSocket."""

import json
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import anyio
from anyio.abc import TaskGroup
from typing_extensions import override
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bargein.testing.socket_peer import SocketPeer
from bargein.testing.vendors.voice_speech import KEY, Asked, Piece, Production, TroubleError, VendorVoiceScript, pieces
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, read_json


class SocketVoiceFake(SocketPeer):
    """A fake of a vendor that speaks over a WebSocket, on a free port of 127.0.0.1.

    Args:
        script: the behaviour; may be replaced at any time.

    Attributes:
        made: the audio that was made.
        handshakes: the query and the headers (names in lower case) of each handshake.
        messages: all messages that were received.
    """

    path = "/"

    def __init__(self, script: VendorVoiceScript | None = None) -> None:
        super().__init__()
        self.script = script or VendorVoiceScript()
        self.made = Production()
        self.handshakes: list[tuple[dict[str, str], dict[str, str]]] = []
        self.messages: list[JsonObject] = []
        self.open_sockets: set[ServerConnection] = set()

    async def drop_sockets(self) -> None:
        """Close all sockets, as a vendor closes idle ones."""
        for socket in list(self.open_sockets):
            await socket.close(1001, "idle")

    @abstractmethod
    def key_of(self, query: dict[str, str], headers: dict[str, str]) -> str:
        """Return the key of a handshake."""

    @abstractmethod
    def error_body(self, status: int, says: str) -> bytes:
        """Return the body of a refused handshake."""

    @abstractmethod
    async def handle(self, talk: "SocketTalk", message: JsonObject) -> None:
        """Handle a message of the client."""

    @abstractmethod
    def frames(self, asked: Asked, piece: Piece) -> Sequence[str | bytes]:
        """Return what is sent for a piece."""

    @abstractmethod
    def tail(self, asked: Asked) -> Sequence[str]:
        """Return what ends a complete speech."""

    @abstractmethod
    def error_frame(self, asked: Asked, says: str) -> str:
        """Return a message that reports an error."""

    @override
    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        del connection
        parts = urlsplit(request.path)
        query = dict(parse_qsl(parts.query))
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        self.handshakes.append((query, headers))
        script = self.script
        status = script.status if script.status != 200 else 101
        if status == 101 and parts.path != self.path:
            status = 404
        if status == 101 and self.key_of(query, headers) != KEY:
            status = 401
        if status == 101:
            return None
        body = self.error_body(status, script.says)
        given = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        if script.retry_after is not None:
            given["Retry-After"] = script.retry_after
        return Response(status, "as scripted", given, body)

    @override
    async def _serve(self, socket: ServerConnection) -> None:
        self.open_sockets.add(socket)
        query = self.handshakes[-1][0]
        try:
            async with anyio.create_task_group() as tasks:
                talk = SocketTalk(self, socket, query, tasks)
                try:
                    async for message in socket:
                        received = as_object(read_json(message))
                        self.messages.append(received)
                        await self.handle(talk, received)
                except ConnectionClosed:
                    pass
                if talk.speaking:
                    self.made.learn_of_cut()
                tasks.cancel_scope.cancel()
        finally:
            self.open_sockets.discard(socket)


class SocketTalk:
    """One connection of a `SocketVoiceFake`, and the speeches on it.

    Args:
        fake: the fake.
        socket: the connection.
        query: the query of its handshake.
        tasks: runs the speeches.
    """

    def __init__(
        self, fake: SocketVoiceFake, socket: ServerConnection, query: dict[str, str], tasks: TaskGroup
    ) -> None:
        self.query = query
        self.state: JsonObject = {}
        self._fake = fake
        self._socket = socket
        self._tasks = tasks
        self._scopes: dict[str, anyio.CancelScope] = {}

    @property
    def speaking(self) -> bool:
        """Return True while a speech goes on."""
        return bool(self._scopes)

    async def send(self, message: JsonObject) -> None:
        """Send a message."""
        await self._socket.send(json.dumps(message))

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.close()

    def speak(self, name: str, asked: Asked) -> None:
        """Start a speech."""
        self._fake.made.requests.append(asked)
        scope = self._scopes[name] = anyio.CancelScope()
        self._tasks.start_soon(partial(self._run, name, asked, scope))

    def cancel(self, name: str | None = None) -> None:
        """Cancel a speech, or all."""
        names = list(self._scopes) if name is None else [name]
        for one in names:
            if (scope := self._scopes.pop(one, None)) is not None:
                scope.cancel()
        self._fake.made.learn_of_cut()

    async def _run(self, name: str, asked: Asked, scope: anyio.CancelScope) -> None:
        fake = self._fake
        with scope:
            try:
                async for piece in pieces(asked, fake.script, fake.made):
                    await self._send_all(fake.frames(asked, piece))
                await self._send_all(fake.tail(asked))
            except TroubleError:
                await self._make_trouble(asked)
            except ConnectionClosed:
                fake.made.learn_of_cut()
        if self._scopes.get(name) is scope:
            del self._scopes[name]

    async def _send_all(self, messages: Sequence[str | bytes]) -> None:
        for message in messages:
            await self._socket.send(message)

    async def _make_trouble(self, asked: Asked) -> None:
        match self._fake.script.trouble:
            case "broken":
                await self._socket.send("{broken")
                await anyio.sleep_forever()
            case "error":
                await self._socket.send(self._fake.error_frame(asked, self._fake.script.says))
                await anyio.sleep_forever()
            case _:
                self._socket.transport.abort()
