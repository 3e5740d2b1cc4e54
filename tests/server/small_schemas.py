"""Simplifies schemas so that values can be generated from them: deep parts are fixed, long unions are shortened."""

from typing import Any

Schema = dict[str, Any]
MEMBERS = 3


def cut(schema: Schema, types: Schema, depth: int) -> Schema:
    """Return the schema without references; below `depth` objects each type is replaced by its smallest value."""
    while "$ref" in schema:
        schema = types[schema["$ref"].rpartition("/")[2]]
    for union in ("oneOf", "anyOf"):
        if union in schema:
            members = schema[union]
            kept = members[:: max(1, len(members) // MEMBERS)][:MEMBERS]
            return {"anyOf": [cut(member, types, depth) for member in kept]}
    if schema.get("type") == "object" and "properties" in schema:
        if depth == 0:
            return {"const": least(schema, types)}
        fields = {name: cut(value, types, depth - 1) for name, value in schema["properties"].items()}
        return {**schema, "properties": fields}
    if isinstance(schema.get("items"), dict):
        return {**schema, "items": cut(schema["items"], types, depth)}
    if isinstance(schema.get("additionalProperties"), dict):
        return {**schema, "additionalProperties": {"const": least(schema["additionalProperties"], types)}}
    return schema


def least(schema: Schema, types: Schema) -> Any:
    """Return the smallest value that a schema accepts."""
    while "$ref" in schema:
        schema = types[schema["$ref"].rpartition("/")[2]]
    for union in ("oneOf", "anyOf"):
        if union in schema:
            return least(schema[union][0], types)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: least(schema["properties"][name], types) for name in schema.get("required", ())}
    if kind == "string":
        return _TEXTS.get(schema.get("format", ""), "customer.speech.timeout"[: schema.get("maxLength", 100)])
    return {"array": [], "boolean": True}.get(kind, schema.get("minimum", 1))


_TEXTS = {
    "date-time": "2026-01-02T03:04:05.678Z",
    "uri": "https://example.org",
    "uuid": "7b1c0f9e-6d1f-4c55-9a43-0e6a4a6f4d11",
}


def with_small_bodies(document: Schema, depth: int = 2) -> Schema:
    """Return the document with simplified request bodies."""
    types = document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["schema"] = cut(content["schema"], types, depth)
    return document
