"""Opening of WebSockets, to a vendor's own host or to an address that the guard allows."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import httpx
from typing_extensions import override
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bargein.providers.http import Addresses, Endpoint, handshake_headers

MAX_SOCKET_MESSAGE_BYTES = 256 * 1024
"""The longest message that is read."""


def http_url(url: str) -> str:
    """Return a URL with http for ws and https for wss, which mean the same here; others are left as they are."""
    for scheme, http in (("wss://", "https://"), ("ws://", "http://")):
        if url.lower().startswith(scheme):
            return http + url[len(scheme) :]
    return url


CONNECTION_TYPE: ContextVar[type[ClientConnection]] = ContextVar("connection type", default=ClientConnection)
"""The type of the connections that a task and its own tasks open; `bargein doctor --record` sets one that records."""


class _Connect(connect):
    """A connection that follows no redirect: the secret must not go to another host."""

    @override
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass(frozen=True, slots=True)
class SocketTarget:
    """The server of a socket, and the signature of the connection.

    Attributes:
        endpoint: the URL, with http for ws and https for wss, and the headers.
        addresses: resolves the host; None: the system's resolver, for a vendor's own host or the operator's setting.
        auth: signs the opening of the socket; None: nothing is signed.
        subprotocols: offered in the handshake.
        max_message_bytes: the longest message that is read.
        ping_s: the interval of the socket's own pings, and the wait for their answers; None: there are none.
    """

    endpoint: Endpoint
    addresses: Addresses | None = None
    auth: httpx.Auth | None = None
    subprotocols: Sequence[str] = ()
    max_message_bytes: int = MAX_SOCKET_MESSAGE_BYTES
    ping_s: float | None = None

    @property
    def name(self) -> str:
        """The host and port, for messages."""
        return self.endpoint.name

    @property
    def socket_url(self) -> str:
        """The URL with the scheme ws or wss."""
        return "ws" + str(self.endpoint.url).removeprefix("http")

    async def connect(self) -> ClientConnection:
        """Open the socket; the host is resolved once, and the checked address is connected to.

        The caller limits the time.

        Raises:
            OSError: the host cannot be reached.
            ServerError: the opening cannot be signed.
            WebSocketException: the server refused the handshake.
        """
        url = self.endpoint.url
        port = url.port or (443 if url.scheme == "https" else 80)
        host = url.host if self.addresses is None else await self.addresses.address(url.host, port)
        proof = await handshake_headers(self.auth, str(url))
        return await _Connect(
            self.socket_url,
            additional_headers={**proof, **self.endpoint.headers},
            subprotocols=[Subprotocol(name) for name in self.subprotocols] or None,
            open_timeout=None,  # the caller's scope has one
            ping_interval=self.ping_s,  # none for `AudioSocket`, which distinguishes a stall from a lost connection
            ping_timeout=self.ping_s,
            close_timeout=0.5,
            create_connection=CONNECTION_TYPE.get(),
            compression=None,  # audio does not compress, and it would add latency
            max_size=self.max_message_bytes,
            proxy=None,
            host=host,  # the address to connect to; the handshake and TLS use the name in the URL
            port=port,
        )
