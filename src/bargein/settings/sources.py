"""Reading of settings from their sources: command line > environment > `.env` > `bargein.toml` > defaults."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource
from typing_extensions import override

from bargein.settings.core import (
    CORE_SECTIONS,
    CallSettings,
    KeySettings,
    LogSettings,
    ServerSettings,
    Settings,
    StorageSettings,
    WebhookSettings,
)
from bargein.settings.limits import LimitSettings
from bargein.settings.section import Section, SettingsError

CONFIG_VARIABLE = "BARGEIN_CONFIG"
CONFIG_FILE = "bargein.toml"
DOTENV_FILE = ".env"

_SectionT = TypeVar("_SectionT", bound=Section)


@dataclass(frozen=True, slots=True)
class Sources:
    """The texts that settings are read from.

    Attributes:
        environment: the process's environment.
        dotenv: the variables of `.env`.
        tables: the tables of `bargein.toml`.
    """

    environment: Mapping[str, str]
    dotenv: Mapping[str, str]
    tables: Mapping[str, Mapping[str, object]]


class _Variables(EnvSettingsSource):
    """A source that reads a mapping of variables; a blank one is not set."""

    def __init__(self, section: type[Section], variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(section)

    @override
    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name: value.strip() for name, value in self._variables.items() if value.strip()}


def open_sources(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Sources:
    """Read the environment and the files.

    Args:
        environ: the environment; None: the process's own.
        folder: where `.env` and `bargein.toml` are looked for; None: neither is, unless `BARGEIN_CONFIG` names a file.

    Raises:
        SettingsError: a file cannot be read.
    """
    environment = os.environ if environ is None else environ
    dotenv: dict[str, str] = {}
    if folder is not None and (folder / DOTENV_FILE).is_file():
        dotenv = _read_dotenv(folder / DOTENV_FILE)
    named = environment.get(CONFIG_VARIABLE, "").strip() or dotenv.get(CONFIG_VARIABLE, "").strip()
    if named:
        return Sources(environment, dotenv, _read_toml(Path(named)))
    if folder is not None and (folder / CONFIG_FILE).is_file():
        return Sources(environment, dotenv, _read_toml(folder / CONFIG_FILE))
    return Sources(environment, dotenv, {})


def _read_dotenv(path: Path) -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({type(error).__name__})") from None


def _read_toml(path: Path) -> dict[str, Mapping[str, object]]:
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # the text of a TOML error names a line and column, and quotes no more than a character
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    for name, table in data.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: {name} must stand in a table, like [server]")
    return cast("dict[str, Mapping[str, object]]", data)


def read_settings(
    sources: Sources,
    sections: Iterable[type[Section]],
    *,
    host: str | None = None,
    port: int | None = None,
) -> Settings:
    """Read all sections and check them.

    Args:
        sources: the environment and the files.
        sections: the sections of carriers and vendors.
        host: `--host` of the command line.
        port: `--port` of the command line.

    Raises:
        SettingsError: a value is invalid, the file has an unknown key, or what `Settings.check` finds. The text names
            the variable and never quotes a secret.
    """
    extensions = tuple(sections)
    _refuse_unknown_keys(sources, (*CORE_SECTIONS, *extensions))
    given = {"host": host, "port": port}
    settings = Settings(
        server=_read(ServerSettings, sources, {name: value for name, value in given.items() if value is not None}),
        keys=_read(KeySettings, sources),
        storage=_read(StorageSettings, sources),
        webhooks=_read(WebhookSettings, sources),
        calls=_read(CallSettings, sources),
        log=_read(LogSettings, sources),
        limits=_read(LimitSettings, sources),
        sections=tuple(_read(section, sources) for section in extensions),
    )
    settings.check()
    return settings


def _read(section: type[_SectionT], sources: Sources, given: Mapping[str, object] | None = None) -> _SectionT:
    """Merge the sources of one section, the weakest first, and validate the result."""
    names = {each.name or each.field: each.field for each in section.variables()}
    table = {name: value for name, value in sources.tables.get(section.table, {}).items() if value not in ("", [])}
    values: dict[str, Any] = {}
    for source in (table, _by_variable(section, sources.dotenv), _by_variable(section, sources.environment), given):
        values.update({names.get(name, name): value for name, value in (source or {}).items()})
    try:
        return section(**values)
    except ValidationError as error:
        raise _explain(section, error) from None


def _by_variable(section: type[Section], variables: Mapping[str, str]) -> Mapping[str, Any]:
    return _Variables(section, variables)()


def _explain(section: type[Section], error: ValidationError) -> SettingsError:
    """Turn pydantic's first finding into a sentence about the variable."""
    finding = error.errors(include_input=False, include_url=False)[0]
    cause: object = finding.get("ctx", {}).get("error")
    if isinstance(cause, SettingsError):
        return SettingsError(str(cause))
    place = str(finding["loc"][0])
    described = next(each for each in section.variables() if place in (each.name, each.field))
    name = described.name or f"{section.table}.{described.field} of {CONFIG_FILE}"
    return SettingsError(f"{name} {cause}" if cause is not None else f"{name}: {finding['msg']}")


def _refuse_unknown_keys(sources: Sources, sections: tuple[type[Section], ...]) -> None:
    """Refuse a table or key of `bargein.toml` that no section declares, which would otherwise be ignored silently."""
    known = {section.table: {each.field for each in section.variables()} for section in sections}
    for table, values in sources.tables.items():
        if table not in known:
            raise SettingsError(f"{CONFIG_FILE} has an unknown table [{table}]; there are {', '.join(sorted(known))}")
        for key in values:
            if key not in known[table]:
                names = ", ".join(sorted(known[table]))
                raise SettingsError(f"{CONFIG_FILE} has an unknown key {key} in [{table}]; there are {names}")
