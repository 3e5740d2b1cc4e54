"""The base class of a group of settings, and the types of their values.

A section reads nothing when it is constructed: `bargein.settings.sources` fills it from the environment and files. Its
validators raise `ValueError` with the end of a sentence ("must be 1 or 0, not 'x'"); the loader puts the variable's
name before it. A validator that writes the whole sentence raises `SettingsError`.
"""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast
from urllib.parse import quote

from pydantic import BeforeValidator, Field, JsonValue
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from bargein.errors import BargeinError

_SHORTEST_KEY_LINE = 16
"""A line of a PEM key of this length or more is masked on its own: a trace may quote one line of a key."""


class SettingsError(BargeinError, ValueError):
    """Invalid settings, or settings that would open the server to anybody; the text says what to set."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting as a person sets it.

    Attributes:
        name: the environment variable; None: the setting can be set in `bargein.toml` alone.
        field: the name of the section's field, and the key in the section's table of `bargein.toml`.
        meaning: a sentence or two for the reference.
        default: as a person would write it; empty where the setting has none.
        secret: True if the value must not appear in any log or output.
        unset: what it means that the setting is not set, for `bargein doctor`; None: doctor does not list it.
    """

    name: str | None
    field: str
    meaning: str
    default: str
    secret: bool
    unset: str | None


def variable(
    name: str | None,
    default: object = None,
    *,
    secret: bool = False,
    shown: str | None = None,
    unset: str | None = None,
) -> Any:
    """Declare a setting; its meaning is the docstring below the field.

    Args:
        name: the environment variable; None: the setting can be set in `bargein.toml` alone.
        default: its value where it is not set.
        secret: True if the value must not appear in any log or output.
        shown: the default as the reference shows it, where it does not follow from `default`.
        unset: what it means that the setting is not set, for `bargein doctor`.
    """
    extra: dict[str, JsonValue] = {"secret": secret, "shown": shown, "unset": unset}
    given: Any = default  # Field is typed by its default, which is of any type here
    return Field(given, validation_alias=name, repr=not secret, json_schema_extra=extra)


class Section(BaseSettings):
    """A group of settings of one package, carrier or vendor.

    Attributes:
        table: the name of its table in `bargein.toml`.
        title: its heading in docs/settings.md.
    """

    table: ClassVar[str]
    title: ClassVar[str]

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        case_sensitive=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @classmethod
    def variables(cls) -> tuple[Variable, ...]:
        """List the settings of this section in the order of their declaration."""
        return tuple(_describe(cls, name) for name in cls.model_fields)

    def check(self) -> None:
        """Refuse values that contradict each other or open the server to anybody.

        Raises:
            SettingsError: the text says what to set instead.
        """

    def secrets(self) -> Iterator[str]:
        """Yield each text that must not appear in a log: the secret values in every spelling that a log may have."""
        for described in self.variables():
            value: object = getattr(self, described.field)
            if described.secret and value is not None:
                values = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
                for each in values:
                    yield from spellings(str(each))


def _describe(section: type[Section], field: str) -> Variable:
    info = section.model_fields[field]
    extra = cast("dict[str, Any]", info.json_schema_extra)
    shown = extra["shown"]
    if shown is None:
        default: object = info.default
        shown = "" if default is None or default == () else str(default)
    alias = info.validation_alias
    return Variable(
        name=alias if isinstance(alias, str) else None,
        field=field,
        meaning=" ".join((info.description or "").split()),
        default=shown,
        secret=extra["secret"],
        unset=extra["unset"],
    )


def spellings(secret: str) -> Iterator[str]:
    """Yield a secret and its other spellings: in a URL, with escaped line ends, and each line of a PEM key."""
    yield secret
    yield quote(secret, safe="")
    with_lines = secret.replace("\\n", "\n")
    if "\n" in with_lines:
        yield with_lines
        yield with_lines.replace("\n", "\\n")
        for line in with_lines.splitlines():
            if len(line) >= _SHORTEST_KEY_LINE and not line.startswith("-----"):
                yield line


def is_loopback(host: str) -> bool:
    """Return True if `host` can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_private(host: str) -> bool:
    """Return True if only this machine or a private network can reach `host`, which the unspecified address is not."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return is_loopback(host)
    return address.is_private and not address.is_unspecified


def _text(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _base_url(value: object) -> object:
    return value.strip().rstrip("/") or None if isinstance(value, str) else value


def words(value: object) -> tuple[str, ...]:
    """Read several strings: separated by commas, or a list."""
    listed: object = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        raise ValueError("must be a list of strings")  # noqa: TRY004 - pydantic turns only a ValueError into a finding
    members = cast("list[object] | tuple[object, ...]", listed)
    return tuple(member.strip() for member in members if isinstance(member, str) and member.strip())


def _switch(value: object) -> object:
    if isinstance(value, bool) or value is None:
        return value
    match str(value).lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
        case _:
            raise ValueError(f"must be 1 or 0, not {value!r}")


def whole_number(least: int, most: int | None = None) -> Callable[[object], int]:
    """Make a validator for whole numbers from `least` to `most`, which may be written as a string."""
    span = f"from {least} on" if most is None else f"from {least} to {most}"

    def read(value: object) -> int:
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            raise ValueError(f"must be a number {span}, not {value!r}")
        return int(text)

    return read


Text = Annotated[str, BeforeValidator(_text)]
"""A string without white space around it."""

BaseUrl = Annotated[str | None, BeforeValidator(_base_url)]
"""A URL without slashes at its end."""

Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)]
"""Several strings: separated by commas in a variable, or a list in `bargein.toml`."""

Switch = Annotated[bool, BeforeValidator(_switch)]
"""1 or 0, also true, yes, on, false, no, off."""

OptionalSwitch = Annotated[bool | None, BeforeValidator(_switch)]
"""A `Switch` that may be unset."""
