"""The address guard against server-side request forgery (SSRF).

An assistant, a tool or a phone number names URLs, and this server fetches them from inside a private network. So a name
is resolved here, every address it resolves to is checked, and the connection goes to a checked address: a name that
resolves differently a moment later (DNS rebinding) changes nothing. TLS still verifies the name.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import anyio
import httpcore
import httpx
import structlog
from typing_extensions import override

from bargein.http_client import AddressRefusedError, PrivateAddressError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, section 2.5.5.1: deprecated, but still routed by some
_LOOKUP_TIMEOUT_S = 5.0
_KEEP_ALIVE_S = 30.0
_MAX_KEEP_ALIVE = 200
_READ_BYTES = 4096

_log = structlog.get_logger("bargein.webhooks")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Return whether an address is public, also where an IPv6 address embeds an IPv4 address.

    Private, loopback, link-local (cloud metadata services), multicast, reserved and unspecified addresses are not.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(one.is_global and not one.is_multicast for one in _embedded(found))


def _embedded(address: _Address) -> Iterable[_Address]:
    """Yield the address, and the IPv4 addresses embedded in it."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        yield ipaddress.IPv4Address(address.packed[-4:])


class AddressGuard:
    """Resolves names, and allows public addresses only.

    Args:
        allow_private: allow every address (`BARGEIN_ALLOW_PRIVATE_ADDRESSES`).
    """

    def __init__(self, *, allow_private: bool) -> None:
        self.allow_private = allow_private

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses at which a host may be reached, in the resolver's order.

        Raises:
            AddressRefusedError: one of them is not public, and only public ones are allowed. A name with addresses of
                both kinds is refused as a whole.
            OSError: there is no such host, or the lookup took too long.
        """
        with anyio.move_on_after(_LOOKUP_TIMEOUT_S) as limit:
            found = await anyio.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
            if not self.allow_private and not all(map(is_public, addresses)):
                _log.warning("a request to a private address was refused", host=host[:200], port=port)
                raise AddressRefusedError
            if addresses:
                return addresses
        raise OSError("the name was not found in time" if limit.cancelled_caught else "the name has no address")

    async def address(self, host: str, port: int) -> str:
        """Return the first of `addresses`.

        Raises:
            AddressRefusedError: an address of the host is not public.
            OSError: there is no such host, or the lookup took too long.
        """
        return (await self.addresses(host, port))[0]

    def transport(self, *, keep_alive: bool = True) -> httpx.AsyncBaseTransport:
        """Return a transport for httpx that connects to allowed addresses only; its client closes it.

        Args:
            keep_alive: whether connections are reused. If a server sends two answers to one request, httpcore takes the
                second for the answer to the next request on that connection; where the answer matters, each request
                therefore gets a connection of its own.
        """
        return _GuardedTransport(self, _MAX_KEEP_ALIVE if keep_alive else 0)


class _SmallReads(httpcore.AsyncNetworkStream):
    """A connection that is read in small pieces.

    All events of a piece are parsed without a pause: thousands of chunks of one byte, or of responses `100 Continue`.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(min(max_bytes, _READ_BYTES), timeout)

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()

    @override
    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _SmallReads(await self._stream.start_tls(ssl_context, server_hostname=server_hostname, timeout=timeout))

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the guard allows. TLS runs on top of the stream, with the requested name."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._guard.addresses(host, port)
        except AddressRefusedError as error:
            raise PrivateAddressError(str(error)) from None  # httpx passes its own errors on unchanged
        except OSError as error:
            raise httpcore.ConnectError(type(error).__name__) from error
        failure: Exception | None = None
        for address in addresses:
            try:
                stream = await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
                return _SmallReads(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    @override
    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


@cache
def _tls() -> ssl.SSLContext:
    """Return the TLS context of all transports. Certificate authorities are read once, since that takes some 35 ms."""
    return httpx.create_ssl_context(trust_env=False)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over another network backend, for which its constructor has no parameter."""

    def __init__(self, guard: AddressGuard, max_keep_alive: int) -> None:
        context = _tls()
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=max_keep_alive,
            keepalive_expiry=_KEEP_ALIVE_S,
            network_backend=_GuardedBackend(guard),
        )
