"""The log masks secrets in the lines of bargein and of libraries."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from bargein.clock import Timer
from bargein.server.ops.logs import configure

KEY = "the-servers-own-key"


class FixedClock:
    def monotonic_ms(self) -> float:
        return 0.0

    def epoch_ms(self) -> int:
        return 1_763_925_000_123

    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> Timer:
        raise NotImplementedError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def set_up(level: str = "info", stream: io.StringIO | None = None) -> io.StringIO:
    out = stream or io.StringIO()
    configure(level=level, clock=FixedClock(), secrets=[KEY, None], stream=out)
    return out


def test_a_line_is_json_with_its_time() -> None:
    out = set_up()
    structlog.get_logger("bargein.test").info("hello", call="c", n=3)
    assert lines(out) == [
        {
            "event": "hello",
            "call": "c",
            "n": 3,
            "level": "info",
            "logger": "bargein.test",
            "time": "2025-11-23T19:10:00.123Z",
        }
    ]


def test_secrets_are_masked_by_name_by_value_and_by_pattern() -> None:
    out = set_up()
    structlog.get_logger("x").info(
        f"using {KEY}",
        apiKey="hush",
        settings={"server": {"url": "https://u:hush@h/x?t=hush", "headers": {"a": "hush"}}},
        said=[f"a {KEY} b", ("Authorization: Bearer hush-hush", 1)],
    )
    text = out.getvalue()
    assert "hush" not in text
    assert KEY not in text
    assert lines(out)[0]["event"] == "using [redacted]"


def test_lines_of_libraries_are_processed_in_the_same_way() -> None:
    out = set_up()
    logging.getLogger("uvicorn.error").warning("started with %s", KEY)
    logging.getLogger("uvicorn.error").debug("not this")
    assert [line["event"] for line in lines(out)] == ["started with [redacted]"]


def test_secrets_in_an_exceptions_text_are_masked() -> None:
    out = set_up()
    try:
        int(KEY)  # its text quotes what it was given
    except ValueError:
        logging.getLogger("uvicorn.error").exception("failed")
        structlog.get_logger("x").exception("failed")
    assert KEY not in out.getvalue()
    assert all("ValueError" in line["exception"] for line in lines(out))


def test_urls_that_http_clients_log_are_left_out() -> None:
    out = set_up("debug")
    logging.getLogger("httpx").info("HTTP Request: POST https://example.org?key=hush")
    assert out.getvalue() == ""
    structlog.get_logger("x").debug("seen")
    assert [line["event"] for line in lines(out)] == ["seen"]


def test_a_terminal_gets_readable_lines() -> None:
    out = set_up(stream=Terminal())
    structlog.get_logger("x").info("hello", call="c", apiKey="hush")
    assert "hello" in out.getvalue()
    assert "hush" not in out.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(out.getvalue())
