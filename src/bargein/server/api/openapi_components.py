"""Vapi's types as components of the OpenAPI document, and the schemas of request bodies that are made of them."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, cast

from pydantic.json_schema import models_json_schema

from bargein.wire import contract
from bargein.wire.base import WireModel

Schema = dict[str, Any]

REF = "#/components/schemas/"
OWN = f"{REF}Own.{{model}}"
"""The reference to a type that only this server has. Its own prefix keeps it apart from Vapi's types."""

_VAPIS_NAMES = {"Function": "OpenAIFunction"}
"""Vapi's names of the types that have another name here."""

_PORTABLE = {r"^\p{L}[\p{L}\d]*(?::[+-]?\d+)?$": r"^[^\s\d:][^\s:]*(?::[+-]?\d+)?$"}
"""Patterns with Unicode categories, which Python's `re` does not have -> the nearest pattern without."""


class ModelSchemas:
    """The JSON Schemas of models, generated together: one by one, each would generate the types that they share.

    Args:
        models: the models.
    """

    def __init__(self, models: Collection[type[WireModel]]) -> None:
        self._ours = _generate([model for model in models if model.contract is not None], f"{REF}{{model}}")
        self._own = _generate([model for model in models if model.contract is None], OWN)

    def of_body(self, model: type[WireModel], *, partial: bool) -> list[Schema]:
        """Return the schemas of a body that is read as `model`: the model's fields, each as Vapi's type describes it.

        Args:
            model: the model. One that stands for several types of Vapi's has a schema for each.
            partial: whether fields are optional that are required in a whole record.
        """
        if model.contract is None:
            return [_closed(dict(self._own[model]), partial=partial)]
        ours = self._ours[model]
        return [_merged(ours, theirs, partial=partial) for theirs in _vapis_types(model.contract, ours)]


def _generate(models: Sequence[type[WireModel]], reference: str) -> dict[type[WireModel], Schema]:
    """Return the schema of each model, whose references are made by the template `reference`."""
    if not models:
        return {}
    pointers, document = models_json_schema(
        [(model, "validation") for model in models], by_alias=True, ref_template=reference
    )
    definitions = {reference.format(model=name): schema for name, schema in document["$defs"].items()}
    return {model: definitions[pointers[model, "validation"]["$ref"]] for model in models}


def _vapis_types(name: str, ours: Schema) -> list[Schema]:
    """Return Vapi's type or, of a union, the members whose discriminator the model allows."""
    schema = contract.definitions()[name]
    members = schema.get("oneOf") or schema.get("anyOf")
    if members is None:
        return [schema]
    tag = schema["discriminator"]["propertyName"]
    own = ours["properties"][tag]
    allowed = set(own.get("enum", [own.get("const")]))
    found = [contract.definitions()[one["$ref"].rpartition("/")[2]] for one in members]
    return [one for one in found if allowed & set(one["properties"][tag]["enum"])]


def _merged(ours: Schema, theirs: Schema, *, partial: bool) -> Schema:
    fields = {name: _not_null(value) for name, value in ours["properties"].items()}
    fields |= {name: in_openapi(value) for name, value in theirs["properties"].items() if name in fields}
    made = {"type": "object", "properties": fields, "required": theirs.get("required", [])}
    return _closed(made, partial=partial)


def _closed(schema: Schema, *, partial: bool) -> Schema:
    if partial or not schema.get("required"):
        schema.pop("required", None)
    return {**schema, "additionalProperties": False}


def _not_null(schema: Schema) -> Schema:
    """Return a field's schema without null, which means the same as leaving the field out."""
    kept = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    made = [{key: value for key, value in one.items() if key not in ("title", "default")} for one in kept]
    for one in made:
        name = str(one.get("$ref", "")).rpartition("/")[2]
        if name:
            one["$ref"] = REF + _VAPIS_NAMES.get(name, name)
    return made[0] if len(made) == 1 else {"anyOf": made}


@cache
def components() -> Schema:
    """Return all types of Vapi's that the document can refer to, in OpenAPI 3.1."""
    return {name: in_openapi(portable(schema)) for name, schema in contract.definitions().items()}


def referred_to(document: Schema, types: Schema) -> Schema:
    """Return those of `types` that the document refers to, directly or through other types."""
    found: Schema = {}
    pending = _names(document)
    while pending:
        name = pending.pop()
        if name in types and name not in found:
            found[name] = types[name]
            pending += _names(types[name])
    return dict(sorted(found.items()))


def _names(node: object) -> list[str]:
    return [name.removeprefix(REF) for name in contract.references(node)]


def in_openapi(node: object) -> object:
    """Return a schema of the contract with its references as the document has them.

    Discriminators are left out: in OpenAPI one has to name all members, which these do not; the members' own enums
    tell them apart.
    """
    if isinstance(node, list):
        return [in_openapi(value) for value in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("Schema", node)
    made = {key: in_openapi(value) for key, value in schema.items() if key != "discriminator"}
    reference: object = schema.get("$ref")
    if isinstance(reference, str):
        made["$ref"] = REF + reference.rpartition("/")[2]
    return made


def portable(node: object) -> object:
    """Return a schema whose patterns every regular expression engine can read."""
    if isinstance(node, dict):
        made = {key: portable(value) for key, value in cast("dict[str, Any]", node).items()}
        pattern: object = made.get("pattern")
        return made | ({"pattern": _PORTABLE[pattern]} if isinstance(pattern, str) and pattern in _PORTABLE else {})
    return [portable(value) for value in cast("list[object]", node)] if isinstance(node, list) else node
