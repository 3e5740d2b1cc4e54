"""The settings of the process: typed sections, read once from the command line, environment, `.env` and a TOML file.

No other package reads the environment. `section` has the base class that carriers and vendors derive their sections
from, `core` the server's own sections and `Settings`, `sources` the reading. `bargein.configuration` puts the sections
of all packages together. docs/settings.md is generated from the sections (`python -m dev.settings`). Imports only
`bargein.errors`.
"""

from bargein.settings.core import (
    CORE_SECTIONS,
    DEFAULT_PORT,
    MIN_SECRET_KEY_CHARS,
    CallSettings,
    KeySettings,
    LogSettings,
    ServerSettings,
    Settings,
    StorageSettings,
    TurnModel,
    WebhookSettings,
)
from bargein.settings.limits import LimitSettings
from bargein.settings.section import Section, SettingsError, Variable, is_loopback, variable

__all__ = [
    "CORE_SECTIONS",
    "DEFAULT_PORT",
    "MIN_SECRET_KEY_CHARS",
    "CallSettings",
    "KeySettings",
    "LimitSettings",
    "LogSettings",
    "Section",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "StorageSettings",
    "TurnModel",
    "Variable",
    "WebhookSettings",
    "is_loopback",
    "variable",
]
