"""Schemas as vendors accept them that hold a model to a schema ("strict"): with less validation, and more required."""

from typing import Any, Final, cast

from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object, as_object_or_none, as_objects, as_strings

_UNSUPPORTED = frozenset({
    "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "patternProperties", "unevaluatedProperties", "propertyNames", "minProperties", "maxProperties",
    "unevaluatedItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems",
})  # fmt: skip
"""Keywords that OpenAI's guide to structured outputs names as unsupported, by OpenAI itself or by Azure's servers."""

_MEMBERS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_ONE = ("items", "additionalProperties", "not")

_COMBINED = frozenset({"allOf", "oneOf", "not", "prefixItems", "if", "then", "else"})
"""Keywords that no strict schema has."""

_NULL: Final[JsonObject] = {"type": "null"}


def without_validation(schema: JsonObject, *, whole: bool = False) -> JsonObject:
    """Return a schema without the validation that strict schemas must not have.

    Args:
        schema: the schema.
        whole: whether to leave out properties that have such validation, instead of their validation alone.
    """
    found = {name: value for name, value in schema.items() if name not in _UNSUPPORTED}
    for name in _MEMBERS:
        if members := as_object(found.get(name)):
            found[name] = {
                key: member if (inner := as_object_or_none(member)) is None else without_validation(inner, whole=whole)
                for key, member in members.items()
                if not (whole and name == "properties" and _is_unsupported(member))
            }
    for name in _LISTS:
        if isinstance(found.get(name), list):
            found[name] = [without_validation(member, whole=whole) for member in as_objects(found[name])]
    for name in _ONE:
        if isinstance(found.get(name), dict):
            found[name] = without_validation(as_object(found[name]), whole=whole)
    required = found.get("required")
    if whole and isinstance(required, list):
        properties = as_object(found.get("properties"))
        found["required"] = [name for name in cast("list[Any]", required) if name in properties]
    return found


def _is_unsupported(member: object) -> bool:
    """Return True if a parameter has unsupported validation, itself or within it."""
    schema = as_object(member)
    if not schema or _UNSUPPORTED & schema.keys():
        return bool(schema)
    nested = [*as_object(schema.get("properties")).values(), *(schema.get(name) for name in _ONE)]
    nested += [one for name in _LISTS for one in as_objects(schema.get(name))]
    return any(_is_unsupported(one) for one in nested)


def response_format(schema: JsonObject) -> JsonObject:
    """Return `response_format` of OpenAI's chat completions for answers that are JSON of a schema of objects.

    It is strict where the schema can be written as strict ones are, in which all properties are required: those that
    are not get null as a further value.
    """
    strict = _strict(without_validation(schema))
    held = {"name": "answer", "strict": strict is not None, "schema": schema if strict is None else strict}
    return {"type": "json_schema", "json_schema": held}


def _strict(schema: JsonObject) -> JsonObject | None:
    """Return a schema as strict ones are written; None: it says something that they cannot."""
    if _COMBINED & schema.keys():
        return None
    found = dict(schema)
    for name in ("$defs", "definitions"):
        if name in found:
            members = _all_strict(as_object(found[name]))
            if members is None:
                return None
            found[name] = members
    if "$ref" in found:
        return found
    if "anyOf" in found:
        choices = [_strict(choice) for choice in as_objects(found["anyOf"])]
        return None if None in choices else {**found, "anyOf": choices}
    types = as_list(found["type"]) if isinstance(found.get("type"), list) else [found.get("type")]
    if types == [None] and "enum" not in found and "const" not in found:
        return None
    if "object" in types:
        return _strict_object(found)
    if "array" in types:
        items = _strict(as_object(found.get("items"))) if as_object(found.get("items")) else None
        return None if items is None else {**found, "items": items}
    return found


def _strict_object(schema: JsonObject) -> JsonObject | None:
    properties = _all_strict(as_object(schema.get("properties")))
    if not properties or schema.get("additionalProperties", False) is not False:
        return None
    required = as_strings(schema.get("required"))
    members = {name: one if name in required else _nullable(one) for name, one in properties.items()}
    return {**schema, "properties": members, "required": [*members], "additionalProperties": False}


def _all_strict(members: JsonObject) -> JsonObject | None:
    found: JsonObject = {}
    for name, member in members.items():
        strict = _strict(as_object(member))
        if strict is None:
            return None
        found[name] = strict
    return found


def _nullable(schema: JsonObject) -> JsonObject:
    given: object = schema.get("type")
    if "$ref" in schema or "const" in schema or given is None:
        return {"anyOf": [schema, _NULL]}
    types = as_list(cast("object", given)) if isinstance(given, list) else [given]
    enum = (
        {"enum": [*as_list(schema["enum"]), None]} if "enum" in schema and None not in as_list(schema["enum"]) else {}
    )
    return {**schema, "type": types if "null" in types else [*types, "null"], **enum}
