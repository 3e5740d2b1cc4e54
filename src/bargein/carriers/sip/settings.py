"""The settings of SIP (`BARGEIN_SIP_…`)."""

from typing import Annotated, ClassVar, Literal, cast

from pydantic import BeforeValidator
from pydantic_settings import NoDecode
from typing_extensions import override

from bargein.carriers.spec import CarrierSettings
from bargein.settings.section import (
    SettingsError,
    Switch,
    Text,
    Words,
    is_loopback,
    is_private,
    variable,
    whole_number,
    words,
)

_MOST_SIP_HEADERS = 10

SipTransport = Literal["udp", "tcp", "tls"]


def _listen(value: object) -> str:
    text = str(value).strip()
    host, _, port = text.rpartition(":")
    if text and (not host or not port.isdecimal() or not 0 < int(port) < 65535):
        raise ValueError(f"must be like 127.0.0.1:5080, not {value!r}")
    return text


def _transports(value: object) -> tuple[str, ...]:
    transports = words(value)
    if not transports or any(transport not in ("udp", "tcp", "tls") for transport in transports):
        raise ValueError("takes udp, tcp and tls, separated by commas")
    return transports


def _rtp_ports(value: object) -> tuple[int, int]:
    if isinstance(value, list | tuple):
        parts = [str(part) for part in cast("list[object]", value)]
    else:
        parts = str(value).split("-")
    if (
        len(parts) != 2
        or not all(part.isdecimal() for part in parts)
        or not 1024 <= int(parts[0]) < int(parts[1]) < 65536
    ):
        raise ValueError("must be like 10000-20000")
    return int(parts[0]), int(parts[1])


class SipSettings(CarrierSettings):
    """The SIP agent; without `BARGEIN_SIP_LISTEN` SIP is not served."""

    table: ClassVar[str] = "sip"
    title: ClassVar[str] = "SIP"

    listen: Annotated[str, BeforeValidator(_listen)] = variable("BARGEIN_SIP_LISTEN", "")
    """The address and port of the SIP agent, like `127.0.0.1:5080`; TLS is on the next port. Not set: SIP is not
    served."""

    transports: Annotated[tuple[SipTransport, ...], NoDecode, BeforeValidator(_transports)] = variable(
        "BARGEIN_SIP_TRANSPORTS", ("udp", "tcp"), shown="udp,tcp"
    )
    """The transports that it listens on, of `udp`, `tcp` and `tls`, separated by commas."""

    certificate: Text | None = variable("BARGEIN_SIP_CERTIFICATE")
    """A PEM file with the certificate's chain and key, for TLS."""

    authorities: Text | None = variable("BARGEIN_SIP_AUTHORITIES")
    """A PEM file with the authorities that trunks' certificates are verified with."""

    rtp_ports: Annotated[tuple[int, int], NoDecode, BeforeValidator(_rtp_ports)] = variable(
        "BARGEIN_SIP_RTP_PORTS", (10_000, 20_000), shown="10000-20000"
    )
    """The first and the last UDP port of audio."""

    interface: Text | None = variable("BARGEIN_SIP_INTERFACE", shown="loopback if `BARGEIN_SIP_LISTEN` is, else all")
    """The network interface, or the local address, of audio."""

    public_address: Text | None = variable("BARGEIN_SIP_PUBLIC_ADDRESS")
    """The IP address at which others reach the proxy."""

    proxy: Text | None = variable("BARGEIN_SIP_PROXY")
    """The host and port of the Kamailio in front, through which outbound calls go."""

    direct: Switch = variable("BARGEIN_SIP_DIRECT", default=False, shown="0")
    """1: there is no proxy, and everybody who reaches `BARGEIN_SIP_LISTEN` may call."""

    secret: Text | None = variable(
        "BARGEIN_SIP_SECRET", secret=True, shown="a secret kept in `sip.secret` (data folder)"
    )
    """The secret that the Kamailio in front proves itself with."""

    headers: Words = variable("BARGEIN_SIP_HEADERS", ())
    """The names of up to ten headers of an INVITE that are passed on where there is no proxy."""

    most_calls: Annotated[int, BeforeValidator(whole_number(1))] = variable("BARGEIN_SIP_MOST_CALLS", 100)
    """The number of simultaneous calls above which further calls are refused."""

    @property
    @override
    def enabled(self) -> bool:
        return bool(self.listen)

    @property
    def host(self) -> str:
        """The address that the agent listens on."""
        return self.listen.rpartition(":")[0]

    @property
    def audio_interface(self) -> str | None:
        """The interface of audio: `interface`, or else loopback if the agent listens there; None: all."""
        return self.interface or (self.host if is_loopback(self.host) else None)

    @override
    def check(self) -> None:
        if not self.enabled:
            return
        if self.direct and not is_private(self.host):
            raise SettingsError(
                "BARGEIN_SIP_DIRECT lets everybody call who reaches BARGEIN_SIP_LISTEN, so that must be one address of "
                "this machine or of a private network; else put Kamailio in front (bargein sip config)"
            )
        if "tls" in self.transports and self.certificate is None:
            raise SettingsError("BARGEIN_SIP_TRANSPORTS has tls: set BARGEIN_SIP_CERTIFICATE to a PEM file")
        if len(self.headers) > _MOST_SIP_HEADERS:
            raise SettingsError(f"BARGEIN_SIP_HEADERS takes {_MOST_SIP_HEADERS} names at most")
