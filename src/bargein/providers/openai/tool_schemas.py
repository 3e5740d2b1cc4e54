"""Schemas of tools without the validation that strict function calls refuse (Vapi's `toolStrictCompatibilityMode`)."""

from typing import Any, Literal, cast

from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_objects

StrictMode = Literal["strip-parameters-with-unsupported-validation", "strip-unsupported-validation"]
"""`strip-parameters-with-unsupported-validation` removes such parameters, `strip-unsupported-validation` keeps them
without their validation."""

_UNSUPPORTED = frozenset({
    "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "patternProperties", "unevaluatedProperties", "propertyNames", "minProperties", "maxProperties",
    "unevaluatedItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems",
})  # fmt: skip
"""Keywords that OpenAI's guide to structured outputs names as unsupported, by OpenAI itself or by Azure's servers."""

_MEMBERS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_ONE = ("items", "additionalProperties", "not")


def compatible_tool(tool: JsonObject, mode: StrictMode | None) -> JsonObject:
    """Return a tool whose parameters strict function calls accept.

    Args:
        tool: as OpenAI declares functions.
        mode: how; None: a tool that is strict loses its validation, as is Vapi's default, and any other stays as it is.
    """
    function = as_object(tool.get("function"))
    parameters = as_object(function.get("parameters"))
    if not parameters or (mode is None and function.get("strict") is not True):
        return tool
    whole = mode == "strip-parameters-with-unsupported-validation"
    return {**tool, "function": {**function, "parameters": _stripped(parameters, whole=whole)}}


def _stripped(schema: JsonObject, *, whole: bool) -> JsonObject:
    found = {name: value for name, value in schema.items() if name not in _UNSUPPORTED}
    for name in _MEMBERS:
        if members := as_object(found.get(name)):
            found[name] = {
                key: member if (inner := as_object_or_none(member)) is None else _stripped(inner, whole=whole)
                for key, member in members.items()
                if not (whole and name == "properties" and _is_unsupported(member))
            }
    for name in _LISTS:
        if isinstance(found.get(name), list):
            found[name] = [_stripped(member, whole=whole) for member in as_objects(found[name])]
    for name in _ONE:
        if isinstance(found.get(name), dict):
            found[name] = _stripped(as_object(found[name]), whole=whole)
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
