"""Vapi's error shape, and pydantic's findings in its words.

Vapi's API is a NestJS application: a refused request is answered by `{"message": [...], "error": "Bad Request",
"statusCode": 400}`, each message being a dotted path and what is wrong there.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bargein.wire.base import JsonObject, WireModel

M = TypeVar("M", bound=WireModel)

_MAX_MESSAGES = 50
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_PHRASES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Payload Too Large"}


class WireError(Exception):
    """A request that is refused.

    Attributes:
        status: HTTP status.
        messages: what is wrong: a list of findings for a 400, a sentence otherwise.
        error: short name of the status, "Bad Request" for 400.
    """

    def __init__(self, status: int, messages: list[str] | str, error: str | None = None) -> None:
        super().__init__(messages if isinstance(messages, str) else "; ".join(messages))
        self.status = int(status)
        self.messages = messages
        self.error = error or phrase(status)

    def body(self) -> JsonObject:
        """The answer's JSON."""
        return {"message": self.messages, "error": self.error, "statusCode": self.status}


def bad_request(*messages: str) -> WireError:
    """A 400 with these findings."""
    return WireError(HTTPStatus.BAD_REQUEST, list(messages))


def phrase(status: int) -> str:
    """The name of an HTTP status as NestJS has it."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return "Error"
    return _PHRASES.get(known, known.phrase)


def parse_request(model: type[M], data: object) -> M:
    """Read a request's body: of its own fields only those that Vapi knows, and all of them valid.

    Raises:
        WireError: 400, with every finding.
    """
    if not isinstance(data, dict):
        raise bad_request("the body must be a JSON object")
    body = cast("JsonObject", data)
    known = model.wire_names()
    found = [f"property {name} should not exist" for name in body if name not in known]
    try:
        parsed = model.from_json(body)
    except ValidationError as error:
        found += findings(error, body)
        raise bad_request(*found[:_MAX_MESSAGES]) from None
    if found:
        raise bad_request(*found[:_MAX_MESSAGES])
    return parsed


def findings(error: ValidationError, data: object) -> list[str]:
    """What pydantic found wrong in `data`, in NestJS's words, one text for each path."""
    texts: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path = _path(detail, data)
        text = _text(detail)
        if text and path not in texts:
            texts[path] = text
    return [_sentence(path, text) for path, text in texts.items()]


def _path(detail: ErrorDetails, data: object) -> str:
    """The dotted path of a finding, without the names that pydantic adds for the members of a union."""
    parts: list[str] = []
    here: object = data
    last = len(detail["loc"]) - 1
    for index, part in enumerate(detail["loc"]):
        if isinstance(here, dict) and part in here:
            here = cast("Mapping[str | int, object]", here)[part]
        elif isinstance(here, list) and isinstance(part, int):
            here = cast("Sequence[object]", here)[part]
        elif not (index == last and detail["type"] == "missing"):
            continue
        parts.append(str(part))
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        parts.append(_context(detail).get("discriminator", "type").strip("'"))
    return ".".join(parts)


def _sentence(path: str, text: str) -> str:
    """NestJS names an array's member by "each value in"."""
    *parents, name = path.split(".")
    if name.isdecimal() and parents:
        *parents, array = parents
        return ".".join([*parents, f"each value in {array} {text}"])
    return f"{path or 'the body'} {text}"


def one_of(values: Iterable[object]) -> str:
    """NestJS's text for a value out of a fixed set."""
    return f"must be one of the following values: {', '.join(str(value) for value in values)}"


def _choices(text: str) -> str:
    return one_of(_QUOTED.findall(text) or [text])


def _context(detail: ErrorDetails) -> dict[str, Any]:
    return detail.get("ctx") or {}


_NUMBER = "must be a number conforming to the specified constraints"
_OBJECT = "must be an object"
_TEXTS: dict[str, str | Callable[[dict[str, Any]], str]] = {
    "missing": "should not be null or undefined",
    "string_type": "must be a string",
    "string_unicode": "must be a string",
    "string_too_long": lambda c: f"must be shorter than or equal to {c['max_length']} characters",
    "string_too_short": lambda c: f"must be longer than or equal to {c['min_length']} characters",
    "bool_type": "must be a boolean value",
    "int_type": "must be an integer number",
    "int_from_float": "must be an integer number",
    "float_type": _NUMBER,
    "finite_number": _NUMBER,
    "greater_than_equal": lambda c: f"must not be less than {c['ge']:g}",
    "less_than_equal": lambda c: f"must not be greater than {c['le']:g}",
    "list_type": "must be an array",
    "too_long": lambda c: f"must contain no more than {c['max_length']} elements",
    "too_short": lambda c: f"must contain at least {c['min_length']} elements",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "literal_error": lambda c: _choices(c["expected"]),
    "union_tag_invalid": lambda c: _choices(c["expected_tags"]),
    "union_tag_not_found": "should not be null or undefined",
    "value_error": lambda c: str(c["error"]),
}


def _text(detail: ErrorDetails) -> str:
    text = _TEXTS.get(detail["type"])
    if text is None:  # a kind of finding that no field of ours gives today: pydantic's own words are still true
        return detail["msg"]
    return text if isinstance(text, str) else text(_context(detail))
