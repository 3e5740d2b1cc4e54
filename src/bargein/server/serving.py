"""Runs the server: uvicorn with the settings that live calls need, and a graceful shutdown."""

import gc
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from bargein.clock import LoopClock
from bargein.server.connections.admission import Admission, raise_descriptor_limit
from bargein.server.connections.http import LimitedConfig, LimitedHttpProtocol
from bargein.server.connections.websocket import LimitedWebSocketProtocol
from bargein.settings import Settings

if TYPE_CHECKING:
    from bargein.server.api.services import Services

MAX_FRAME_BYTES = 1 << 20
"""The limit for a WebSocket message, half a minute of audio. A larger one gets close code 1009 (RFC 6455)."""

_RECEIVE_BUFFER_BYTES = 32 * 1024
"""The size of a connection's receive buffer. Its content is parsed at once: 256 KiB of tiny frames would block calls
for half a second. 32 KiB is a third of a second of 48 kHz audio, enough for a round trip of 200 ms."""

PEER_TIMEOUT_S = 30
"""The time after which the kernel closes the connection of a peer that acknowledges or reads nothing."""


def give_up_stuck_peers(listener: socket.socket, timeout_s: float) -> None:
    """Set `TCP_USER_TIMEOUT` (RFC 5482) for the connections that a socket will accept, where the system has it.

    Neither the keepalive of WebSockets nor asyncio closes a connection with full buffers: both wait until these have
    been sent, which never happens if the peer does not read.
    """
    option: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, int(timeout_s * 1000))


class Server(uvicorn.Server):
    """A uvicorn server that reports its port, and ends live calls before it closes their sockets.

    Args:
        config: the configuration.
        listening: is called with the port once the server listens.
    """

    def __init__(self, config: uvicorn.Config, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            for listener in self.servers[0].sockets:
                give_up_stuck_peers(listener, PEER_TIMEOUT_S)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            self._listening(self.servers[0].sockets[0].getsockname()[1])

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = cast("FastAPI", self.config.app)
        services = cast("Services | None", getattr(app.state, "services", None))
        if services is not None:
            await services.live_calls.close()  # ends every call with `worker-shutdown`
        await super().shutdown(sockets)
        # uvicorn would raise the signal again, and the process would end with an error after a requested stop
        self._captured_signals.clear()


def config_of(app: FastAPI, settings: Settings, **changes: Any) -> LimitedConfig:
    """Return uvicorn's configuration for live calls; `changes` override it."""
    limits = settings.limits
    given: dict[str, Any] = {
        "host": settings.server.host,
        "port": settings.server.port,
        "loop": "auto",
        "http": LimitedHttpProtocol,
        # derived from the fastest of uvicorn's WebSocket implementations in our measurements
        "ws": LimitedWebSocketProtocol,
        "ws_max_size": MAX_FRAME_BYTES,
        "ws_per_message_deflate": False,  # it does not shrink audio, and a small frame could become a large message
        "ws_ping_interval": 20,
        "ws_ping_timeout": 20,
        "timeout_keep_alive": limits.idle_s,
        "timeout_graceful_shutdown": 5,
        "forwarded_allow_ips": [*limits.trusted_proxies],
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }
    config = LimitedConfig(app, **(given | changes))
    config.admission = Admission(limits, raise_descriptor_limit(), LoopClock())
    return config


def serve(app: FastAPI, settings: Settings, listening: Callable[[int], None]) -> str | None:
    """Serve until SIGINT or SIGTERM.

    Returns:
        The reason why the server could not start, or None.
    """

    def on_listening(port: int) -> None:
        # What is loaded by now stays loaded. Each full collection that scanned it blocked all calls for 0.2 s.
        gc.collect()
        gc.freeze()
        listening(port)

    address = f"{settings.server.host}:{settings.server.port}"
    server = Server(config_of(app, settings), on_listening)
    logging.getLogger("uvicorn.error").addFilter(_WithoutStartError(app))
    with suppress(SystemExit):  # uvicorn exits the process by itself if it cannot start
        server.run()
    if server.started:
        return None
    if server.lifespan.startup_failed:
        return getattr(app.state, "start_error", "the server could not start; the log has the error")
    return f"cannot listen on {address}"


class _WithoutStartError(logging.Filter):
    """Leaves out what uvicorn logs of an error for which there is a sentence: a traceback, and that it exits."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__()
        self._app = app

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        known = getattr(self._app.state, "start_error", None) is not None
        text = record.getMessage()
        return not (known and ("Traceback (most recent" in text or text.startswith("Application startup failed")))
