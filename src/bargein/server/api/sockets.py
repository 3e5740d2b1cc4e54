"""A server's WebSocket, as a carrier wants it."""

from collections.abc import Generator
from contextlib import contextmanager

from starlette.websockets import WebSocket, WebSocketDisconnect


class CarrierSocket:
    """Starlette's socket for a carrier: a peer that is gone is a `ConnectionError`, as everywhere else."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def send_text(self, data: str) -> None:
        """Send a text frame."""
        with _gone_is_connection_error():
            await self._socket.send_text(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        with _gone_is_connection_error():
            await self._socket.send_bytes(data)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close."""
        with _gone_is_connection_error():
            await self._socket.close(code, reason)


@contextmanager
def _gone_is_connection_error() -> Generator[None]:
    try:
        yield
    except (WebSocketDisconnect, RuntimeError):
        # Starlette says RuntimeError to a send after either side has closed.
        raise ConnectionError("the peer has closed its socket") from None
