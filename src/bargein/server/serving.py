"""Running the server: uvicorn, with the settings a live call needs, and an orderly end."""

import gc
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from fastapi import FastAPI

if TYPE_CHECKING:
    from bargein.server.api.services import Services

MAX_FRAME_BYTES = 1 << 20
"""A larger WebSocket message is answered with close code 1009 (RFC 6455): it is half a minute of audio at once."""


_RECEIVE_BUFFER_BYTES = 32 * 1024
"""What has come on a connection is parsed at one go: a quarter of a megabyte of tiny frames would hold up all calls for
half a second. This is a third of a second of 48 kHz audio, and enough for it over a round trip of 200 ms."""

PEER_TIMEOUT_S = 30
"""A peer that acknowledges nothing, or takes nothing, for so long is cut off by the kernel."""


def give_up_stuck_peers(listener: socket.socket, timeout_s: float) -> None:
    """Set a limit for the connections that a socket will accept (`TCP_USER_TIMEOUT`, RFC 5482).

    Neither the keepalive of WebSockets nor asyncio ends a connection with full buffers: it is closed once they have
    been sent, which a peer that does not read puts off for ever. Not every system has the option.
    """
    option: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, int(timeout_s * 1000))


class Server(uvicorn.Server):
    """Tells when and where it listens, and ends its calls in words before its sockets close."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn; then tell the port."""
        await super().startup(sockets)
        if self.started:
            for listener in self.servers[0].sockets:
                give_up_stuck_peers(listener, PEER_TIMEOUT_S)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            self._listening(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn; first every call is ended with `worker-shutdown`."""
        app = cast("FastAPI", self.config.app)
        services = cast("Services | None", getattr(app.state, "services", None))
        if services is not None:
            await services.live_calls.close()
        await super().shutdown(sockets)
        # uvicorn would raise the signal again; but told to stop, it has stopped, which is no failure.
        self._captured_signals.clear()


def config_of(app: FastAPI, host: str, port: int, **changes: Any) -> uvicorn.Config:
    """The settings of uvicorn that live calls need; `changes` go over them."""
    settings: dict[str, Any] = {
        "loop": "auto",
        # The quickest of uvicorn's WebSocket implementations here; audio does not get smaller by deflating it.
        "ws": "websockets-sansio",
        "ws_max_size": MAX_FRAME_BYTES,
        "ws_per_message_deflate": False,
        "ws_ping_interval": 20,
        "ws_ping_timeout": 20,
        "timeout_graceful_shutdown": 5,
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }
    return uvicorn.Config(app, host=host, port=port, **(settings | changes))


def serve(app: FastAPI, host: str, port: int, listening: Callable[[int], None]) -> str | None:
    """Serve until told to stop (SIGINT, SIGTERM); gives why the server could not start, or None."""

    def settled(port: int) -> None:
        # Whatever is loaded by now stays. Looked through for garbage again and again, it held up every call for 0.2 s.
        gc.collect()
        gc.freeze()
        listening(port)

    server = Server(config_of(app, host, port), settled)
    server.run()
    return None if server.started else getattr(app.state, "start_error", f"cannot listen on {host}:{port}")
