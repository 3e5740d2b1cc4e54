"""The limits of connections and of what the public key may do."""

import ipaddress
from typing import Annotated, ClassVar

from pydantic import BeforeValidator
from typing_extensions import override

from bargein.settings.section import Section, SettingsError, Words, variable, whole_number

Count = Annotated[int, BeforeValidator(whole_number(0))]
"""A number of things; 0: no limit."""

Seconds = Annotated[int, BeforeValidator(whole_number(1))]
"""A time limit."""


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

    @override
    def check(self) -> None:
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise SettingsError(f"BARGEIN_TRUSTED_PROXIES must be addresses or networks, not {proxy!r}") from None
