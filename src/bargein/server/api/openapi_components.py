"""Vapi's types as components of the OpenAPI document: what bodies and answers are made of."""

from functools import cache
from typing import Any, cast

from bargein.server.api.schemas import portable
from bargein.wire import contract
from bargein.wire.base import WireModel

Schema = dict[str, Any]

REF = "#/components/schemas/"
OWN = f"{REF}Own.{{model}}"
"""Where a type stands that is ours alone."""

_ONE = {
    "assistant": "Assistant", "call": "Call", "phone-number": "PhoneNumber", "tool": "Tool", "squad": "Squad",
    "file": "File",
}  # fmt: skip
"""What a resource's routes answer, by the first part of their path. Chats and sessions also hold messages in OpenAI's
shape, which Vapi's clients send and its own type of a chat does not have."""
_PAGES = {"call": "CallPaginatedResponse", "phone-number": "PhoneNumberPaginatedResponse"}
_OF_OURS = {"Function": "OpenAIFunction"}
"""Vapi's name of a type that has another one here."""


def body_schemas(model: type[WireModel], *, partial: bool) -> list[Schema]:
    """What a body may be that is read as `model`: its own fields, and of each what Vapi's type says.

    Args:
        model: the model. One that stands for several of Vapi's types gives a schema for each.
        partial: whether fields may be left out that a whole one must have.
    """
    ours = model.model_json_schema(by_alias=True, ref_template=f"{REF}{{model}}")
    if model.contract is None:
        own = model.model_json_schema(by_alias=True, ref_template=OWN)
        own.pop("$defs", None)
        return [_closed(own, partial=partial)]
    return [_laid_over(ours, theirs, partial=partial) for theirs in _of_vapi(model.contract, ours)]


def _of_vapi(name: str, ours: Schema) -> list[Schema]:
    """Vapi's type or, of a union, the members that the model's mark allows."""
    schema = contract.definitions()[name]
    members = schema.get("oneOf") or schema.get("anyOf")
    if members is None:
        return [schema]
    mark = schema["discriminator"]["propertyName"]
    own = ours["properties"][mark]
    allowed = set(own.get("enum", [own.get("const")]))
    found = [contract.definitions()[one["$ref"].rpartition("/")[2]] for one in members]
    return [one for one in found if allowed & set(one["properties"][mark]["enum"])]


def _laid_over(ours: Schema, theirs: Schema, *, partial: bool) -> Schema:
    fields = {name: _not_null(value) for name, value in ours["properties"].items()}
    fields |= {name: in_openapi(value) for name, value in theirs["properties"].items() if name in fields}
    made = {"type": "object", "properties": fields, "required": theirs.get("required", [])}
    return _closed(made, partial=partial)


def _closed(schema: Schema, *, partial: bool) -> Schema:
    if partial or not schema.get("required"):
        schema.pop("required", None)
    return {**schema, "additionalProperties": False}


def _not_null(schema: Schema) -> Schema:
    """A field of ours that may be left out; that null says the same needs no telling."""
    kept = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    made = [{key: value for key, value in one.items() if key not in ("title", "default")} for one in kept]
    for one in made:
        name = str(one.get("$ref", "")).rpartition("/")[2]
        if name:
            one["$ref"] = REF + _OF_OURS.get(name, name)
    return made[0] if len(made) == 1 else {"anyOf": made}


def type_answers(document: Schema) -> None:
    """Say of each answer that holds a stored resource what type it has."""
    for path, operations in document["paths"].items():
        parts = [part for part in path.split("/") if part]
        pages = parts[:1] == ["v2"]
        name = (_PAGES if pages else _ONE).get(parts[1] if pages else (parts or [""])[0])
        if name is None:
            continue
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status.startswith("2"):
                    for content in answer.get("content", {}).values():
                        _put(content, name)


def _put(content: Schema, name: str) -> None:
    schema: Schema = content.get("schema", {})
    where: Schema = schema.get("items", schema)
    if where.get("$ref") in (f"{REF}Stored", f"{REF}Page"):
        where["$ref"] = REF + name


@cache
def components() -> Schema:
    """All of Vapi's types that a document of this server may refer to, in OpenAPI 3.1."""
    return {name: in_openapi(portable(schema)) for name, schema in contract.definitions().items()}


def referred_to(document: Schema, types: Schema) -> Schema:
    """Those of the types that the document refers to, by however many steps."""
    found: Schema = {}
    left = _names(document)
    while left:
        name = left.pop()
        if name in types and name not in found:
            found[name] = types[name]
            left += _names(types[name])
    return dict(sorted(found.items()))


def _names(node: object) -> list[str]:
    return [name.removeprefix(REF) for name in contract.references(node)]


def in_openapi(node: object) -> object:
    """A schema of the contract with its references as a document has them.

    A discriminator says in OpenAPI what it does not say here unless it names all members, so it is left out: the
    members tell themselves apart.
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
