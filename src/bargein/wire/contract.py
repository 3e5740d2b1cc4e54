"""Vapi's types as data, and whether a value is one of them.

`contract.json` holds, as JSON Schema 2020-12, the structure of what Vapi's API takes and gives: all that
`ClientMessageUserInterrupted` refers to, all messages, the main resources. It is made from Vapi's OpenAPI document
(`dev/contract.py`), which also says what is taken differently and why.

The models in this room are what the server honours. This is the rest: a setting that is only kept for its vendor is
held to its range all the same.
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
from bargein.wire.base import JsonObject

MAX_FINDINGS = 50
"""Where a value has more faults than these, the rest is not looked for."""

_REF = "#/$defs/"
_FILE = Path(__file__).with_name("contract.json")


@cache
def _data() -> JsonObject:
    return json.loads(_FILE.read_text(encoding="utf-8"))


def definitions() -> dict[str, JsonObject]:
    """All types by name, as JSON Schema. They are shared: not to be changed."""
    return _data()["$defs"]


def endpoints() -> dict[str, list[str]]:
    """Every path of Vapi's API -> its methods. A parameter is written `{id}`."""
    return _data()["paths"]


def problems(name: str, value: object) -> dict[str, str]:
    """What keeps a value from being of the type of that name: dotted path -> what is wrong there.

    A field that is null is read as not given, as Vapi's API does. A field that the type does not name is let be. One
    that must be there and has a default may be missing.

    Raises:
        KeyError: there is no type of that name.
    """
    search = _Search()
    search.check(definitions()[name], value, ())
    return search.found


def without_nulls(name: str, value: object) -> object:
    """The same value without the fields that are null and may not be, by the type of that name.

    What the type does not name, and what its owner may fill freely, stays as it is.

    Raises:
        KeyError: there is no type of that name.
    """
    return _tidied(definitions()[name], value)


def references(node: object) -> list[str]:
    """The names of the types that a schema refers to."""
    if isinstance(node, dict):
        schema = cast("JsonObject", node)
        here: object = schema.get("$ref")
        found = [here.removeprefix(_REF)] if isinstance(here, str) else []
        return found + [name for value in schema.values() for name in references(value)]
    return (
        [name for value in cast("list[object]", node) for name in references(value)] if isinstance(node, list) else []
    )


@cache
def reached(name: str) -> frozenset[str]:
    """The names of all types that this one is made of, itself among them."""
    found: set[str] = set()
    left = [name]
    while left:
        here = left.pop()
        if here not in found:
            found.add(here)
            left += references(definitions()[here])
    return frozenset(found)


@cache
def messages(prefix: str) -> dict[str, str]:
    """The messages of one side: `type` on the wire -> name of its type.

    Args:
        prefix: `ClientMessage`, `ServerMessage` or `ClientInboundMessage`.
    """
    return {
        kind: name
        for name, schema in definitions().items()
        if name.startswith(prefix)
        for kind in schema.get("properties", {}).get("type", {}).get("enum", ())
    }


class _Search:
    """One search for faults."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def check(self, schema: JsonObject, value: object, path: tuple[str, ...]) -> None:
        schema = _resolved(schema)
        members = _members(schema)
        if members is not None:
            self._check_union(schema, members, value, path)
            return
        text = _fault(schema, value)
        if text is not None:
            self._fault(path, text)
        elif isinstance(value, dict):
            self._check_object(schema, cast("JsonObject", value), path)
        elif isinstance(value, list) and "items" in schema:
            for index, item in enumerate(cast("list[object]", value)):
                if len(self.found) >= MAX_FINDINGS:
                    return
                self.check(schema["items"], item, (*path, str(index)))

    def _fault(self, path: tuple[str, ...], text: str) -> None:
        self.found.setdefault(".".join(path), text)

    def _check_object(self, schema: JsonObject, value: JsonObject, path: tuple[str, ...]) -> None:
        properties = cast("Mapping[str, JsonObject]", schema.get("properties", {}))
        for name in schema.get("required", ()):
            if value.get(name) is None and not _may_be_missing(properties.get(name, {}), given=name in value):
                self._fault((*path, name), validation_text.MISSING)
        others: JsonObject | None = schema.get("additionalProperties")
        for name, item in value.items():
            known = properties.get(name, others)
            if known is not None and item is not None:
                self.check(known, item, (*path, name))

    def _check_union(self, schema: JsonObject, members: list[JsonObject], value: object, path: tuple[str, ...]) -> None:
        if not any(_takes_kind(member, value) for member in members):
            self._fault(path, _kinds(members))
            return
        able = _able(schema, members, value)
        if able:
            self._check_any(able, value, path)
            return
        mark: str = schema["discriminator"]["propertyName"]
        marks = dict.fromkeys(one for member in members for one in _marks(member, mark))
        given: object = cast("JsonObject", value).get(mark)
        self._fault((*path, mark), validation_text.MISSING if given is None else validation_text.one_of(marks))

    def _check_any(self, members: list[JsonObject], value: object, path: tuple[str, ...]) -> None:
        """One of them must take the value; if none does, the one with the fewest faults is what was meant."""
        best: dict[str, str] | None = None
        for member in members:
            search = _Search()
            search.check(member, value, path)
            if best is None or len(search.found) < len(best):
                best = search.found
            if not best:
                return
        for place, text in (best or {}).items():
            self.found.setdefault(place, text)


def _resolved(schema: JsonObject) -> JsonObject:
    while "$ref" in schema:
        schema = definitions()[schema["$ref"].removeprefix(_REF)]
    return schema


def _members(schema: JsonObject) -> list[JsonObject] | None:
    return schema.get("oneOf") or schema.get("anyOf")


def _able(schema: JsonObject, members: list[JsonObject], value: object) -> list[JsonObject]:
    """The members of a union that a value could be of, by its kind and its mark."""
    able = [member for member in members if _takes_kind(member, value)]
    mark: str | None = schema.get("discriminator", {}).get("propertyName")
    if mark is None or not isinstance(value, dict):
        return able
    given: object = cast("JsonObject", value).get(mark)
    return [member for member in able if _is_marked(member, mark, given)]


def _tidied(schema: JsonObject, value: object) -> object:
    schema = _resolved(schema)
    members = _members(schema)
    if members is not None:
        able = _able(schema, members, value)
        return _tidied(able[0], value) if able else value
    if isinstance(value, list) and "items" in schema:
        return [_tidied(schema["items"], item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return _without_its_nulls(schema, cast("JsonObject", value))
    return cast("object", value)


def _without_its_nulls(schema: JsonObject, value: JsonObject) -> JsonObject:
    tidy: JsonObject = {}
    properties = cast("Mapping[str, JsonObject]", schema.get("properties", {}))
    for name, item in value.items():
        known = properties.get(name)
        if known is None:
            tidy[name] = item
        elif item is not None or _takes_kind(known, None):
            tidy[name] = _tidied(known, item)
    return tidy


def _may_be_missing(schema: JsonObject, *, given: bool) -> bool:
    return "default" in schema or (given and "null" in _types(_resolved(schema)))


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


def _takes_kind(schema: JsonObject, value: object) -> bool:
    """Whether a type could take a value, by its kind alone."""
    schema = _resolved(schema)
    members = _members(schema)
    if members is not None:
        return any(_takes_kind(member, value) for member in members)
    types = _types(schema)
    return not types or any(_KINDS[kind][0](value) for kind in types)


def _kinds(schemas: list[JsonObject]) -> str:
    texts = dict.fromkeys(_KINDS[kind][1] for schema in schemas for kind in _types(_resolved(schema)) if kind != "null")
    return " or ".join(texts) or validation_text.OBJECT


def _marks(member: JsonObject, mark: str) -> list[str]:
    """The values of the property `mark` by which a union's member is known; a pattern stands for what it matches."""
    schema: JsonObject = _resolved(member).get("properties", {}).get(mark, {})
    return schema.get("enum") or [_plain(schema["pattern"])] if schema else []


def _plain(pattern: str) -> str:
    """A pattern of an event's name, as the name."""
    return pattern.removeprefix("^").partition("(")[0].removesuffix("$").replace("\\", "")


def _is_marked(member: JsonObject, mark: str, given: object) -> bool:
    schema = _resolved(member)
    if given is None:
        return mark not in schema.get("required", ())
    return _fault(schema["properties"][mark], given) is None


def _fault(schema: JsonObject, value: object) -> str | None:
    """What is wrong with the value itself, not with what is in it."""
    if not _takes_kind(schema, value):
        return _kinds([schema])
    enum: list[object] | None = schema.get("enum")
    if enum is not None and not any(value == one and type(value) is type(one) for one in enum):
        return validation_text.one_of(enum)
    if isinstance(value, str):
        return _text_fault(schema, value)
    if isinstance(value, list):
        return _length_fault(schema, len(cast("list[object]", value)))
    return _number_fault(schema, cast("float", value)) if _is_number(value) else None


def _number_fault(schema: JsonObject, value: float) -> str | None:
    if "minimum" in schema and value < schema["minimum"]:
        return validation_text.at_least(schema["minimum"])
    if "maximum" in schema and value > schema["maximum"]:
        return validation_text.at_most(schema["maximum"])
    return None


def _length_fault(schema: JsonObject, length: int) -> str | None:
    if length < schema.get("minItems", 0):
        return validation_text.more_elements(schema["minItems"])
    if "maxItems" in schema and length > schema["maxItems"]:
        return validation_text.fewer_elements(schema["maxItems"])
    return None


def _text_fault(schema: JsonObject, value: str) -> str | None:
    if len(value) < schema.get("minLength", 0):
        return validation_text.longer(schema["minLength"])
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        return validation_text.shorter(schema["maxLength"])
    if "pattern" in schema and not compiled(schema["pattern"]).search(value):
        return validation_text.matching(schema["pattern"])
    check = _FORMATS.get(schema.get("format", ""))
    return check[1] if check is not None and not check[0](value) else None


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of the data file, which is JavaScript's, with its Unicode categories said as Python can."""
    python = pattern.replace(r"[\p{L}\d]", r"[^\W_]").replace(r"\p{L}", r"[^\W\d_]")
    return re.compile(re.sub(r"\$$", r"\\Z", python))


def is_date(text: str) -> bool:
    """Whether a text is a date of ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_address(text: str) -> bool:
    """Whether a text is an address with a scheme and a host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


_FORMATS: dict[str, tuple[Callable[[str], bool], str]] = {
    "date-time": (is_date, validation_text.DATE),
    "uri": (is_address, validation_text.ADDRESS),
    "uuid": (is_uuid, validation_text.UUID),
}
