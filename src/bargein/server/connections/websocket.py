"""uvicorn's WebSocket protocol with limits on fragments and control frames.

Only control frames and continuation frames pass through the methods of this class: audio arrives in whole messages,
which uvicorn's own methods handle.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import uvicorn
from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

if TYPE_CHECKING:
    from bargein.server.connections.admission import Connection

MAX_FRAGMENTS = 1024
"""The limit for the frames of one message (close code 1009): empty ones do not count for its size."""
MAX_CONTROL_FRAMES = 100
"""The limit for pings and pongs of a client in `CONTROL_WINDOW_S` (close code 1008)."""
CONTROL_WINDOW_S = 10.0
CLOSE_S = 3.0
"""How long the server waits for a client's answer to its close frame."""

_POLICY_VIOLATION, _TOO_BIG = 1008, 1009


class LimitedWebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket of a client.

    Attributes:
        connection: its admission, which is released when it is lost.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.close_timeout = CLOSE_S
        self.connection: Connection | None = None
        self._control_frames = 0
        self._window_began = 0.0

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.connection is not None:
            self.connection.release()
        super().connection_lost(exc)

    @override
    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self._fail(_TOO_BIG, "a message has too many fragments")
        elif not self.close_sent:
            super().handle_cont(event)

    @override
    def handle_ping(self) -> None:
        if not self._is_within_limit():
            return
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # the peer does not read: the pong is dropped (RFC 6455, section 5.5.3)

    @override
    def handle_pong(self, event: Frame) -> None:
        if self._is_within_limit():
            super().handle_pong(event)

    def _is_within_limit(self) -> bool:
        """Count a control frame; close the socket if there are too many, and return False."""
        if self.close_sent:
            return False
        now = self.loop.time()
        if now - self._window_began > CONTROL_WINDOW_S:
            self._control_frames, self._window_began = 0, now
        self._control_frames += 1
        if self._control_frames > MAX_CONTROL_FRAMES:
            self._fail(_POLICY_VIOLATION, "too many pings")
            return False
        return True

    def _fail(self, code: int, reason: str) -> None:
        if not self.close_sent:
            self.frames = []
            self.conn.fail(code, reason)
            self.handle_parser_exception()
