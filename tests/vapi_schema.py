"""Vapi's schema as data: a validator for each of its types, and instances that have every field."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

URI = "urn:vapi"

SHARED = Path(os.environ.get("BARGEIN_SHARED_DIR", Path(__file__).resolve().parents[2] / "shared"))
"""The same folder as the fixture `shared_dir`, for those who must know at collection."""

PRESENT = (SHARED / "spec" / "vapi-openapi.json").is_file()
"""A module that is nothing without the schema sets `__test__` to this, and is not collected where there is none."""


@lru_cache(maxsize=1)
def load(shared_dir: Path) -> dict[str, Any]:
    """The schema, with OpenAPI 3.0's `nullable` said as JSON Schema says it, and mended where it forbids itself."""
    document = json.loads((shared_dir / "spec" / "vapi-openapi.json").read_text())
    schemas = document["components"]["schemas"]
    _modernise(schemas)
    for name in ("NeuphonicVoice", "FallbackNeuphonicVoice"):
        schemas[name]["properties"]["language"] = {"type": "string"}  # a code of two letters, called an object
    return document


def _modernise(node: Any) -> None:
    if isinstance(node, dict):
        kind = node.get("type")
        if node.get("nullable") is True and isinstance(kind, str):
            node["type"] = [kind, "null"]
        if kind == "object" and node.get("enum"):
            del node["type"]  # the generator of Vapi's schema calls enums of strings objects
        if kind == "array" and "enum" in node:
            del node["enum"]  # and repeats the members' enum on the array
        if isinstance(node.get("oneOf"), list):
            node["anyOf"] = node.pop("oneOf")  # and calls unions exclusive whose members overlap
        pattern = str(node.get("pattern", ""))
        if "\\p{" in pattern or pattern.startswith("/^"):
            # Python has no Unicode categories; a literal of JavaScript, slashes and all, matches nothing
            del node["pattern"]
        for value in node.values():
            _modernise(value)
    elif isinstance(node, list):
        for value in node:
            _modernise(value)


@lru_cache(maxsize=64)
def validator(shared_dir: Path, name: str) -> Draft202012Validator:
    """A validator for one of the schema's types."""
    registry = Registry().with_resource(URI, Resource.from_contents(load(shared_dir), DRAFT202012))
    return Draft202012Validator({"$ref": f"{URI}#/components/schemas/{name}"}, registry=registry)


def problems(shared_dir: Path, name: str, instance: object) -> list[str]:
    """What is wrong with an instance, shortly; a mistake inside of a union is told by its best match."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(shared_dir, name).iter_errors(instance)]


def fill(shared_dir: Path, name: str, secret: Callable[[str], bool], marker: str, *, branch: int = 0) -> Any:
    """An instance of a type with every field, to a depth; strings under a secret name hold `marker`.

    `branch` chooses among the members of unions.
    """
    schemas = load(shared_dir)["components"]["schemas"]
    return _Filler(schemas, secret, marker, branch).build(schemas[name], 6, hidden=False)


@dataclass(frozen=True)
class _Filler:
    schemas: dict[str, Any]
    secret: Callable[[str], bool]
    marker: str
    branch: int

    def build(self, schema: dict[str, Any], depth: int, *, hidden: bool, name: str = "") -> Any:
        schema = self._resolve(schema)
        if schema.get("enum"):
            return schema["enum"][0]
        kind = schema.get("type", "object")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(schema, depth, hidden=hidden)
        if kind == "array":
            return [self.build(schema.get("items", {}), depth - 1, hidden=hidden)] if depth > 0 else []
        if kind == "string" and name == "on":
            return "customer.speech.timeout"  # an event's name, which the schema leaves open
        if kind == "string":
            return _text(schema, self.marker if hidden else "PLAIN")
        return True if kind == "boolean" else schema.get("minimum", schema.get("default", 1))

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while True:
            union = next((schema[key] for key in ("oneOf", "anyOf", "allOf") if key in schema), None)
            if "$ref" in schema:
                schema = self.schemas[schema["$ref"].rpartition("/")[2]]
            elif union:
                schema = union[self.branch % len(union)]
            else:
                return schema

    def _object(self, schema: dict[str, Any], depth: int, *, hidden: bool) -> dict[str, Any]:
        made = {
            key: self.build(value, depth - 1, hidden=hidden or self.secret(key), name=key)
            for key, value in schema.get("properties", {}).items()
            if depth > 0 or key in schema.get("required", ())
        }
        return made or ({"x-api-key": self.marker} if hidden else {})


_FORMATTED = {
    "date-time": "2026-01-02T03:04:05.678Z",
    "uri": "https://example.org/sound.mp3",
    "uuid": "7b1c0f9e-6d1f-4c55-9a43-0e6a4a6f4d11",
}


def _text(schema: dict[str, Any], text: str) -> str:
    if schema.get("format") in _FORMATTED:
        return _FORMATTED[schema["format"]]
    return text.ljust(schema.get("minLength", 0), "-")[: schema.get("maxLength", 1000)]
