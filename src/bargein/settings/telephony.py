"""The settings of the telephone carriers."""

from typing import Annotated, ClassVar, Literal, cast

from pydantic import BeforeValidator
from pydantic_settings import NoDecode
from typing_extensions import override

from bargein.settings.section import (
    BaseUrl,
    Section,
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


class TwilioSettings(Section):
    """The Twilio account of phone numbers that bring no token of their own."""

    table: ClassVar[str] = "twilio"
    title: ClassVar[str] = "Twilio"

    account_sid: Text | None = variable("TWILIO_ACCOUNT_SID")
    """The account whose phone numbers need no token of their own."""

    auth_token: Text | None = variable("TWILIO_AUTH_TOKEN", secret=True)
    """That account's token: it authenticates requests to Twilio and verifies the signatures of Twilio's webhooks."""

    api_url: BaseUrl = variable("TWILIO_API_URL", shown="Twilio's own")
    """Another address of Twilio's API, as of a region."""

    @property
    def credential(self) -> dict[str, str] | None:
        """The account as a credential; None unless both are set."""
        if not self.account_sid or not self.auth_token:
            return None
        return {"provider": "twilio", "accountSid": self.account_sid, "authToken": self.auth_token}


def _byte_order(value: object) -> object:
    wanted = str(value).strip().lower()
    if wanted not in ("little", "big"):
        raise ValueError(f"must be little or big, not {value!r}")
    return wanted


class TelnyxSettings(Section):
    """The Telnyx account of phone numbers that name no credential."""

    table: ClassVar[str] = "telnyx"
    title: ClassVar[str] = "Telnyx"

    api_key: Text | None = variable("TELNYX_API_KEY", secret=True)
    """The API key for phone numbers that name no credential."""

    public_key: Text | None = variable("TELNYX_PUBLIC_KEY")
    """The key that the signatures of Telnyx's webhooks for those numbers are verified with, base64."""

    api_url: BaseUrl = variable("TELNYX_API_URL", shown="Telnyx's own")
    """Another address of Telnyx's API."""

    byte_order: Annotated[Literal["little", "big"], BeforeValidator(_byte_order)] = variable(
        "BARGEIN_TELNYX_BYTE_ORDER", "little"
    )
    """The byte order of the 16-bit samples in Telnyx's media frames: `little` or `big`."""

    @property
    def credential(self) -> dict[str, str | None] | None:
        """The account as a credential; None if nothing is set."""
        if not self.api_key and not self.public_key:
            return None
        return {"provider": "telnyx", "apiKey": self.api_key, "publicKey": self.public_key}


class VonageSettings(Section):
    """The Vonage account of phone numbers whose credential lacks something."""

    table: ClassVar[str] = "vonage"
    title: ClassVar[str] = "Vonage"

    api_key: Text | None = variable("VONAGE_API_KEY")
    """The API key that names the account, for phone numbers whose credential lacks something."""

    api_secret: Text | None = variable("VONAGE_API_SECRET", secret=True)
    """The secret of that API key."""

    application_id: Text | None = variable("VONAGE_APPLICATION_ID")
    """The application whose calls are made and answered."""

    private_key: Text | None = variable("VONAGE_PRIVATE_KEY", secret=True)
    r"""The private key of that application, in PEM; `\n` may stand for a line's end."""

    signature_secret: Text | None = variable("VONAGE_SIGNATURE_SECRET", secret=True)
    """The secret that the account signs its webhooks with."""

    api_url: BaseUrl = variable("VONAGE_API_URL", shown="Vonage's own")
    """A server that stands in for all of Vonage's API hosts."""

    @property
    def credential(self) -> dict[str, str] | None:
        """The account as a credential with the fields that are set; None if nothing is set."""
        fields = {
            "apiKey": self.api_key,
            "apiSecret": self.api_secret,
            "vonageApplicationId": self.application_id,
            "vonageApplicationPrivateKey": self.private_key,
            "signatureSecret": self.signature_secret,
        }
        found = {name: value for name, value in fields.items() if value is not None}
        return {"provider": "vonage", **found} if found else None


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


class SipSettings(Section):
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
    def is_served(self) -> bool:
        """True if SIP is served."""
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
        if not self.is_served:
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


TELEPHONY_SECTIONS: tuple[type[Section], ...] = (TwilioSettings, TelnyxSettings, VonageSettings, SipSettings)
