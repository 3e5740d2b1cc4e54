"""Vapi's error shape, and pydantic's findings in its words.

Vapi's API is a NestJS application: a refused request is answered by `{"message": [...], "error": "Bad Request",
"statusCode": 400}`, each message being a dotted path and what is wrong there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bargein.errors import BargeinError
from bargein.wire import contract, validation_text
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.validation_text import one_of

M = TypeVar("M", bound=WireModel)

_MAX_MESSAGES = 50
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_PHRASES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Payload Too Large"}


class WireError(BargeinError):
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


def unknown_id(kind: str, record_id: str, status: int = HTTPStatus.NOT_FOUND) -> WireError:
    """Return the error for an id under which no record of a kind is stored.

    Args:
        kind: the kind of record, as "phone number".
        record_id: the id as the client sent it; its first 80 characters are quoted.
        status: 404 where the id is in the path, 400 where a body refers to it.
    """
    return WireError(status, f"There is no {kind} with the id {record_id[:80]}.")


def phrase(status: int) -> str:
    """The name of an HTTP status as NestJS has it."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return "Error"
    return _PHRASES.get(known, known.phrase)


def parse_request(model: type[M], data: object, *, whole: bool = True) -> M:
    """Read a request's body: of its own fields only those that Vapi knows, and all of them valid.

    Args:
        model: what it is read as.
        data: the body's JSON.
        whole: whether to hold what the model does not look into to Vapi's own type (`WireModel.contract`).

    Raises:
        WireError: 400, with every finding.
    """
    if not isinstance(data, dict):
        raise bad_request("the body must be a JSON object")
    body = cast("JsonObject", data)
    known = model.wire_names()
    refused = [f"property {name} should not exist" for name in body if name not in known]
    parsed: M | None = None
    faults: dict[str, str] = {}
    try:
        parsed = model.from_json(body)
    except ValidationError as error:
        faults = _faults(error, body)
    if whole and model.contract is not None:
        faults = faults | contract.problems(model.contract, body) | faults  # the models say it better, and first
    refused += [validation_text.sentence(path, text) for path, text in faults.items()]
    if parsed is None or refused:
        raise bad_request(*refused[:_MAX_MESSAGES])
    return parsed


def findings(error: ValidationError, data: object) -> list[str]:
    """What pydantic found wrong in `data`, in NestJS's words, one text for each path."""
    return [validation_text.sentence(path, text) for path, text in _faults(error, data).items()]


def _faults(error: ValidationError, data: object) -> dict[str, str]:
    texts: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path = _path(detail, data)
        text = _text(detail)
        if text and path not in texts:
            texts[path] = text
    return texts


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


def _choices(text: str) -> str:
    return one_of(_QUOTED.findall(text) or [text])


def _context(detail: ErrorDetails) -> dict[str, Any]:
    return detail.get("ctx") or {}


_TEXTS: dict[str, str | Callable[[dict[str, Any]], str]] = {
    "missing": validation_text.MISSING,
    "string_type": validation_text.STRING,
    "string_unicode": validation_text.STRING,
    "string_too_long": lambda c: validation_text.shorter(c["max_length"]),
    "string_too_short": lambda c: validation_text.longer(c["min_length"]),
    "bool_type": validation_text.BOOLEAN,
    "int_type": validation_text.INTEGER,
    "int_from_float": validation_text.INTEGER,
    "float_type": validation_text.NUMBER,
    "finite_number": validation_text.NUMBER,
    "greater_than_equal": lambda c: validation_text.at_least(c["ge"]),
    "less_than_equal": lambda c: validation_text.at_most(c["le"]),
    "list_type": validation_text.ARRAY,
    "too_long": lambda c: validation_text.fewer_elements(c["max_length"]),
    "too_short": lambda c: validation_text.more_elements(c["min_length"]),
    "dict_type": validation_text.OBJECT,
    "model_type": validation_text.OBJECT,
    "model_attributes_type": validation_text.OBJECT,
    "literal_error": lambda c: _choices(c["expected"]),
    "union_tag_invalid": lambda c: _choices(c["expected_tags"]),
    "union_tag_not_found": validation_text.MISSING,
    "value_error": lambda c: str(c["error"]),
}


def _text(detail: ErrorDetails) -> str:
    text = _TEXTS.get(detail["type"])
    if text is None:  # a kind of finding that no field of ours gives today: pydantic's own words are still true
        return detail["msg"]
    return text if isinstance(text, str) else text(_context(detail))
