"""A WebSocket server on 127.0.0.1, the base of the fakes of transcribers and voices that are reached by a socket."""

from abc import ABC, abstractmethod
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response


class SocketPeer(ABC):
    """A WebSocket server on a free port of 127.0.0.1, as an async context manager.

    It sends no pings of its own and does not compress. A subclass admits handshakes and serves connections.
    """

    def __init__(self) -> None:
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=0.2,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port, while the server runs."""
        if self._server is None:
            raise RuntimeError("the fake is not running")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def origin(self) -> str:
        """Scheme (http), host and port."""
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the refusal of a handshake; None: it is accepted."""

    @abstractmethod
    async def _serve(self, socket: ServerConnection) -> None:
        """Serve one connection; it is closed afterwards."""
