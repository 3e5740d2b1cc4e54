"""Reading of JSON that others sent, and typed access to values of unknown shape.

`read_json` is the only reader of such text (`tests/wire/test_json.py` holds this): what it returns can be stored, sent
and logged. Each `as_…` function returns a value of the named kind, or an empty one if the value is of another kind, so
that callers need no casts.
"""

import json
import math
import re
from typing import cast

from bargein.wire.base import JsonObject

MAX_DEPTH = 100
"""The most levels of arrays and objects; deeper ones would exceed Python's recursion limit where they are processed."""
_MAX_DIGITS = 300
"""The longest whole number; a longer one does not fit a float, which comparisons and time limits need."""

_UNSTORABLE = re.compile("[\ud800-\udfff\0]")
_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def read_json(data: str | bytes) -> object:
    """Read JSON that somebody else sent; every text in it can be stored and sent.

    In texts and keys, `repair_text` is applied. Invalid UTF-8 is replaced. NaN, Infinity and numbers that no float can
    hold become None, as JavaScript's `JSON.stringify` writes them. Of equal keys the last one counts.

    Raises:
        ValueError: it is not JSON, or has more than `MAX_DEPTH` levels.
    """
    text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
    value = _loads(text)
    return repaired(value) if _ESCAPE.search(text) or _UNSTORABLE.search(text) else value


def read_json_pieces(data: str | bytes) -> object:
    """Read JSON whose texts are pieces of a longer text: as `read_json`, but without `repair_text`.

    A surrogate pair may be split over two pieces; the caller joins them (`TextJoiner`, or `repair_text` of the whole).

    Raises:
        ValueError: it is not JSON, or has more than `MAX_DEPTH` levels.
    """
    return _loads(data if isinstance(data, str) else data.decode("utf-8-sig", "replace"))


def repair_text(text: str) -> str:
    """Return a text that can be encoded and stored.

    The two halves of a surrogate pair become the character they stand for. A half without its other one, which UTF-8
    cannot encode, and NUL, which Postgres refuses, become U+FFFD.
    """
    if not _UNSTORABLE.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\0", "\ufffd")


class TextJoiner:
    """Repairs a text that arrives in pieces, where a surrogate pair may be split over two of them."""

    def __init__(self) -> None:
        self._half = ""

    def push(self, piece: str) -> str:
        """Add a piece, and return what is complete; the first half of a pair at its end is kept back."""
        text, self._half = self._half + piece, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return repair_text(text)

    def flush(self) -> str:
        """Return what is left: nothing, or U+FFFD for half a pair."""
        half, self._half = self._half, ""
        return repair_text(half)


def _loads(text: str) -> object:
    try:
        value: object = json.loads(text, parse_constant=_no_number, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def _no_number(_name: str) -> None:
    return None


def _float(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _int(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        members: list[object] = []
        for one in level:
            members.extend(as_list(one) or as_object(one).values())
        level = [cast("object", one) for one in members if isinstance(one, dict | list)]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def repaired(value: object) -> object:
    """Return a JSON value with `repair_text` applied to its texts and keys."""
    match value:
        case str():
            return repair_text(value)
        case dict():
            return {repair_text(key): repaired(one) for key, one in cast("JsonObject", value).items()}
        case list():
            return [repaired(one) for one in cast("list[object]", value)]
        case _:
            return value


def as_object(value: object) -> JsonObject:
    """Return `value` if it is a JSON object, else an empty object."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_object_or_none(value: object) -> JsonObject | None:
    """Return `value` if it is a JSON object, else None."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object]:
    """Return `value` if it is a JSON array, else an empty list."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_list_or_none(value: object) -> list[object] | None:
    """Return `value` if it is a JSON array, else None."""
    return cast("list[object]", value) if isinstance(value, list) else None


def as_objects(value: object) -> list[JsonObject]:
    """Return the objects in a JSON array, in order; members of other kinds are left out."""
    return [cast("JsonObject", member) for member in as_list(value) if isinstance(member, dict)]


def as_strings(value: object) -> list[str]:
    """Return the strings in a JSON array, in order; members of other kinds are left out."""
    return [member for member in as_list(value) if isinstance(member, str)]


def as_string(value: object) -> str | None:
    """Return `value` if it is a string, else None."""
    return value if isinstance(value, str) else None
