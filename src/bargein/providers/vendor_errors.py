"""The words of a vendor's error, for the person who has to mend it: short, and without secrets."""

from collections.abc import Iterable
from typing import cast

from bargein.wire.json import read_json

MAX_QUOTE_CHARS = 300
"""The longest quote of a vendor's error."""

MAX_ERROR_BYTES = 16 * 1024
"""The most of an error's body that is read."""

_MASK = "***"
_SHORTEST_SECRET = 6
_TEXT_FIELDS = (
    "message",
    "error_message",
    "err_msg",
    "reason",
    "detail",
    "description",
    "status_msg",
    "error",
    "errors",
    "title",
    "base_resp",
)
"""Fields in which vendors put an error's text, the most telling first."""
_MOST_NESTED = 4


def quote_of(body: bytes | str, secrets: Iterable[str] = ()) -> str:
    """Return the text of a vendor's error for a message: at most `MAX_QUOTE_CHARS` characters, on one line.

    Args:
        body: the body of an answer, or an event; JSON or plain text. HTML gives an empty text: it is a proxy's page.
        secrets: keys and other secrets of the request; each is masked wherever it occurs, as are words that contain the
            beginning of one (vendors shorten keys: "sk-abc***").
    """
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        found = _text_in(read_json(text), 0)
    except ValueError:
        found = "" if text.lstrip().startswith("<") else text
    line = " ".join(found.split())
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            line = _without(line, secret)
    return line if len(line) <= MAX_QUOTE_CHARS else line[: MAX_QUOTE_CHARS - 1] + "\u2026"


def _without(line: str, secret: str) -> str:
    line = line.replace(secret, _MASK)
    begin = secret[:_SHORTEST_SECRET]
    if begin not in line:
        return line
    return " ".join(_MASK if begin in word else word for word in line.split(" "))


def _text_in(value: object, depth: int) -> str:
    if isinstance(value, str):
        return value
    if depth >= _MOST_NESTED:
        return ""
    if isinstance(value, list):
        return next((text for item in cast("list[object]", value) if (text := _text_in(item, depth + 1))), "")
    if not isinstance(value, dict):
        return ""
    fields = cast("dict[str, object]", value)
    for name in _TEXT_FIELDS:
        if text := _text_in(fields.get(name), depth + 1):
            return text
    return ""
