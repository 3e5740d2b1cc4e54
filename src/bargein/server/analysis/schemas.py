"""JSON Schemas of owners, and values that are held to them. Only this module imports the library."""

import json
from typing import Any, NoReturn, cast

import jsonschema_rs

from bargein.errors import BargeinError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_strings

MOST_SCHEMA_CHARS = 50_000
"""The most characters of a schema: a model is sent all of it."""

WRAPPED = "result"
"""The property that has the value where a vendor can answer with an object alone (`wrapped`)."""

_MOST_PROBLEMS = 10
_MOST_PROBLEM_CHARS = 300
_MASK = "the value"


class SchemaError(BargeinError, ValueError):
    """A schema that is not valid; the text says why."""


class Schema:
    """A compiled JSON Schema. Its patterns are matched in linear time, and it refers to nothing outside of it.

    Args:
        schema: the schema.

    Attributes:
        source: the schema as it was given.

    Raises:
        SchemaError: it is not valid, too long, or refers to another document.
    """

    def __init__(self, schema: JsonObject) -> None:
        self.source = schema
        if len(json.dumps(schema)) > MOST_SCHEMA_CHARS:
            raise SchemaError(f"must be shorter than or equal to {MOST_SCHEMA_CHARS} characters")
        compile_schema = cast("Any", jsonschema_rs.Draft202012Validator)
        options: dict[str, Any] = {
            "validate_formats": True,
            "pattern_options": jsonschema_rs.RegexOptions(),
            "retriever": _refuse_reference,
        }
        try:
            self._validator = compile_schema(schema, **options)
            self._masked = compile_schema(schema, mask=_MASK, **options)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise SchemaError(f"must be a JSON Schema: {_first_line(error)}") from None

    def problems(self, value: object, *, masked: bool = False) -> list[str]:
        """Return why a value is not valid, at most ten sentences; none: it is.

        Args:
            value: the value, as JSON has it.
            masked: whether the sentences must not quote the value.
        """
        found: list[str] = []
        for error in (self._masked if masked else self._validator).iter_errors(value):
            path = ".".join(map(str, error.instance_path))
            text = str(error.message)[:_MOST_PROBLEM_CHARS]
            found.append(f"{path}: {text}" if path else text)
            if len(found) == _MOST_PROBLEMS:
                break
        return found


def _refuse_reference(_uri: str) -> NoReturn:
    raise ValueError("a schema must not refer to another document")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_MOST_PROBLEM_CHARS]


def is_object_schema(schema: JsonObject) -> bool:
    """Return whether the values of a schema are objects."""
    return schema.get("type") == "object" or ("type" not in schema and "properties" in schema)


def wrapped(schema: JsonObject) -> JsonObject:
    """Return a schema of objects: the schema itself, or one of an object whose only property has its values."""
    if is_object_schema(schema):
        return schema
    shared = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
    inner = {name: value for name, value in schema.items() if name not in shared}
    return {**shared, "type": "object", "properties": {WRAPPED: inner}, "required": [WRAPPED]}


def unwrapped(value: object, schema: JsonObject) -> object:
    """Return what `wrapped` has put into an object."""
    fields = as_object_or_none(value)
    if fields is not None and not is_object_schema(schema) and fields.keys() == {WRAPPED}:
        return fields[WRAPPED]
    return value


def without_optional_nulls(value: object, schema: JsonObject) -> object:
    """Return a value without properties that are null, not required, and must not be null.

    Models write null for what a call did not have, and OpenAI's strict schemas leave them no other choice.
    """
    items = as_list_or_none(value)
    if items is not None:
        return [without_optional_nulls(item, as_object(schema.get("items"))) for item in items]
    fields = as_object_or_none(value)
    if fields is None:
        return value
    properties, required = as_object(schema.get("properties")), as_strings(schema.get("required"))
    kept: JsonObject = {}
    for name, inner in fields.items():
        declared = as_object(properties.get(name))
        if inner is None and name in properties and name not in required and not _allows_null(declared):
            continue
        kept[name] = without_optional_nulls(inner, declared)
    return kept


def _allows_null(schema: JsonObject) -> bool:
    types: object = schema.get("type")
    return types is None or "null" in (as_list_or_none(types) or [types])
