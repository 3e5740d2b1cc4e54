"""uvicorn's HTTP protocol with limits on the size, number and time of request heads, and on pipelined requests.

uvicorn's own limits cover neither: httptools (llhttp) keeps a header of any length, and a connection that has sent no
complete request has no time limit. Limits are checked in the parser's callbacks and once for each chunk of data; a
WebSocket's data does not pass through here, because the transport gets another protocol at the upgrade.
"""

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn, cast

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from bargein.errors import BargeinError
from bargein.server.connections.admission import Admission, Connection, State
from bargein.wire.errors import WireError

if TYPE_CHECKING:
    from httptools import HttpRequestParser
    from uvicorn._types import ASGI3Application

    from bargein.server.connections.websocket import LimitedWebSocketProtocol

MAX_HEAD_BYTES = 32 * 1024
"""The limit for the header fields of a request, and for its trailers (431, RFC 6585)."""
MAX_FIELDS = 100
"""The limit for the number of header fields of a request (431)."""
MAX_TARGET_BYTES = 8 * 1024
"""The limit for the target of a request (414)."""
MAX_UPGRADE_FIELD_BYTES = 8 * 1024
"""The limit for one header field of a WebSocket's request, which is that of the `websockets` library (431)."""
MAX_PIPELINED = 16
"""The number of requests that may wait for the answer to an earlier one; those after them are not read."""
MAX_CHUNK_OVERHEAD_BYTES = 64 * 1024
"""The limit for chunk sizes and extensions of a body, beyond `_CHUNK_OVERHEAD` bytes for each byte of data."""
LINGER_S = 1.0
"""How long a refused connection is read and its data dropped, so that the client gets the answer before a reset."""
MAX_LINGER_BYTES = 1 << 20
"""The limit for the data that is dropped in that time."""
REST_OF_BODY_S = 5.0
"""The time limit for the rest of a body whose request has been answered already."""

_CHUNK_OVERHEAD = 8
_TARGET = re.compile(rb"[!-~]+")
_CALL_SOCKET = re.compile(rb"/[^/?]+/transport(\?.*)?|/carrier/[^/]+/[^/]+/media/.*")


class LimitedConfig(uvicorn.Config):
    """uvicorn's configuration with the admission of connections.

    Attributes:
        admission: decides which connections are admitted.
    """

    admission: Admission


class _RefusedError(BargeinError):
    """A request that is refused while its bytes are parsed; the parser passes it on as an error of its own."""


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._admission = cast("LimitedConfig", config).admission
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._refusal: WireError | None = None
        self._refused = False
        self._running: RequestResponseCycle | None = None
        self._in_body = False
        self._head_bytes = self._field_bytes = self._body_wire_bytes = self._body_bytes = self._dropped_bytes = 0
        self._hosts = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer = get_remote_addr(transport)
        self._connection = self._admission.admit(peer[0] if peer else None, transport.abort)
        if self._connection is None:
            self._refused = True
            transport.write(_response(WireError(503, "The server has too many connections. Try again.")))
            transport.close()
            return
        self._start_timer(self._admission.limits.head_s)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        if self._connection is not None:
            self._connection.release()
        if (running := self._running) is not None and running is not self.cycle and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._dropped_bytes += len(data)
            if self._dropped_bytes > MAX_LINGER_BYTES:
                self.transport.abort()
            return
        if self._in_body:
            self._body_wire_bytes += len(data)
        else:
            self._head_bytes += len(data)
            if self._timer is None:
                self._start_timer(self._admission.limits.head_s)
        super().data_received(data)
        if self._refused or self.transport.is_closing() or self.parser is None:
            return
        if not self._in_body and self._head_bytes > MAX_HEAD_BYTES + MAX_TARGET_BYTES:
            headers: list[tuple[bytes, bytes]] | None = self.headers
            self._refuse(_too_large() if headers or not getattr(self, "url", b"") else _target_too_long())
        elif self._in_body and self._overhead() > MAX_CHUNK_OVERHEAD_BYTES:
            self._refuse(WireError(400, ["the body has too many bytes beside its data"]))

    @property
    def _parsed(self) -> "HttpRequestParser":
        """The parser; uvicorn drops it when the connection is lost, after which no callback comes."""
        return cast("HttpRequestParser", self.parser)

    def _overhead(self) -> int:
        return self._body_wire_bytes - (1 + _CHUNK_OVERHEAD) * self._body_bytes

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._field_bytes = self._hosts = 0

    @override
    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._raise(_target_too_long())

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        self._field_bytes += len(name) + len(value) + 4
        if self._field_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_FIELDS:
            self._raise(_too_large())
        if self._in_body:
            return  # trailers are not merged into the header fields (RFC 9110, section 6.5.1)
        self._hosts += name.lower() == b"host"
        super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._check_head()
        busy = self._is_busy()
        upgrades = self._parsed.should_upgrade() and self._should_upgrade()
        if upgrades:
            self._check_upgrade(busy=busy)
        elif len(self.pipeline) >= MAX_PIPELINED:
            self._raise(WireError(400, ["too many requests are pipelined"]))
        if not busy:
            for_call = upgrades and _CALL_SOCKET.fullmatch(self.url) is not None
            if self._connection is None or not self._connection.use(State.CALL if for_call else State.REQUEST):
                self._raise(WireError(503, "The server has too many requests. Try again."))
        self._stop_timer()
        self._in_body = True
        self._head_bytes = self._field_bytes = self._body_wire_bytes = self._body_bytes = 0
        super().on_headers_complete()
        if self._parsed.should_upgrade() and not upgrades:
            self.cycle.keep_alive = False  # what follows is for the parser of the other protocol

    @override
    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._in_body = False
        self._head_bytes = 0
        super().on_message_complete()
        if not self._is_busy() and not self._parsed.should_upgrade():
            self._await_request()

    @override
    def on_response_complete(self) -> None:
        if self._refused:
            self._running = None
            self.transport.close()
            return
        super().on_response_complete()
        if self.transport.is_closing() or self._is_busy():
            return
        if self._in_body:
            self._start_timer(REST_OF_BODY_S)
        else:
            self._await_request()

    @override
    def handle_websocket_upgrade(self) -> None:
        connection, self._connection = self._connection, None
        self._stop_timer()
        super().handle_websocket_upgrade()
        protocol = cast("LimitedWebSocketProtocol", self.transport.get_protocol())
        protocol.connection = connection

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or WireError(400, ["the request is not valid HTTP"]))

    @override
    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a client may offer any protocol, and the server need not take it (RFC 9110, section 7.8)."""

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_busy(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _await_request(self) -> None:
        if self._connection is not None:
            self._connection.use(State.WAITING)
        self._stop_timer()

    def _check_head(self) -> None:
        if _TARGET.fullmatch(self.url) is None or not self.url.startswith((b"/", b"http://", b"https://")):
            self._raise(WireError(400, ["the target of the request is not valid"]))
        version = self._parsed.get_http_version()
        if version not in ("1.0", "1.1"):
            self._raise(WireError(400, ["the version of HTTP must be 1.0 or 1.1"]))
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            self._raise(WireError(400, ["the request must have one Host header"]))  # RFC 9112, section 3.2

    def _check_upgrade(self, *, busy: bool) -> None:
        """Check what RFC 6455, section 4.1 wants of a WebSocket's request, and that no request is being answered."""
        fields = dict(self.headers)
        plain = self._parsed.get_method() == b"GET" and self._parsed.get_http_version() == "1.1"
        has_body = b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0"
        if busy or not plain or has_body or not self.url.startswith(b"/"):
            self._raise(WireError(400, ["the upgrade to a WebSocket is not valid"]))
        if any(len(name) + len(value) + 4 > MAX_UPGRADE_FIELD_BYTES for name, value in self.headers):
            self._raise(_too_large())

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        """Close a connection whose head, or whose rest of a body, does not arrive."""
        self._timer = None
        if self._in_body or not self._head_bytes:
            self.transport.close()
        else:
            self._refuse(WireError(408, "The head of the request did not come in time."))

    def _raise(self, error: WireError) -> NoReturn:
        """Refuse a request inside a callback of the parser, which then stops."""
        self._refusal = error
        raise _RefusedError(str(error))

    def _refuse(self, error: WireError) -> None:
        """Answer with an error and close; requests that are being answered get their answer, and no error follows."""
        if self._refused:
            return
        self._refused = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        running = self._running
        if running is None or running.response_complete:
            self._close_with(error)
        elif running.more_body:  # what cannot be read belongs to this request
            running.disconnected = True
            running.message_event.set()
            if running.response_started:
                self.transport.close()
            else:
                self._close_with(error)
        else:
            running.keep_alive = False

    def _close_with(self, error: WireError) -> None:
        self.transport.write(_response(error))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
            self.loop.call_later(LINGER_S, self.transport.abort)
        else:
            self.transport.close()


def _too_large() -> WireError:
    return WireError(
        431, f"The header of the request must not be larger than {MAX_HEAD_BYTES} bytes or {MAX_FIELDS} fields."
    )


def _target_too_long() -> WireError:
    return WireError(414, f"The target of the request must not be longer than {MAX_TARGET_BYTES} bytes.")


def _response(error: WireError) -> bytes:
    """Return a whole response in Vapi's shape that closes the connection."""
    body = json.dumps(error.body()).encode()
    retry = b"retry-after: 5\r\n" if error.status == 503 else b""
    return b"%scontent-type: application/json\r\ncontent-length: %d\r\n%sconnection: close\r\n\r\n%s" % (
        STATUS_LINE[error.status],
        len(body),
        retry,
        body,
    )
