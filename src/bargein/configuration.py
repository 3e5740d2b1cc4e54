"""The settings of the whole program: the server's own sections with those of every carrier and vendor."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bargein.carriers.registry import CARRIERS
from bargein.providers.registry import vendor_sections
from bargein.settings import CORE_SECTIONS, Section, Settings
from bargein.settings.sources import CONFIG_VARIABLE, open_sources, read_settings


def extension_sections() -> tuple[type[Section], ...]:
    """Return the sections of all carriers and vendors."""
    return (*(spec.settings for spec in CARRIERS), *vendor_sections())


def load_settings(
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
) -> Settings:
    """Read the settings of the process.

    Args:
        environ: the environment; None: the process's own.
        folder: where `.env` and `bargein.toml` are looked for; None: neither is, unless `BARGEIN_CONFIG` names a file.
        host: `--host` of the command line, which overrides all sources.
        port: `--port` of the command line, which overrides all sources.

    Raises:
        SettingsError: a value is invalid; the text says which and what to set, and quotes no secret.
    """
    return read_settings(open_sources(environ, folder), extension_sections(), host=host, port=port)


def variable_names() -> Iterator[str]:
    """Yield the name of each environment variable that is a setting, vendors' keys included."""
    yield CONFIG_VARIABLE
    for section in (*CORE_SECTIONS, *extension_sections()):
        yield from (described.name for described in section.variables() if described.name is not None)
