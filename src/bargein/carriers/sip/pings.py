"""Pings of gateways (OPTIONS, RFC 3261), for those that have `optionsPingEnabled`.

An outbound call skips a gateway that did not respond, instead of waiting for it.
"""

import secrets
import ssl
from collections.abc import Mapping

import anyio
import structlog
from anyio.abc import ConnectedUDPSocket, SocketStream
from anyio.streams.tls import TLSStream

from bargein.carriers.interface import PhoneLine
from bargein.carriers.sip.trunk import outbound_gateways, route_to
from bargein.wire.base import JsonObject

EVERY_S = 30.0
_ANSWER_S = 2.0
_TRIES = 3

_log = structlog.get_logger("bargein.carriers.sip")


class Pings:
    """The pings, and their results.

    Args:
        authorities: a PEM file with the authorities that gateways' certificates are verified with; None: the system's.
    """

    def __init__(self, authorities: str | None) -> None:
        self._authorities = authorities
        self._responds: dict[tuple[str, str], bool] = {}

    def responds(self, gateway: JsonObject) -> bool:
        """Return whether a gateway responded to its last ping; True for one that is never pinged."""
        way = route_to(gateway, None)
        return not gateway.get("optionsPingEnabled") or self._responds.get((way.host, way.transport), True)

    async def ping(self, phone_lines: Mapping[str, PhoneLine]) -> None:
        """Ping every gateway that has `optionsPingEnabled`."""
        wanted = {
            (way.host, way.transport)
            for phone_line in phone_lines.values()
            for gateway in outbound_gateways(phone_line.credential)
            if gateway.get("optionsPingEnabled")
            for way in (route_to(gateway, None),)
        }
        for gone in self._responds.keys() - wanted:
            del self._responds[gone]
        async with anyio.create_task_group() as tasks:
            for host, transport in wanted:
                tasks.start_soon(self._ping, host, transport)

    async def _ping(self, host: str, transport: str) -> None:
        found = await self._responds_now(host, transport)
        if self._responds.get((host, transport), True) != found:
            _log.warning("a SIP gateway responds again" if found else "a SIP gateway does not respond", gateway=host)
        self._responds[host, transport] = found

    async def _responds_now(self, host: str, transport: str) -> bool:
        name, _, port = host.rpartition(":")
        for _ in range(_TRIES):
            try:
                with anyio.fail_after(_ANSWER_S):
                    if transport == "udp":
                        async with await anyio.create_connected_udp_socket(name, int(port)) as datagrams:
                            await datagrams.send(_options(host, transport, _port_of(datagrams)))
                            return (await datagrams.receive()).startswith(b"SIP/2.0 ")
                    async with await self._connected(name, int(port), transport) as stream:
                        await stream.send(_options(host, transport, _port_of(stream)))
                        return (await stream.receive(8)).startswith(b"SIP/2.0 ")
            except (OSError, TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
                continue
        return False

    async def _connected(self, name: str, port: int, transport: str) -> SocketStream | TLSStream:
        if transport == "tcp":
            return await anyio.connect_tcp(name, port)
        context = ssl.create_default_context(cafile=self._authorities)
        return await anyio.connect_tcp(name, port, ssl_context=context, tls_standard_compatible=False)


def _port_of(way: ConnectedUDPSocket | SocketStream | TLSStream) -> str:
    local = way.extra(anyio.abc.SocketAttribute.local_address)  # noqa: S610  # this `extra` is anyio's, not Django's
    return f"{local[0]}:{local[1]}"


def _options(host: str, transport: str, local: str) -> bytes:
    return (
        f"OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/{transport.upper()} {local};rport;branch=z9hG4bK"
        f"{secrets.token_hex(8)}\r\nFrom: <sip:ping@{local}>;tag={secrets.token_hex(4)}\r\nTo: <sip:{host}>\r\n"
        f"Call-ID: {secrets.token_hex(12)}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()
