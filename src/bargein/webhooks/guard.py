"""Which addresses a request may reach that somebody's JSON causes (SSRF).

An assistant, a tool or a phone number names URLs, and this server fetches them from inside of somebody's network. So a
name is resolved here, every address it stands for is looked at, and the connection goes to an address that was looked
at: a name that answers differently a moment later (DNS rebinding) changes nothing. TLS still proves the name.
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

from bargein.errors import BargeinError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, section 2.5.5.1: out of use, and still routed by some
_LOOK_UP_S = 5.0
_KEPT_ALIVE_S = 30.0
_MOST_KEPT_ALIVE = 200

_log = structlog.get_logger("bargein.webhooks")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefusedError(BargeinError, OSError):
    """A host is no public address, and the settings allow no other. The text names no address."""

    def __init__(self) -> None:
        super().__init__("its address is private, which BARGEIN_ALLOW_PRIVATE_ADDRESSES does not allow")


class PrivateAddressError(BargeinError, httpx.ConnectError):
    """The same, as a client of httpx meets it: a kind of failure to connect."""


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, in whatever way an IPv6 address wraps it.

    Private, loopback, link-local (where clouds keep their metadata), multicast, reserved and unspecified ones are not.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(one.is_global and not one.is_multicast for one in _meant(found))


def _meant(address: _Address) -> Iterable[_Address]:
    """The address, and the IPv4 address that it may be another spelling of."""
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
    """Looks names up and lets public addresses pass.

    Args:
        allow_private: let every address pass (`BARGEIN_ALLOW_PRIVATE_ADDRESSES`).
    """

    def __init__(self, *, allow_private: bool) -> None:
        self.allow_private = allow_private

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses that a host may be connected to at, in the resolver's order.

        Raises:
            AddressRefusedError: one of them is not public, and only such are allowed. A name that has both kinds is
                refused whole: nobody needs one.
            OSError: there is no such host, or nobody could say in time.
        """
        with anyio.move_on_after(_LOOK_UP_S) as limit:
            found = await anyio.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
            if not self.allow_private and not all(map(is_public, addresses)):
                _log.warning("a request to a private address was refused", host=host[:200], port=port)
                raise AddressRefusedError
            if addresses:
                return addresses
        raise OSError("the name was not found in time" if limit.cancelled_caught else "the name has no address")

    async def address(self, host: str, port: int) -> str:
        """The first of `addresses`.

        Raises:
            AddressRefusedError: see there.
            OSError: see there.
        """
        return (await self.addresses(host, port))[0]

    def transport(self, *, keep_alive: bool = True) -> httpx.AsyncBaseTransport:
        """A transport for httpx that connects to allowed addresses only; its client closes it.

        Args:
            keep_alive: whether a connection is used again. A server that answers a request twice in one breath has its
                second answer taken for that of the next request (httpcore keeps what it read): where the answer
                matters and no protocol tells it apart, each request gets a connection of its own.
        """
        return _GuardedTransport(self, _MOST_KEPT_ALIVE if keep_alive else 0)


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to what the guard lets pass. TLS comes on top of the stream, with the name that was asked for."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._guard.addresses(host, port)
        except AddressRefusedError as error:
            raise PrivateAddressError(str(error)) from None  # httpx lets its own errors pass
        except OSError as error:
            raise httpcore.ConnectError(type(error).__name__) from error
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


@cache
def _tls() -> ssl.SSLContext:
    """What all transports of the process trust. The authorities are read once: it takes longer than all else here."""
    return httpx.create_ssl_context(trust_env=False)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own, over another network backend, for which its constructor has no parameter."""

    def __init__(self, guard: AddressGuard, most_kept_alive: int) -> None:
        context = _tls()
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=most_kept_alive,
            keepalive_expiry=_KEPT_ALIVE_S,
            network_backend=_GuardedBackend(guard),
        )
