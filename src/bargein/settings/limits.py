"""The limits of connections and of what the public key may do."""

import ipaddress
from functools import cache
from typing import Annotated, ClassVar

from pydantic import BeforeValidator
from typing_extensions import override

from bargein.settings.section import Section, SettingsError, Words, variable, whole_number

Count = Annotated[int, BeforeValidator(whole_number(0))]
"""A number of things; 0: no limit."""

Seconds = Annotated[int, BeforeValidator(whole_number(1))]
"""A time limit."""


_IPV6_NETWORK_BITS = 64
"""The prefix that a provider assigns to one customer (RFC 6177)."""


@cache
def _networks(texts: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(each) for each in texts)


def _optional_count(value: object) -> int | None:
    return None if value is None else whole_number(1)(value)


class LimitSettings(Section):
    """Limits of connections, of the public key and of wrong keys. 0: no limit. The private key has none of its own."""

    table: ClassVar[str] = "limits"
    title: ClassVar[str] = "Limits"

    connections: Annotated[int | None, BeforeValidator(_optional_count)] = variable(
        "BARGEIN_MAX_CONNECTIONS", shown="4096, or half of the file descriptors that the system allows, if fewer"
    )
    """Open connections to the server. A quarter of them is kept for the sockets of calls."""

    connections_per_address: Count = variable("BARGEIN_MAX_CONNECTIONS_PER_ADDRESS", 256)
    """Open connections from one address (an IPv6 network of 64 bits counts as one). Trusted proxies have no limit."""

    trusted_proxies: Words = variable(
        "BARGEIN_TRUSTED_PROXIES", ("127.0.0.1", "::1"), shown="127.0.0.1, ::1 (this machine)"
    )
    """Addresses or networks of reverse proxies. Their `X-Forwarded-For` and `X-Forwarded-Proto` are believed, and
    limits for one address apply to the addresses that they forward, not to their own."""

    head_s: Seconds = variable("BARGEIN_REQUEST_HEAD_SECONDS", 10)
    """Seconds in which the head of a request must arrive."""

    idle_s: Seconds = variable("BARGEIN_IDLE_CONNECTION_SECONDS", 5)
    """Seconds after which a connection without a further request is closed."""

    public_requests_per_minute: Count = variable("BARGEIN_PUBLIC_REQUESTS_PER_MINUTE", 240)
    """Requests of one address with the public key or a token of it. All addresses together may have ten times as many;
    the same holds for the next three."""

    public_calls_per_minute: Count = variable("BARGEIN_PUBLIC_CALLS_PER_MINUTE", 30)
    """Calls that one address may create with the public key."""

    public_chats_per_minute: Count = variable("BARGEIN_PUBLIC_CHATS_PER_MINUTE", 60)
    """Chats of one address with the public key."""

    public_bytes_per_minute: Count = variable("BARGEIN_PUBLIC_BYTES_PER_MINUTE", 10_000_000)
    """Bytes of requests' bodies that one address may send with the public key."""

    public_live_calls: Count = variable("BARGEIN_PUBLIC_LIVE_CALLS", 100)
    """Live calls that were created with the public key, in all."""

    wrong_keys_per_minute: Count = variable("BARGEIN_WRONG_KEYS_PER_MINUTE", 20)
    """Wrong keys or tokens of one address; then its requests with a key are refused until the minute is over."""

    join_s: Count = variable("BARGEIN_JOIN_SECONDS", 900)
    """Seconds in which a call over a WebSocket or from a page must be joined; then it ends
    (`customer-did-not-answer`)."""

    def counted_address(self, host: str) -> str | None:
        """Return the text under which an address is counted; None for a trusted proxy, which has no limit.

        An IPv6 address counts as its network of 64 bits, because one host may use all of that.
        """
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return host[:80]
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in _networks(self.trusted_proxies)):
            return None
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False))
        return str(address)

    @override
    def check(self) -> None:
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise SettingsError(f"BARGEIN_TRUSTED_PROXIES must be addresses or networks, not {proxy!r}") from None
