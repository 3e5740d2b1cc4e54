"""One frozen object, read once. Nothing else in the package reads the environment."""

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from bargein.errors import BargeinError

DEFAULT_PORT = 8700
MIN_SECRET_KEY_CHARS = 32
_MOST_SIP_HEADERS = 10
_TELEPHONE_HZ = 8_000


class SettingsError(BargeinError, ValueError):
    """The settings contradict each other or open the server to strangers; the text says what to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipSettings:
    """How SIP is served; without `BARGEIN_SIP_LISTEN` it is not.

    Attributes:
        listen: address and port of the SIP agent (`BARGEIN_SIP_LISTEN`, `127.0.0.1:5080`); TLS is on the next port.
        transports: that it listens on (`BARGEIN_SIP_TRANSPORTS`, of udp, tcp and tls, separated by commas).
        certificate: a PEM file with chain and key, for TLS (`BARGEIN_SIP_CERTIFICATE`).
        authorities: a PEM file with what trunks' certificates are checked against (`BARGEIN_SIP_AUTHORITIES`).
        rtp_ports: first and last UDP port of audio (`BARGEIN_SIP_RTP_PORTS`, `10000-20000`).
        interface: network interface, or local address, of audio (`BARGEIN_SIP_INTERFACE`); loopback if `listen` is.
        public_address: the IP address that the world reaches the proxy by (`BARGEIN_SIP_PUBLIC_ADDRESS`).
        proxy: host and port of the Kamailio in front, which calls go out through (`BARGEIN_SIP_PROXY`).
        direct: there is no proxy: whoever reaches `listen` may call (`BARGEIN_SIP_DIRECT`, 1 or 0).
        secret: that Kamailio proves itself with (`BARGEIN_SIP_SECRET`); not set: one is kept in `sip.secret` in the
            data folder.
        headers: of an INVITE that are passed on without a proxy; at most ten (`BARGEIN_SIP_HEADERS`, names).
        most_calls: more calls at once are refused (`BARGEIN_SIP_MOST_CALLS`).
    """

    listen: str = "127.0.0.1:5080"
    transports: tuple[Literal["udp", "tcp", "tls"], ...] = ("udp", "tcp")
    certificate: str | None = None
    authorities: str | None = None
    rtp_ports: tuple[int, int] = (10_000, 20_000)
    interface: str | None = None
    public_address: str | None = None
    proxy: str | None = None
    direct: bool = False
    secret: str | None = field(default=None, repr=False)
    headers: tuple[str, ...] = ()
    most_calls: int = 100

    @property
    def host(self) -> str:
        """The address that is listened on."""
        return self.listen.rpartition(":")[0]

    def check(self) -> None:
        """Refuse settings that cannot work, or that let strangers in.

        Raises:
            SettingsError: what to set instead.
        """
        if self.direct and not _is_private(self.host):
            raise SettingsError(
                "BARGEIN_SIP_DIRECT lets everybody call who reaches BARGEIN_SIP_LISTEN, so that must be one address of "
                "this machine or of a private network; else put Kamailio in front (bargein sip config)"
            )
        if "tls" in self.transports and self.certificate is None:
            raise SettingsError("BARGEIN_SIP_TRANSPORTS has tls: set BARGEIN_SIP_CERTIFICATE to a PEM file")
        if len(self.headers) > _MOST_SIP_HEADERS:
            raise SettingsError(f"BARGEIN_SIP_HEADERS takes {_MOST_SIP_HEADERS} names at most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a person can set from outside.

    Attributes:
        host: address to listen on (`bargein serve --host`).
        port: TCP port to listen on; 0 lets the system choose.
        data_dir: folder for the database and the journals (`BARGEIN_DATA_DIR`).
        database_url: a Postgres database instead of a file in that folder (`BARGEIN_DATABASE_URL`,
            `postgresql://user:password@host/name`, with `sslmode` and the like after a question mark).
        database_wait_s: how long a database that cannot be reached is waited for when the server starts.
        api_key: the private bearer key (`BARGEIN_API_KEY`): opens everything.
        public_key: the public bearer key (`BARGEIN_PUBLIC_KEY`): opens `POST /call/web` alone.
        public_url: how the world reaches this server, when a proxy stands before it (`BARGEIN_PUBLIC_URL`).
        openai_api_key: key for model provider `openai` (`OPENAI_API_KEY`).
        openai_base_url: any OpenAI-compatible server (`OPENAI_BASE_URL`).
        secret_keys: what credentials and other secrets are encrypted with at rest (`BARGEIN_SECRET_KEY`; several,
            separated by commas: the first encrypts, all decrypt). With none set a key is kept in `secret.key` in the
            data folder.
        server_url: where server messages go of calls whose assistant and phone number name no server
            (`BARGEIN_SERVER_URL`; Vapi's org server).
        server_secret: sent there as `X-Vapi-Secret` (`BARGEIN_SERVER_SECRET`).
        allow_private_addresses: whether an assistant, a tool or a phone number may name URLs in private networks and on
            this machine (`BARGEIN_ALLOW_PRIVATE_ADDRESSES`, 1 or 0). Not set: yes while the server is open to loopback
            only, and no otherwise.
        vonage_api_key: of a Vonage account, for phone numbers whose credential lacks something (`VONAGE_API_KEY`); the
            next four go with it.
        vonage_api_secret: opens that account (`VONAGE_API_SECRET`).
        vonage_application_id: the application whose calls are made (`VONAGE_APPLICATION_ID`).
        vonage_private_key: of that application, in PEM; a backslash and an n may stand for a new line
            (`VONAGE_PRIVATE_KEY`).
        vonage_signature_secret: what that account signs webhooks with (`VONAGE_SIGNATURE_SECRET`).
        vonage_api_url: a server that stands in for all of Vonage's API hosts (`VONAGE_API_URL`).
        telnyx_api_key: for phone numbers of Telnyx's that name no credential (`TELNYX_API_KEY`).
        telnyx_public_key: what Telnyx's webhooks for them are checked with, base64 (`TELNYX_PUBLIC_KEY`).
        telnyx_api_url: another address of Telnyx's API (`TELNYX_API_URL`).
        telnyx_byte_order: of the 16-bit samples in Telnyx's media frames, little or big (`BARGEIN_TELNYX_BYTE_ORDER`).
        sip: how SIP is served (`BARGEIN_SIP_…`); None: it is not.
        echo_cancellation: in which calls the assistant's own voice is taken out of what is heard: in none, in those at
            8 kHz, or in all (`BARGEIN_ECHO_CANCELLATION`: off, telephone or all). Needs the extra `echo`.
        early_replies: whether a model may be asked before it is certain that the caller has finished
            (`BARGEIN_EARLY_REPLIES`, 1 or 0; docs/reference/endpointing.md).
        turn_model: what judges a caller's pauses: `embedded`, or `smart-turn` of the extra of that name
            (`BARGEIN_TURN_MODEL`).
        twilio_account_sid: for phone numbers of that account that bring no token of their own (`TWILIO_ACCOUNT_SID`).
        twilio_auth_token: proves to Twilio who we are, and to us that a webhook is Twilio's (`TWILIO_AUTH_TOKEN`).
        twilio_api_url: another address of Twilio's API (`TWILIO_API_URL`), as of a region.
        log_level: debug, info, warning or error (`BARGEIN_LOG_LEVEL`).
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    data_dir: Path = Path(".bargein")
    database_url: str | None = field(default=None, repr=False)
    database_wait_s: float = 30.0
    api_key: str | None = field(default=None, repr=False)
    public_key: str | None = field(default=None, repr=False)
    public_url: str | None = None
    openai_api_key: str | None = field(default=None, repr=False)
    openai_base_url: str | None = None
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    server_url: str | None = None
    server_secret: str | None = field(default=None, repr=False)
    allow_private_addresses: bool | None = None
    vonage_api_key: str | None = None
    vonage_api_secret: str | None = field(default=None, repr=False)
    vonage_application_id: str | None = None
    vonage_private_key: str | None = field(default=None, repr=False)
    vonage_signature_secret: str | None = field(default=None, repr=False)
    vonage_api_url: str | None = None
    telnyx_api_key: str | None = field(default=None, repr=False)
    telnyx_public_key: str | None = None
    telnyx_api_url: str | None = None
    telnyx_byte_order: Literal["little", "big"] = "little"
    sip: SipSettings | None = None
    echo_cancellation: Literal["off", "telephone", "all"] = "off"
    early_replies: bool = True
    turn_model: Literal["embedded", "smart-turn"] = "embedded"
    twilio_account_sid: str | None = None
    twilio_auth_token: str | None = field(default=None, repr=False)
    twilio_api_url: str | None = None
    log_level: str = "info"

    def cancels_echo(self, rate_hz: int) -> bool:
        """Whether a call whose audio has `rate_hz` has its echo cancelled."""
        return self.echo_cancellation == "all" or (self.echo_cancellation == "telephone" and rate_hz == _TELEPHONE_HZ)

    @property
    def database_password(self) -> str | None:
        """The password in `database_url`, which must not get into a log."""
        return None if self.database_url is None else urlsplit(self.database_url).password

    @property
    def private_addresses_allowed(self) -> bool:
        """Whether requests that others' JSON causes may go to addresses that are not the internet's."""
        if self.allow_private_addresses is None:
            return self.open_to_loopback_only
        return self.allow_private_addresses

    @property
    def server(self) -> dict[str, str] | None:
        """The server of the whole installation, as Vapi's JSON has one."""
        if self.server_url is None:
            return None
        secret = {} if self.server_secret is None else {"secret": self.server_secret}
        return {"url": self.server_url, **secret}

    @property
    def vonage_credential(self) -> dict[str, str] | None:
        """The Vonage account of the environment, as a credential without what is not set; None if nothing is."""
        fields = {
            "apiKey": self.vonage_api_key,
            "apiSecret": self.vonage_api_secret,
            "vonageApplicationId": self.vonage_application_id,
            "vonageApplicationPrivateKey": self.vonage_private_key,
            "signatureSecret": self.vonage_signature_secret,
        }
        found = {name: value for name, value in fields.items() if value is not None}
        return {"provider": "vonage", **found} if found else None

    @property
    def open_to_loopback_only(self) -> bool:
        """With no key set, everyone on this machine may do everything, and nobody else anything."""
        return self.api_key is None

    def check(self) -> None:
        """Refuse settings under which a stranger could use the server.

        Raises:
            SettingsError: the address is not loopback and there is no private key, the database cannot be used, or a
                key is too short.
        """
        if not is_loopback(self.host) and self.api_key is None:
            raise SettingsError(
                f"{self.host} is not a loopback address: set BARGEIN_API_KEY (and BARGEIN_PUBLIC_KEY for browsers) "
                "before listening there, or listen on 127.0.0.1"
            )
        if any(len(key) < MIN_SECRET_KEY_CHARS for key in self.secret_keys):
            raise SettingsError(f"each key in BARGEIN_SECRET_KEY must have at least {MIN_SECRET_KEY_CHARS} characters")
        if self.server_url is not None and not self.server_url.lower().startswith(("http://", "https://")):
            raise SettingsError("BARGEIN_SERVER_URL must be an http or https URL")
        if self.public_key is not None and self.public_key == self.api_key:
            raise SettingsError(
                "BARGEIN_PUBLIC_KEY must differ from BARGEIN_API_KEY: browsers get to see the public one"
            )


def _database_url(value: str | None) -> str | None:
    """A URL as libpq takes it; other tools' names for the same are taken too.

    Raises:
        SettingsError: it is none, or there is nothing installed to use it with. The text does not hold it.
    """
    if value is None:
        return None
    scheme, separator, rest = value.partition("://")
    if scheme not in ("postgresql", "postgres", "postgresql+asyncpg") or not separator:
        raise SettingsError("BARGEIN_DATABASE_URL must be like postgresql://user:password@host:5432/name")
    if find_spec("asyncpg") is None:
        raise SettingsError("BARGEIN_DATABASE_URL needs a driver: python -m pip install 'bargein[postgres]'")
    return f"postgresql://{rest}"


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def from_environment(
    environ: Mapping[str, str] | None = None, *, host: str | None = None, port: int | None = None
) -> Settings:
    """Read the settings; `host` and `port` come from the command line and go before the environment."""
    env = os.environ if environ is None else environ

    def text(name: str) -> str | None:
        return env.get(name, "").strip() or None

    settings = Settings(
        host=host or text("BARGEIN_HOST") or "127.0.0.1",
        port=port if port is not None else _port(text("BARGEIN_PORT")),
        data_dir=Path(text("BARGEIN_DATA_DIR") or ".bargein"),
        database_url=_database_url(text("BARGEIN_DATABASE_URL")),
        api_key=text("BARGEIN_API_KEY"),
        public_key=text("BARGEIN_PUBLIC_KEY"),
        public_url=(text("BARGEIN_PUBLIC_URL") or "").rstrip("/") or None,
        openai_api_key=text("OPENAI_API_KEY"),
        openai_base_url=text("OPENAI_BASE_URL"),
        secret_keys=tuple(key.strip() for key in (text("BARGEIN_SECRET_KEY") or "").split(",") if key.strip()),
        server_url=text("BARGEIN_SERVER_URL"),
        server_secret=text("BARGEIN_SERVER_SECRET"),
        allow_private_addresses=_switch("BARGEIN_ALLOW_PRIVATE_ADDRESSES", text("BARGEIN_ALLOW_PRIVATE_ADDRESSES")),
        vonage_api_key=text("VONAGE_API_KEY"),
        vonage_api_secret=text("VONAGE_API_SECRET"),
        vonage_application_id=text("VONAGE_APPLICATION_ID"),
        vonage_private_key=text("VONAGE_PRIVATE_KEY"),
        vonage_signature_secret=text("VONAGE_SIGNATURE_SECRET"),
        vonage_api_url=(text("VONAGE_API_URL") or "").rstrip("/") or None,
        telnyx_api_key=text("TELNYX_API_KEY"),
        telnyx_public_key=text("TELNYX_PUBLIC_KEY"),
        telnyx_api_url=(text("TELNYX_API_URL") or "").rstrip("/") or None,
        telnyx_byte_order=_byte_order(text("BARGEIN_TELNYX_BYTE_ORDER")),
        sip=_sip(text),
        echo_cancellation=_echo_cancellation(text("BARGEIN_ECHO_CANCELLATION")),
        early_replies=_switch("BARGEIN_EARLY_REPLIES", text("BARGEIN_EARLY_REPLIES")) is not False,
        turn_model=_turn_model(text("BARGEIN_TURN_MODEL")),
        twilio_account_sid=text("TWILIO_ACCOUNT_SID"),
        twilio_auth_token=text("TWILIO_AUTH_TOKEN"),
        twilio_api_url=(text("TWILIO_API_URL") or "").rstrip("/") or None,
        log_level=(text("BARGEIN_LOG_LEVEL") or "info").lower(),
    )
    settings.check()
    return settings


def _sip(text: Callable[[str], str | None]) -> SipSettings | None:
    """How SIP is served.

    Raises:
        SettingsError: something is not what it should be.
    """
    listen = text("BARGEIN_SIP_LISTEN")
    if listen is None:
        return None
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65535:
        raise SettingsError(f"BARGEIN_SIP_LISTEN must be like 127.0.0.1:5080, not {listen!r}")
    transports = _words(text("BARGEIN_SIP_TRANSPORTS") or "udp,tcp")
    if not transports or any(transport not in ("udp", "tcp", "tls") for transport in transports):
        raise SettingsError("BARGEIN_SIP_TRANSPORTS takes udp, tcp and tls, separated by commas")
    ports = (text("BARGEIN_SIP_RTP_PORTS") or "10000-20000").split("-")
    if (
        len(ports) != 2
        or not all(part.isdecimal() for part in ports)
        or not 1024 <= int(ports[0]) < int(ports[1]) < 65536
    ):
        raise SettingsError("BARGEIN_SIP_RTP_PORTS must be like 10000-20000")
    settings = SipSettings(
        listen=listen,
        transports=cast('tuple[Literal["udp", "tcp", "tls"], ...]', transports),
        certificate=text("BARGEIN_SIP_CERTIFICATE"),
        authorities=text("BARGEIN_SIP_AUTHORITIES"),
        rtp_ports=(int(ports[0]), int(ports[1])),
        interface=text("BARGEIN_SIP_INTERFACE") or (host if is_loopback(host) else None),
        public_address=text("BARGEIN_SIP_PUBLIC_ADDRESS"),
        proxy=text("BARGEIN_SIP_PROXY"),
        direct=_switch("BARGEIN_SIP_DIRECT", text("BARGEIN_SIP_DIRECT")) or False,
        secret=text("BARGEIN_SIP_SECRET"),
        headers=_words(text("BARGEIN_SIP_HEADERS") or ""),
        most_calls=_number("BARGEIN_SIP_MOST_CALLS", text("BARGEIN_SIP_MOST_CALLS"), 100),
    )
    settings.check()
    return settings


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _number(name: str, value: str | None, default: int) -> int:
    if value is None:
        return default
    if not value.isdecimal() or int(value) < 1:
        raise SettingsError(f"{name} must be a number from 1 on, not {value!r}")
    return int(value)


def _is_private(host: str) -> bool:
    """Whether only this machine, or a private network, can reach `host`; no address stands for all of a machine's."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return is_loopback(host)
    return address.is_private and not address.is_unspecified


def _echo_cancellation(value: str | None) -> Literal["off", "telephone", "all"]:
    """Which calls have their echo cancelled.

    Raises:
        SettingsError: that is no answer, or there is nothing installed to do it with.
    """
    wanted = (value or "off").lower()
    if wanted not in ("off", "telephone", "all"):
        raise SettingsError(f"BARGEIN_ECHO_CANCELLATION is off, telephone or all, not {value!r}")
    if wanted != "off" and find_spec("pywebrtc_audio") is None:
        raise SettingsError("BARGEIN_ECHO_CANCELLATION needs a package: python -m pip install 'bargein[echo]'")
    return wanted


def _switch(name: str, value: str | None) -> bool | None:
    if value is None:
        return None
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{name} must be 1 or 0, not {value!r}")


def _byte_order(value: str | None) -> Literal["little", "big"]:
    match (value or "little").lower():
        case "little":
            return "little"
        case "big":
            return "big"
        case _:
            raise SettingsError(f"BARGEIN_TELNYX_BYTE_ORDER must be little or big, not {value!r}")


def _turn_model(value: str | None) -> Literal["embedded", "smart-turn"]:
    match value:
        case None | "embedded":
            return "embedded"
        case "smart-turn":
            if find_spec("pipecat") is None:
                raise SettingsError("BARGEIN_TURN_MODEL=smart-turn needs: python -m pip install 'bargein[smart-turn]'")
            return "smart-turn"
        case _:
            raise SettingsError(f"BARGEIN_TURN_MODEL must be embedded or smart-turn, not {value!r}")


def _port(value: str | None) -> int:
    if value is None:
        return DEFAULT_PORT
    if not value.isdecimal() or int(value) > 65535:
        raise SettingsError(f"BARGEIN_PORT must be a number from 0 to 65535, not {value!r}")
    return int(value)
