"""The log: readable lines on a terminal, JSON elsewhere; secrets are masked in both."""

import json
import logging
import re
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bargein.clock import Clock, iso_from_epoch_ms
from bargein.store.journals import JournalFile, call_log_path
from bargein.wire.redact import MASK, without_secrets

_BEARER = re.compile(r"(?i)\bbearer\s+[^\s,;\"']+")
_VERBOSE_LOGGERS = (
    "uvicorn", "httpx", "httpcore", "httpx2", "httpcore2", "alembic", "aiosqlite", "asyncio", "websockets",
    "sqlalchemy", "pypdf",
)  # fmt: skip
_LEAKING_LOGGERS = ("mcp",)


class Redactor:
    """A log processor that masks secrets in every line, by the names of fields and by value."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        """Create the processor.

        Args:
            secrets: values to mask wherever they occur, as the server's own keys; None is skipped.
        """
        known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return a line with its secrets masked."""
        try:
            return self._redacted(event)
        except Exception as error:  # noqa: BLE001  # a line that cannot be redacted is not written, and fails nothing
            return {"event": "a line of the log could not be written", "error": type(error).__name__}

    def _redacted(self, event: EventDict) -> EventDict:
        own = {name: event[name] for name in ("_record", "_from_structlog", "exc_info") if name in event}
        rest = {name: value for name, value in event.items() if name not in own}
        return {**cast("EventDict", self._masked(without_secrets(rest))), **own}

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            if self._secrets is not None:
                value = self._secrets.sub(MASK, value)
            return _BEARER.sub(f"Bearer {MASK}", value)
        if isinstance(value, dict):
            return {name: self._masked(item) for name, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list | tuple):
            return [self._masked(item) for item in cast("list[Any]", value)]
        if value is None or isinstance(value, bool | int | float):
            return value
        text = repr(value)  # as the renderer would write it, for example an exception
        masked = self._masked(text)
        return value if masked == text else masked


class _Sink(Protocol):
    """The place for the lines about one call."""

    def write(self, line: str) -> None:
        """Write a line; returns at once."""
        ...


class _Lines:
    """Lines that are kept in memory, up to a number that no analysis reaches."""

    _MOST = 1_000

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        """Keep a line."""
        if len(self.written) < self._MOST:
            self.written.append(line)


class CallLogs:
    """A log processor that also writes each line about a live call to the call's own log."""

    def __init__(self) -> None:
        self._sinks: dict[str, _Sink] = {}

    @contextmanager
    def collect(self, call_id: str) -> Generator[list[str]]:
        """Collect the lines about a call that is over, for its log, until the context ends."""
        lines = _Lines()
        self._sinks[call_id] = lines
        try:
            yield lines.written
        finally:
            if self._sinks.get(call_id) is lines:
                del self._sinks[call_id]

    def open(self, data_dir: Path, call_id: str) -> JournalFile:
        """Start the log of a call, and return it; the caller has to close it."""
        sink = JournalFile(call_log_path(data_dir, call_id), "log")
        self._sinks[call_id] = sink
        return sink

    def close(self, call_id: str) -> None:
        """Stop writing lines to a call's log."""
        self._sinks.pop(call_id, None)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Write a line to the log of its call, if that is open, and return it unchanged."""
        sink = self._sinks.get(str(event.get("call_id")))
        if sink is not None:
            line = {name: value for name, value in event.items() if not name.startswith("_")}
            with suppress(Exception):  # the line is in the server's log
                sink.write(json.dumps(line, default=str, ensure_ascii=False))
        return event


_PLAIN_FIELDS = frozenset({
    "event", "level", "logger", "time", "call_id", "turn_id", "part", "type", "kind", "code", "status", "key", "host",
    "file", "provider", "setting", "number_id", "assistant_id",
})  # fmt: skip
"""Fields of a line that never have a text of a caller, a model or a tool."""


class TextlessCalls:
    """A log processor that leaves out what may be a text in lines about certain calls: reasons, details, tracebacks.

    The event, plain fields, numbers and the names of exceptions remain.
    """

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def add(self, call_id: str) -> None:
        """Leave out texts about a call from here on."""
        self._ids.add(call_id)

    def discard(self, call_id: str) -> None:
        """Write lines about a call as they are."""
        self._ids.discard(call_id)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return a line without texts if it is about one of the calls."""
        if not self._ids or str(event.get("call_id")) not in self._ids:
            return event
        kept = {
            name: value
            for name, value in event.items()
            if name in _PLAIN_FIELDS or name.startswith("_") or value is None or isinstance(value, bool | int | float)
        }
        error = event.get("exc_info")
        if isinstance(error, tuple):
            error = cast("tuple[object, ...]", error)[1]
        elif error is True:
            error = sys.exception()
        kept.pop("exc_info", None)
        return {**kept, "error": type(error).__name__} if isinstance(error, BaseException) else kept


TEXTLESS_CALLS = TextlessCalls()
"""The processor of this process."""

CALL_LOGS = CallLogs()
"""The processor of this process; logging is configured once per process."""


def configure(*, level: str, clock: Clock, secrets: Iterable[str | None] = (), stream: TextIO | None = None) -> None:
    """Configure the process's log, including the loggers of libraries that use the standard library.

    Args:
        level: debug, info, warning or error.
        clock: the clock for the time of each line.
        secrets: values to mask wherever they occur.
        stream: the output; standard error if not given. Coloured lines if it is a terminal, else JSON.
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
        TEXTLESS_CALLS,
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
    for name in _LEAKING_LOGGERS:  # its errors quote URLs with keys in their queries; bargein logs the errors itself
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in _VERBOSE_LOGGERS:  # below a warning these log URLs, parameters or every frame
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
