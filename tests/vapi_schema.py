"""Vapi's types as JSON Schema: a validator for each of them, and instances that have every field.

The types are read from `wire/contract.json` as data, and values are checked with the `jsonschema` package: nothing
here goes through `bargein.wire.contract`, so a fault of that module cannot hide itself.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

URI = "urn:vapi"

_ROOT = Path(__file__).resolve().parents[1]
_CONTRACT = _ROOT / "src" / "bargein" / "wire" / "contract.json"
_REQUIREMENT = _ROOT / "tests" / "data" / "client-message-user-interrupted.schema.json"


@lru_cache(maxsize=1)
def types() -> dict[str, Any]:
    """Return all types by name, with what Python's validator cannot read of them rewritten."""
    found: dict[str, Any] = json.loads(_CONTRACT.read_text(encoding="utf-8"))["$defs"]
    _for_python(found)
    return found


def endpoints() -> dict[str, list[str]]:
    """Return every path of Vapi's API with its methods; a parameter of a path is written `{id}`."""
    found: dict[str, list[str]] = json.loads(_CONTRACT.read_text(encoding="utf-8"))["paths"]
    return found


def message_types(prefix: str) -> dict[str, str]:
    """Map a message's `type` to the name of its schema, for the messages whose schema's name begins with `prefix`."""
    return {
        kind: name
        for name, schema in types().items()
        if name.startswith(prefix)
        for kind in schema.get("properties", {}).get("type", {}).get("enum", ())
    }


def requirement() -> dict[str, Any]:
    """Return the schema that `user-interrupted` is required to have, its references as those of `types()`."""
    text = _REQUIREMENT.read_text(encoding="utf-8").replace('"#/components/schemas/', f'"{URI}#/$defs/')
    found: dict[str, Any] = json.loads(text)
    return found


def _for_python(node: Any) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("oneOf"), list):
            node["anyOf"] = node.pop("oneOf")  # members of some unions overlap: "one of" is read as "any of"
        if "\\p{" in str(node.get("pattern", "")):
            del node["pattern"]  # Python has no Unicode categories
        for value in node.values():
            _for_python(value)
    elif isinstance(node, list):
        for value in node:
            _for_python(value)


@lru_cache(maxsize=1)
def registry() -> Registry:
    """Return a registry in which `types()` are found under `URI`."""
    return Registry().with_resource(URI, Resource.from_contents({"$defs": types()}, DRAFT202012))


@lru_cache(maxsize=64)
def validator(name: str) -> Draft202012Validator:
    """Return a validator for one of the types."""
    return Draft202012Validator({"$ref": f"{URI}#/$defs/{name}"}, registry=registry())


def problems(name: str, instance: object) -> list[str]:
    """List what is wrong with an instance of a type, each fault in at most 300 characters."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(name).iter_errors(instance)]


def fill(name: str, secret: Callable[[str], bool], marker: str, *, branch: int = 0) -> Any:
    """Build an instance of a type with every field, to a depth; strings under a secret name hold `marker`.

    `branch` chooses among the members of unions; a provider that nobody can call any more is never chosen.
    """
    return _Filler(types(), secret, marker, branch).build(types()[name], 6, hidden=False)


@dataclass(frozen=True)
class _Filler:
    schemas: dict[str, Any]
    secret: Callable[[str], bool]
    marker: str
    branch: int

    def build(self, schema: dict[str, Any], depth: int, *, hidden: bool) -> Any:
        schema = self._resolve(schema)
        if schema.get("enum"):
            return schema["enum"][0]
        kind = schema.get("type", "object")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(schema, depth, hidden=hidden)
        if kind == "array":
            return [self.build(schema.get("items", {}), depth - 1, hidden=hidden)] if depth > 0 else []
        if kind == "string":
            return _text(schema, self.marker if hidden else "PLAIN")
        return True if kind == "boolean" else schema.get("minimum", schema.get("default", 1))

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while True:
            union = next((schema[key] for key in ("oneOf", "anyOf", "allOf") if key in schema), None)
            if "$ref" in schema:
                schema = self.schemas[schema["$ref"].rpartition("/")[2]]
            elif union:
                usable = [member for member in union if not _RETIRED.search(member.get("$ref", ""))]
                schema = usable[self.branch % len(usable)]
            else:
                return schema

    def _object(self, schema: dict[str, Any], depth: int, *, hidden: bool) -> dict[str, Any]:
        made = {
            key: self.build(value, depth - 1, hidden=hidden or self.secret(key))
            for key, value in schema.get("properties", {}).items()
            if depth > 0 or key in schema.get("required", ())
        }
        return made or ({"x-api-key": self.marker} if hidden else {})


_RETIRED = re.compile(r"(PlayHT|Sesame|Tavus|Talkscriber)(Voice|Transcriber)$")
"""The types whose providers a request may not name."""

_EVENTS = ("customer.speech.timeout", "assistant.transcriber.endpointedSpeechLowConfidence")
"""Events of hooks: texts that match a pattern where a plain word does not."""

_FORMATTED = {
    "date-time": "2026-01-02T03:04:05.678Z",
    "uri": "https://example.org/sound.mp3",
    "uuid": "7b1c0f9e-6d1f-4c55-9a43-0e6a4a6f4d11",
}


def _text(schema: dict[str, Any], text: str) -> str:
    if schema.get("format") in _FORMATTED:
        return _FORMATTED[schema["format"]]
    if "pattern" in schema:
        return next(one for one in (text, *_EVENTS) if re.search(schema["pattern"], one))
    return text.ljust(schema.get("minLength", 0), "-")[: schema.get("maxLength", 1000)]
