"""Vapi's types as data, and the validation of values against them.

`contract.json` contains, as JSON Schema 2020-12, the structure of Vapi's API: all types that
`ClientMessageUserInterrupted` refers to, all messages, and the main resources. `dev/contract.py` makes it from Vapi's
OpenAPI document, and says which types differ from the document and why.

The models of `bargein.wire` declare the fields that the server uses. Settings that are only kept for their vendor are
validated here.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

from bargein.wire import validation_text
from bargein.wire.accepted import FREE, accepted_fields
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_list_or_none, as_object, as_object_or_none, as_string

MAX_FINDINGS = 50
"""Maximum number of findings; validation stops there."""

_REF = "#/$defs/"
_FILE = Path(__file__).with_name("contract.json")


@cache
def _data() -> JsonObject:
    return json.loads(_FILE.read_text(encoding="utf-8"))


def definitions() -> dict[str, JsonObject]:
    """Return all types by name, as JSON Schema. The result is shared and must not be changed."""
    return _data()["$defs"]


def endpoints() -> dict[str, list[str]]:
    """Return every path of Vapi's API with its methods. A parameter is written `{id}`."""
    return _data()["paths"]


def problems(name: str, value: object, *, closed: bool = False) -> dict[str, str]:
    """Validate a value against the type `name`, and return the problems: dotted path -> text.

    A null field is read as not given, as in Vapi's API. A required field with a default may be missing.

    Args:
        name: the type.
        value: the value.
        closed: True to report fields that a type does not declare, at every depth, as Vapi's API does, except for those
            that are accepted nevertheless (`bargein.wire.accepted`). Objects without declared fields are free.

    Raises:
        KeyError: there is no type of that name.
    """
    search = _Validation(closed=closed)
    search.check({"$ref": _REF + name}, value, ())
    return search.found


def without_nulls(name: str, value: object) -> object:
    """Return a value without null fields that its type does not allow.

    Fields that the type does not declare, and fields with free contents, are not changed.

    Raises:
        KeyError: there is no type of that name.
    """
    return _without_nulls(definitions()[name], value)


def references(node: object) -> list[str]:
    """Return the names of the types that a schema refers to."""
    schema = as_object(node)
    ref = as_string(schema.get("$ref"))
    found = [] if ref is None else [ref.removeprefix(_REF)]
    return found + [name for value in (*schema.values(), *as_list(node)) for name in references(value)]


@cache
def referenced_types(name: str) -> frozenset[str]:
    """Return the names of all types that a type refers to, directly or indirectly, including itself."""
    found: set[str] = set()
    pending = [name]
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += references(definitions()[current])
    return frozenset(found)


@cache
def messages(prefix: str) -> dict[str, str]:
    """Return the messages of one direction: `type` -> name of the schema.

    Args:
        prefix: `ClientMessage`, `ServerMessage` or `ClientInboundMessage`.
    """
    return {
        kind: name
        for name, schema in definitions().items()
        if name.startswith(prefix)
        for kind in schema.get("properties", {}).get("type", {}).get("enum", ())
    }


class _Validation:
    """One validation of a value."""

    def __init__(self, *, closed: bool) -> None:
        self.found: dict[str, str] = {}
        self._closed = closed

    def check(self, schema: JsonObject, value: object, path: tuple[str, ...]) -> None:
        name = _name_of(schema)
        schema = _resolved(schema)
        members = _members(schema)
        if members is not None:
            self._check_union(schema, members, value, path)
            return
        text = _problem(schema, value)
        if text is not None:
            self._add(path, text)
        elif (fields := as_object_or_none(value)) is not None:
            self._check_object(schema, fields, path)
            if self._closed:
                self._check_others(schema, name, fields, path)
        elif "items" in schema:
            for index, item in enumerate(as_list(value)):
                if len(self.found) >= MAX_FINDINGS:
                    return
                self.check(schema["items"], item, (*path, str(index)))

    def _add(self, path: tuple[str, ...], text: str) -> None:
        self.found.setdefault(".".join(path), text)

    def _check_object(self, schema: JsonObject, value: JsonObject, path: tuple[str, ...]) -> None:
        properties = cast("Mapping[str, JsonObject]", schema.get("properties", {}))
        for name in schema.get("required", ()):
            if value.get(name) is None and not _may_be_missing(properties.get(name, {}), given=name in value):
                self._add((*path, name), validation_text.MISSING)
        others: JsonObject | None = schema.get("additionalProperties")
        for name, item in value.items():
            known = properties.get(name, others)
            if known is not None and item is not None:
                self.check(known, item, (*path, name))

    def _check_others(self, schema: JsonObject, name: str, value: JsonObject, path: tuple[str, ...]) -> None:
        """Report the fields of an object that its type does not declare, and check those that are accepted."""
        known: JsonObject = schema.get("properties", {})
        if not known or name in FREE or "additionalProperties" in schema:
            return
        accepted = accepted_fields(name)
        for field, item in value.items():
            if len(self.found) >= MAX_FINDINGS:
                return
            if field in known:
                continue
            if field not in accepted:
                shown = field[: validation_text.LONGEST_NAME]
                self._add((*path, shown), validation_text.unknown(shown))
            elif item is not None and (like := accepted[field]) is not None:
                self.check(definitions()[like]["properties"][field], item, (*path, field))

    def _check_union(self, schema: JsonObject, members: list[JsonObject], value: object, path: tuple[str, ...]) -> None:
        if not any(_allows_kind(member, value) for member in members):
            self._add(path, _kinds(members))
            return
        candidates = _candidates(schema, members, value)
        if candidates:
            self._check_any(candidates, value, path)
            return
        tag: str = schema["discriminator"]["propertyName"]
        tags = dict.fromkeys(one for member in members for one in _tag_values(member, tag))
        tag_value: object = as_object(value).get(tag)
        self._add((*path, tag), validation_text.MISSING if tag_value is None else validation_text.one_of(tags))

    def _check_any(self, members: list[JsonObject], value: object, path: tuple[str, ...]) -> None:
        """Validate against any of the members; if none matches, report the problems of the one with the fewest."""
        best: dict[str, str] | None = None
        for member in members:
            validation = _Validation(closed=self._closed)
            validation.check(member, value, path)
            if best is None or len(validation.found) < len(best):
                best = validation.found
            if not best:
                return
        for place, text in (best or {}).items():
            self.found.setdefault(place, text)


def _name_of(schema: JsonObject) -> str:
    """Return the name of the type that a schema refers to; an empty text for a type without a name."""
    return str(schema.get("$ref", "")).removeprefix(_REF)


def _resolved(schema: JsonObject) -> JsonObject:
    while "$ref" in schema:
        schema = definitions()[schema["$ref"].removeprefix(_REF)]
    return schema


def _members(schema: JsonObject) -> list[JsonObject] | None:
    return schema.get("oneOf") or schema.get("anyOf")


def _candidates(schema: JsonObject, members: list[JsonObject], value: object) -> list[JsonObject]:
    """Return the members of a union that a value could be of, by its kind and its discriminator."""
    candidates = [member for member in members if _allows_kind(member, value)]
    tag: str | None = schema.get("discriminator", {}).get("propertyName")
    fields = as_object_or_none(value)
    if tag is None or fields is None:
        return candidates
    return [member for member in candidates if _has_tag(member, tag, fields.get(tag))]


def _without_nulls(schema: JsonObject, value: object) -> object:
    schema = _resolved(schema)
    members = _members(schema)
    if members is not None:
        candidates = _candidates(schema, members, value)
        return _without_nulls(candidates[0], value) if candidates else value
    items = as_list_or_none(value) if "items" in schema else None
    if items is not None:
        return [_without_nulls(schema["items"], item) for item in items]
    fields = as_object_or_none(value)
    return value if fields is None else _fields_without_nulls(schema, fields)


def _fields_without_nulls(schema: JsonObject, value: JsonObject) -> JsonObject:
    kept: JsonObject = {}
    properties = cast("Mapping[str, JsonObject]", schema.get("properties", {}))
    for name, item in value.items():
        known = properties.get(name)
        if known is None:
            kept[name] = item
        elif item is not None or _allows_kind(known, None):
            kept[name] = _without_nulls(known, item)
    return kept


def _may_be_missing(schema: JsonObject, *, given: bool) -> bool:
    return "default" in schema or (given and _has_null(schema))


def _has_null(schema: JsonObject) -> bool:
    schema = _resolved(schema)
    members = _members(schema)
    return "null" in _types(schema) if members is None else any(map(_has_null, members))


def _types(schema: JsonObject) -> tuple[str, ...]:
    kind: object = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(cast("Iterable[str]", kind))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return _is_number(value) and float(cast("float", value)).is_integer()


_KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "object": (lambda value: isinstance(value, dict), validation_text.OBJECT),
    "array": (lambda value: isinstance(value, list), validation_text.ARRAY),
    "string": (lambda value: isinstance(value, str), validation_text.STRING),
    "boolean": (lambda value: isinstance(value, bool), validation_text.BOOLEAN),
    "number": (_is_number, validation_text.NUMBER),
    "integer": (_is_integer, validation_text.INTEGER),
    "null": (lambda value: value is None, validation_text.MISSING),
}


def _allows_kind(schema: JsonObject, value: object) -> bool:
    """Return True if a type allows values of this kind (object, array, string, …)."""
    schema = _resolved(schema)
    members = _members(schema)
    if members is not None:
        return any(_allows_kind(member, value) for member in members)
    types = _types(schema)
    return not types or any(_KINDS[kind][0](value) for kind in types)


def _kinds(schemas: list[JsonObject]) -> str:
    texts = dict.fromkeys(_KINDS[kind][1] for schema in schemas for kind in _types(_resolved(schema)) if kind != "null")
    return " or ".join(texts) or validation_text.OBJECT


def _tag_values(member: JsonObject, tag: str) -> list[str]:
    """Return the values of the discriminator `tag` for a union's member; a pattern is turned into a name."""
    schema: JsonObject = _resolved(member).get("properties", {}).get(tag, {})
    return schema.get("enum") or [_name_of_pattern(schema["pattern"])] if schema else []


def _name_of_pattern(pattern: str) -> str:
    """Return the event's name that a pattern matches."""
    return pattern.removeprefix("^").partition("(")[0].removesuffix("$").replace("\\", "")


def _has_tag(member: JsonObject, tag: str, value: object) -> bool:
    schema = _resolved(member)
    if value is None:
        return tag not in schema.get("required", ())
    return _problem(schema["properties"][tag], value) is None


def _problem(schema: JsonObject, value: object) -> str | None:
    """Return the problem of the value itself, not of its fields or items."""
    if not _allows_kind(schema, value):
        return _kinds([schema])
    enum: list[object] | None = schema.get("enum")
    if enum is not None and not any(value == one and type(value) is type(one) for one in enum):
        return validation_text.one_of(enum)
    if isinstance(value, str):
        return _string_problem(schema, value)
    items = as_list_or_none(value)
    if items is not None:
        return _length_problem(schema, len(items))
    return _number_problem(schema, cast("float", value)) if _is_number(value) else None


def _number_problem(schema: JsonObject, value: float) -> str | None:
    if "minimum" in schema and value < schema["minimum"]:
        return validation_text.at_least(schema["minimum"])
    if "maximum" in schema and value > schema["maximum"]:
        return validation_text.at_most(schema["maximum"])
    return None


def _length_problem(schema: JsonObject, length: int) -> str | None:
    if length < schema.get("minItems", 0):
        return validation_text.more_elements(schema["minItems"])
    if "maxItems" in schema and length > schema["maxItems"]:
        return validation_text.fewer_elements(schema["maxItems"])
    return None


def _string_problem(schema: JsonObject, value: str) -> str | None:
    if len(value) < schema.get("minLength", 0):
        return validation_text.longer(schema["minLength"])
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        return validation_text.shorter(schema["maxLength"])
    if "pattern" in schema and not compile_pattern(schema["pattern"]).search(value):
        return validation_text.matching(schema["pattern"])
    check = _FORMATS.get(schema.get("format", ""))
    return check[1] if check is not None and not check[0](value) else None


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a JavaScript pattern of the data file, with its Unicode categories in Python's syntax."""
    python = pattern.replace(r"[\p{L}\d]", r"[^\W_]").replace(r"\p{L}", r"[^\W\d_]")
    return re.compile(re.sub(r"\$$", r"\\Z", python))


def is_date(text: str) -> bool:
    """Return True if a text is an ISO 8601 date."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_url(text: str) -> bool:
    """Return True if a text is a URL with a scheme and a host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def is_uuid(text: str) -> bool:
    """Return True if a text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


_FORMATS: dict[str, tuple[Callable[[str], bool], str]] = {
    "date-time": (is_date, validation_text.DATE),
    "uri": (is_url, validation_text.ADDRESS),
    "uuid": (is_uuid, validation_text.UUID),
}
