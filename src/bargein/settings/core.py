"""The settings of the server itself, and the object that holds all sections."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Annotated, ClassVar, Literal, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator
from typing_extensions import override

from bargein.settings.limits import LimitSettings
from bargein.settings.section import (
    BaseUrl,
    OptionalSwitch,
    Section,
    SettingsError,
    Switch,
    Text,
    Words,
    is_loopback,
    spellings,
    variable,
    whole_number,
)

DEFAULT_PORT = 8700
MIN_SECRET_KEY_CHARS = 32
_CANCELLER = "pywebrtc_audio"
_CODE_RUNTIMES = ("deno", "bun", "node")

SectionT = TypeVar("SectionT", bound=Section)


class ServerSettings(Section):
    """The address that the server listens on, and the addresses that it may reach."""

    table: ClassVar[str] = "server"
    title: ClassVar[str] = "Server"

    host: Text = variable("BARGEIN_HOST", "127.0.0.1")
    """The address to listen on (also `bargein serve --host`). Any other than loopback needs `BARGEIN_API_KEY`."""

    port: Annotated[int, BeforeValidator(whole_number(0, 65535))] = variable("BARGEIN_PORT", DEFAULT_PORT)
    """The TCP port to listen on (also `bargein serve --port`); 0 lets the system choose."""

    public_url: BaseUrl = variable("BARGEIN_PUBLIC_URL", unset="not set: addresses are made from each request's Host")
    """The URL at which others reach this server, where a proxy stands before it. Telephone calls need it."""

    allow_private_addresses: OptionalSwitch = variable(
        "BARGEIN_ALLOW_PRIVATE_ADDRESSES", shown="1 without `BARGEIN_API_KEY`, else 0"
    )
    """1: an assistant, a tool or a phone number may name URLs in private networks and on this machine."""


class KeySettings(Section):
    """The keys that clients prove themselves with, and the keys that stored data is encrypted with."""

    table: ClassVar[str] = "keys"
    title: ClassVar[str] = "Keys"

    api_key: Text | None = variable(
        "BARGEIN_API_KEY", secret=True, unset="not set: the server answers to this machine alone"
    )
    """The private bearer key, which opens every route. Not set: the server answers to this machine alone."""

    public_key: Text | None = variable(
        "BARGEIN_PUBLIC_KEY", secret=True, unset="not set: no page can call without the private key"
    )
    """The public bearer key, for browsers: it opens `POST /call/web` and `POST /chat/web` alone, with
    limits (see [Security](security.md))."""

    secret_keys: Words = variable(
        "BARGEIN_SECRET_KEY", (), secret=True, shown="a key kept in `secret.key` (data folder)"
    )
    """The key that encrypts resources, calls and their secrets at rest, of 32 characters or more. Several may be
    separated by commas: the first encrypts, all decrypt."""

    @override
    def check(self) -> None:
        if any(len(key) < MIN_SECRET_KEY_CHARS for key in self.secret_keys):
            raise SettingsError(f"each key in BARGEIN_SECRET_KEY must have at least {MIN_SECRET_KEY_CHARS} characters")
        if self.public_key is not None and self.public_key == self.api_key:
            raise SettingsError(
                "BARGEIN_PUBLIC_KEY must differ from BARGEIN_API_KEY: browsers get to see the public one"
            )


def _database_url(value: object) -> str | None:
    """Return a URL as libpq takes it; other tools' schemes for Postgres are accepted.

    Raises:
        SettingsError: the value is no such URL, or no driver is installed. The text does not quote the value.
    """
    if value is None:
        return None
    scheme, separator, rest = str(value).strip().partition("://")
    if scheme not in ("postgresql", "postgres", "postgresql+asyncpg") or not separator:
        raise SettingsError("BARGEIN_DATABASE_URL must be like postgresql://user:password@host:5432/name")
    if find_spec("asyncpg") is None:
        raise SettingsError("BARGEIN_DATABASE_URL needs a driver: python -m pip install 'bargein[postgres]'")
    return f"postgresql://{rest}"


class StorageSettings(Section):
    """The data folder and the database."""

    table: ClassVar[str] = "storage"
    title: ClassVar[str] = "Storage"

    data_dir: Path = variable("BARGEIN_DATA_DIR", Path(".bargein"))
    """The folder of the database, the journals, recordings and uploaded files."""

    database_url: Annotated[str | None, BeforeValidator(_database_url)] = variable(
        "BARGEIN_DATABASE_URL", secret=True, shown="`bargein.db` in the data folder"
    )
    """A Postgres database: `postgresql://user:password@host/name`, with `sslmode` and the like after a question mark.
    Needs the extra `postgres`."""

    database_wait_s: float = variable(None, 30.0, shown="30")
    """How many seconds the server waits at its start for a database that it cannot reach."""

    @override
    def secrets(self) -> Iterator[str]:
        """Yield the database's password as the URL has it, and decoded; the rest of the URL is no secret."""
        password = None if self.database_url is None else urlsplit(self.database_url).password
        if password:
            yield password
            yield from spellings(unquote(password))


class WebhookSettings(Section):
    """The owner's server for calls that name none, which is Vapi's org server."""

    table: ClassVar[str] = "webhooks"
    title: ClassVar[str] = "Webhooks"

    server_url: Text | None = variable("BARGEIN_SERVER_URL")
    """The address for server messages of calls whose assistant and phone number name no server (Vapi's org server)."""

    server_secret: Text | None = variable("BARGEIN_SERVER_SECRET", secret=True)
    """Sent to that server in the header `X-Vapi-Secret`."""

    @override
    def check(self) -> None:
        if self.server_url is not None and not self.server_url.lower().startswith(("http://", "https://")):
            raise SettingsError("BARGEIN_SERVER_URL must be an http or https URL")

    @property
    def server(self) -> dict[str, str] | None:
        """The server as a `server` object of Vapi's JSON; None if there is none."""
        if self.server_url is None:
            return None
        secret = {} if self.server_secret is None else {"secret": self.server_secret}
        return {"url": self.server_url, **secret}


EchoCancellation = Literal["off", "auto", "on"]
TurnModel = Literal["embedded", "smart-turn"]


def _echo_cancellation(value: object) -> EchoCancellation:
    wanted = str(value).strip().lower()
    if wanted == "on" and find_spec(_CANCELLER) is None:
        raise SettingsError(
            "BARGEIN_ECHO_CANCELLATION=on needs a package, which is not installed: "
            "python -m pip install pywebrtc-audio==0.2.0"
        )
    match wanted:
        case "off" | "auto" | "on":
            return wanted
        case _:
            raise SettingsError(f"BARGEIN_ECHO_CANCELLATION is off, auto or on, not {value!r}")


def _denoiser(value: object) -> str | None:
    if value is None or not str(value).strip():
        return None
    module, _, factory = str(value).strip().partition(":")
    if not (factory.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise SettingsError("BARGEIN_DENOISER must be like my_package.denoising:create")
    return f"{module}:{factory}"


def _code_runtime(value: object) -> str | None:
    if value is None or not str(value).strip():
        return None
    path = which(str(value).strip())
    if path is None or Path(path).stem.lower() not in _CODE_RUNTIMES:
        raise SettingsError("BARGEIN_CODE_RUNTIME must be deno, bun or node, or the path of one that is installed")
    return path


def _turn_model(value: object) -> TurnModel:
    match value:
        case "embedded":
            return "embedded"
        case "smart-turn":
            if find_spec("pipecat") is None:
                raise SettingsError("BARGEIN_TURN_MODEL=smart-turn needs: python -m pip install 'bargein[smart-turn]'")
            return "smart-turn"
        case _:
            raise ValueError(f"must be embedded or smart-turn, not {value!r}")


class CallSettings(Section):
    """The processing of calls' audio, the start of replies, and tools of type code."""

    table: ClassVar[str] = "calls"
    title: ClassVar[str] = "Calls"

    echo_cancellation: Annotated[EchoCancellation, BeforeValidator(_echo_cancellation)] = variable(
        "BARGEIN_ECHO_CANCELLATION", "auto"
    )
    """Removes the assistant's own voice from the caller's audio: `auto` in calls in which it is heard there, from that
    moment on; `on` in all calls; `off` in none."""

    early_replies: Switch = variable("BARGEIN_EARLY_REPLIES", default=True, shown="1")
    """1: the model may be asked before it is certain that the caller has finished
    (see [endpointing](reference/endpointing.md)); 0: not before."""

    turn_model: Annotated[TurnModel, BeforeValidator(_turn_model)] = variable("BARGEIN_TURN_MODEL", "embedded")
    """The model that detects the end of a turn in a pause: `embedded`, or `smart-turn` of the extra of that name."""

    denoiser: Annotated[Text | None, BeforeValidator(_denoiser)] = variable("BARGEIN_DENOISER")
    """A denoiser of your own for the audio that the transcriber gets, as `module:factory`, in calls whose
    assistant asks for denoising (see [assistants](reference/assistants.md)). Not set: there is none."""

    prices: Path | None = variable("BARGEIN_PRICES", unset="not set: all costs are 0")
    """The path of a JSON file with your prices, from which the costs of calls follow
    (see [artifacts](reference/artifacts.md#costs))."""

    substitute_providers: Switch = variable("BARGEIN_SUBSTITUTE_PROVIDERS", default=False, shown="0")
    """1: a part of an assistant whose provider has no key runs on the embedded model instead, for laptops and CI; each
    answer, the log and the page say so. 0: such a call ends at its start."""

    analyze_all: Switch = variable("BARGEIN_ANALYZE_ALL_CALLS", default=False, shown="0")
    """1: each call with at least two messages gets a summary and an evaluation by its assistant's model, as with Vapi,
    also where the assistant has no `analysisPlan`. 0: only where it has one (see [analysis](guides/analysis.md))."""

    code_runtime: Annotated[Text | None, BeforeValidator(_code_runtime)] = variable("BARGEIN_CODE_RUNTIME")
    """Runs tools of type `code`: `deno`, `bun` or `node`, or the path of one. Not set: they are off. Their code is
    written by whoever may write assistants and tools, and runs on this machine with its network
    (see [tools](reference/tools.md#code))."""

    def available_echo_cancellation(self) -> EchoCancellation:
        """Return `echo_cancellation`; `off` in place of `auto` where the canceller's package is not installed."""
        return "off" if find_spec(_CANCELLER) is None else self.echo_cancellation


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class LogSettings(Section):
    """The log of the process."""

    table: ClassVar[str] = "log"
    title: ClassVar[str] = "Log"

    level: Annotated[str, BeforeValidator(_lower)] = variable("BARGEIN_LOG_LEVEL", "info")
    """`debug`, `info`, `warning` or `error`. Secrets are masked at every level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a process, read once at its start (`bargein.configuration.load_settings`).

    Attributes:
        server: the address to listen on.
        keys: the keys of clients and of stored secrets.
        storage: the data folder and the database.
        webhooks: the owner's server of the whole installation.
        calls: the audio of calls, and early replies.
        log: the log's level.
        limits: the limits of connections and of the public key.
        sections: one section of each carrier and vendor; use `section` to find one.
    """

    server: ServerSettings = field(default_factory=ServerSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    calls: CallSettings = field(default_factory=CallSettings)
    log: LogSettings = field(default_factory=LogSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    sections: tuple[Section, ...] = ()

    def section(self, kind: type[SectionT]) -> SectionT:
        """Return the section of a carrier or vendor; one with nothing set if it was not loaded."""
        return next((found for found in self.sections if isinstance(found, kind)), None) or kind()

    def all_sections(self) -> tuple[Section, ...]:
        """Return every section, the server's own first."""
        return (self.server, self.keys, self.storage, self.webhooks, self.calls, self.log, self.limits, *self.sections)

    def secrets(self) -> frozenset[str]:
        """Return every text that must not appear in a log."""
        return frozenset(secret for section in self.all_sections() for secret in section.secrets())

    @property
    def open_to_loopback_only(self) -> bool:
        """True without a private key: this machine may do everything, and nobody else anything."""
        return self.keys.api_key is None

    @property
    def private_addresses_allowed(self) -> bool:
        """True if requests that an assistant's JSON causes may go to private networks and this machine."""
        if self.server.allow_private_addresses is None:
            return self.open_to_loopback_only
        return self.server.allow_private_addresses

    def check(self) -> None:
        """Refuse settings that open the server to anybody, and sections that contradict themselves.

        Raises:
            SettingsError: the address is not loopback and there is no private key, or what a section's `check` finds.
        """
        if not is_loopback(self.server.host) and self.keys.api_key is None:
            raise SettingsError(
                f"{self.server.host} is not a loopback address: set BARGEIN_API_KEY (and BARGEIN_PUBLIC_KEY for "
                "browsers) before listening there, or listen on 127.0.0.1"
            )
        for section in self.all_sections():
            section.check()


CORE_SECTIONS: tuple[type[Section], ...] = (
    ServerSettings,
    KeySettings,
    StorageSettings,
    WebhookSettings,
    CallSettings,
    LogSettings,
    LimitSettings,
)
"""In the order of docs/settings.md."""
