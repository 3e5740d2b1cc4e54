"""Vapi's error format, and pydantic's errors in Vapi's words.

Vapi's API is a NestJS application: an invalid request is answered with `{"message": [...], "error": "Bad Request",
"statusCode": 400}`, where each message is a dotted path and its problem.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bargein.errors import BargeinError
from bargein.wire import contract, validation_text
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.json import as_object_or_none
from bargein.wire.older import find_older_problems
from bargein.wire.retired import find_retired
from bargein.wire.validation_text import one_of

M = TypeVar("M", bound=WireModel)

_MAX_MESSAGES = 50
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_PHRASES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Payload Too Large"}


class WireError(BargeinError):
    """A request that is refused.

    Attributes:
        status: HTTP status.
        messages: the problems: a list for a 400, a sentence otherwise.
        error: name of the status, as "Bad Request" for 400.
        retry_after_s: after how many seconds a client may try again (the header `Retry-After`); None: not said.
    """

    def __init__(
        self, status: int, messages: list[str] | str, error: str | None = None, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(messages if isinstance(messages, str) else "; ".join(messages))
        self.status = int(status)
        self.messages = messages
        self.error = error or phrase(status)
        self.retry_after_s = retry_after_s

    def body(self) -> JsonObject:
        """Return the answer's JSON."""
        return {"message": self.messages, "error": self.error, "statusCode": self.status}


def bad_request(*messages: str) -> WireError:
    """Return a 400 error with these messages."""
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
    """Return the name of an HTTP status as in NestJS."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return "Error"
    return _PHRASES.get(known, known.phrase)


def parse_request(model: type[M], data: object, *, whole: bool = True, closed: bool | Collection[str] = True) -> M:
    """Validate a request's body and return it as a model. Fields that Vapi does not have are refused by name.

    Args:
        model: the type of the body.
        data: the body's JSON.
        whole: True to validate fields without a type in the model by Vapi's own type (`WireModel.contract`), and to
            refuse providers that nobody can call any more (`bargein.wire.retired`).
        closed: where unknown fields are refused below the top level, if `whole`: everywhere, nowhere, or in these
            fields of the body alone. What was stored before a field was refused must stay usable.

    Raises:
        WireError: 400, with all problems.
    """
    body = as_object_or_none(data)
    if body is None:
        raise bad_request("the body must be a JSON object")
    known = model.wire_names()
    refused = [validation_text.unknown(name) for name in body if name not in known]
    parsed: M | None = None
    problems: dict[str, str] = {}
    too_long = False
    try:
        parsed = model.from_json(body)
    except ValidationError as error:
        problems = _problems(error, body)
        # the items of an array that is refused for their number are not validated one by one
        too_long = any(detail["type"] == "too_long" for detail in error.errors(include_url=False, include_input=False))
    if whole and model.contract is not None and not too_long:
        # the model's own texts are more precise and come first
        problems = problems | _contract_problems(model, body, closed=closed) | problems
    if whole and model.contract is None and parsed is not None and closed is not False:
        problems |= dict(_unknown_in_parts(parsed))
    if whole:
        problems |= find_retired(body)
        problems = _with_older_problems(problems, body, closed=closed)
    refused += [validation_text.sentence(path, text) for path, text in problems.items()]
    if parsed is None or refused:
        raise bad_request(*refused[:_MAX_MESSAGES])
    return parsed


def _contract_problems(model: type[WireModel], body: JsonObject, *, closed: bool | Collection[str]) -> dict[str, str]:
    """Return the problems of a body by Vapi's own type; the model says which top-level fields there are."""
    given = {name: value for name, value in body.items() if name not in model.wider_fields}
    found = contract.problems(str(model.contract), given, closed=closed is not False)
    kept: dict[str, str] = {}
    for path, text in found.items():
        field, dot, _ = path.partition(".")
        if path in model.wider_fields or (
            validation_text.is_unknown(text) and not (dot and _within(field, closed=closed))
        ):
            continue
        kept[path] = text
    return kept


def _with_older_problems(
    problems: dict[str, str], body: JsonObject, *, closed: bool | Collection[str]
) -> dict[str, str]:
    """Return problems with the reasons why older forms were not replaced, instead of "should not exist"."""
    older = {
        path: text for path, text in find_older_problems(body).items() if _within(path.partition(".")[0], closed=closed)
    }
    replaced = {".".join(path.split(".")[:count]) for path in older for count in range(1, path.count(".") + 2)}
    kept = {
        path: text for path, text in problems.items() if not (path in replaced and validation_text.is_unknown(text))
    }
    return kept | older


def _unknown_in_parts(parsed: WireModel) -> Iterator[tuple[str, str]]:
    """Yield the unknown fields of the objects in a body of this server's own: path and text."""
    for attribute, field in type(parsed).model_fields.items():
        part: object = getattr(parsed, attribute)
        if not isinstance(part, WireModel):
            continue
        if part.contract is None:
            found = {name: validation_text.unknown(name) for name in part.model_extra or ()}
        else:
            found = contract.problems(part.contract, part.to_json(), closed=True)
        within = field.serialization_alias or attribute
        yield from ((f"{within}.{path}", text) for path, text in found.items() if validation_text.is_unknown(text))


def _within(field: str, *, closed: bool | Collection[str]) -> bool:
    return closed if isinstance(closed, bool) else field in closed


def findings(error: ValidationError, data: object) -> list[str]:
    """Return pydantic's errors in `data` in NestJS's words, one text for each path."""
    return [validation_text.sentence(path, text) for path, text in _problems(error, data).items()]


def _problems(error: ValidationError, data: object) -> dict[str, str]:
    texts: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path = _path(detail, data)
        text = _text(detail)
        if text and path not in texts:
            texts[path] = text
    return texts


def _path(detail: ErrorDetails, data: object) -> str:
    """Return the dotted path of an error, without the names that pydantic adds for the members of a union."""
    parts: list[str] = []
    current: object = data
    last = len(detail["loc"]) - 1
    for index, part in enumerate(detail["loc"]):
        if isinstance(current, dict) and part in current:
            current = cast("Mapping[str | int, object]", current)[part]
        elif isinstance(current, list) and isinstance(part, int):
            current = cast("Sequence[object]", current)[part]
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
    "string_pattern_mismatch": lambda c: validation_text.matching(c["pattern"]),
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
    if text is None:  # a kind of error that no declared field can have; pydantic's text is used
        return detail["msg"]
    return text if isinstance(text, str) else text(_context(detail))
