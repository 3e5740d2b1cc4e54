"""The log: lines for a person on a terminal, JSON for everyone else, secrets for nobody."""

import json
import logging
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bargein.clock import Clock, iso_from_epoch_ms
from bargein.store.journals import JournalFile, call_log_path
from bargein.wire.redact import MASK, without_secrets

_BEARER = re.compile(r"(?i)\bbearer\s+[^\s,;\"']+")
_CHATTY = (
    "uvicorn", "httpx", "httpcore", "httpx2", "httpcore2", "openai", "alembic", "aiosqlite", "asyncio", "websockets",
    "sqlalchemy", "pypdf",
)  # fmt: skip
_TELLTALE = ("mcp",)


class Redactor:
    """A step of the log that takes secrets out of every line: by the names of fields, and these very values."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        """Set up the step.

        Args:
            secrets: values that must never be seen, the server's own keys; None is passed over.
        """
        known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Clean one line."""
        own = {name: event[name] for name in ("_record", "_from_structlog", "exc_info") if name in event}
        rest = {name: value for name, value in event.items() if name not in own}
        return {**cast("EventDict", self._clean(without_secrets(rest))), **own}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            if self._secrets is not None:
                value = self._secrets.sub(MASK, value)
            return _BEARER.sub(f"Bearer {MASK}", value)
        if isinstance(value, dict):
            return {name: self._clean(item) for name, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list | tuple):
            return [self._clean(item) for item in cast("list[Any]", value)]
        if value is None or isinstance(value, bool | int | float):
            return value
        shown = repr(value)  # an exception, say: what renders the line would write it so
        clean = self._clean(shown)
        return value if clean == shown else clean


class CallLogs:
    """A step of the log that hands each line about a live call to that call's own log, too."""

    def __init__(self) -> None:
        self._sinks: dict[str, JournalFile] = {}

    def open(self, data_dir: Path, call_id: str) -> JournalFile:
        """Begin the log of a call; whoever holds the call writes it and closes it."""
        sink = self._sinks[call_id] = JournalFile(call_log_path(data_dir, call_id), "log")
        return sink

    def close(self, call_id: str) -> None:
        """Hand that call nothing any more."""
        self._sinks.pop(call_id, None)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Pass a line on."""
        sink = self._sinks.get(str(event.get("call_id")))
        if sink is not None:
            told = {name: value for name, value in event.items() if not name.startswith("_")}
            sink.write(json.dumps(told, default=str, ensure_ascii=False))
        return event


CALL_LOGS = CallLogs()
"""There is one log in a process, and so there is one of these."""


def configure(*, level: str, clock: Clock, secrets: Iterable[str | None] = (), stream: TextIO | None = None) -> None:
    """Set the process's log up; also what libraries log by the standard library goes this way.

    Args:
        level: debug, info, warning or error.
        clock: gives each line its time.
        secrets: values that must never be seen.
        stream: where the lines go; standard error if not given. Colours on a terminal, else JSON.
    """
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)

    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["time"] = iso_from_epoch_ms(clock.epoch_ms())
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        stamp,
        structlog.processors.format_exc_info,
        Redactor(secrets),
        CALL_LOGS,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(timestamp_key="time") if out.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _TELLTALE:  # its errors quote addresses, whose queries hold keys; what goes wrong is logged by us
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in _CHATTY:  # these write addresses, parameters or every frame below a warning
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
