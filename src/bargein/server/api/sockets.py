"""The server's WebSockets: as a carrier uses them, their close codes, and refusing one."""

from collections.abc import Generator
from contextlib import contextmanager, suppress

import anyio
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from bargein.server.api.services import services_of

# RFC 6455, section 7.4.1.
PROTOCOL_ERROR = 1002
INVALID_PAYLOAD = 1007
POLICY_VIOLATION = 1008
TOO_BIG = 1009
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013  # IANA's registry of close codes

SEND_TIMEOUT_S = 5.0
"""The time in which a client must take a message; then its socket is closed."""
_MAX_REASON_BYTES = 123  # RFC 6455, section 5.5: a control frame has 125 bytes, of which the code takes two

_log = structlog.get_logger("bargein.server")


class CarrierSocket:
    """Starlette's WebSocket as a carrier uses it: sending to a closed one raises `ConnectionError`."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def send_text(self, data: str) -> None:
        """Send a text frame."""
        with _closed_as_connection_error():
            await self._socket.send_text(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        with _closed_as_connection_error():
            await self._socket.send_bytes(data)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the socket."""
        with _closed_as_connection_error():
            await self._socket.close(code, reason)


@contextmanager
def _closed_as_connection_error() -> Generator[None]:
    try:
        yield
    except (WebSocketDisconnect, RuntimeError):
        # Starlette raises RuntimeError for a send after either side has closed
        raise ConnectionError("the peer has closed its socket") from None


async def close_refused(socket: WebSocket, call_id: str, code: int, reason: str) -> None:
    """Close a socket that is refused, log the reason and count it.

    Args:
        socket: the socket.
        call_id: the call that it is for, as the client named it.
        code: the close code.
        reason: is logged whole and sent as far as a close frame has room.
    """
    _log.warning("closed a call's socket", call_id=call_id[:80], code=code, reason=reason)
    services_of(socket).metrics.refused(code)
    short = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
    with anyio.move_on_after(SEND_TIMEOUT_S), suppress(WebSocketDisconnect, RuntimeError):  # it may be closed already
        await socket.close(code, short)
