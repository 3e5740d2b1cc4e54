"""Random values of the types in the server's own OpenAPI document."""

from random import Random

from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object

NOWHERE = "http://127.0.0.1:9/nothing"
"""A URL at which nothing answers: no value may lead off this machine."""

_DEPTH = 6


class Schemas:
    """Makes values of the document's types.

    Args:
        document: the OpenAPI document.
    """

    def __init__(self, document: JsonObject) -> None:
        self.document = document
        self._named = as_object(as_object(document.get("components")).get("schemas"))

    def operations(self) -> list[tuple[str, str, JsonObject]]:
        """Return path, method and description of all operations."""
        return [
            (path, method, as_object(operation))
            for path, methods in as_object(self.document["paths"]).items()
            for method, operation in as_object(methods).items()
            if method in ("get", "post", "patch", "delete", "put")
        ]

    def body(self, operation: JsonObject, random: Random) -> object:
        """Return a value of an operation's request body; None if it takes no JSON."""
        content = as_object(as_object(operation.get("requestBody")).get("content"))
        schema = as_object(as_object(content.get("application/json")).get("schema"))
        return self.value(schema, random) if schema else None

    def value(self, schema: JsonObject, random: Random, depth: int = 0) -> object:  # noqa: C901  # one case a keyword
        """Return a random value of a schema."""
        if "$ref" in schema:
            return self.value(as_object(self._named.get(str(schema["$ref"]).rpartition("/")[2])), random, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return random.choice(as_list(schema["enum"]))
        for keyword in ("oneOf", "anyOf"):
            if choices := as_list(schema.get(keyword)):
                return self.value(as_object(random.choice(choices)), random, depth + 1)
        if parts := as_list(schema.get("allOf")):
            whole: JsonObject = {}
            for part in parts:
                whole |= as_object(self.value(as_object(part), random, depth + 1))
            return whole
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = random.choice(kind)
        if kind == "object" or "properties" in schema:
            return self._object(schema, random, depth)
        if kind == "array":
            least = int(schema.get("minItems", 0))
            count = least if depth > _DEPTH else max(least, random.choice((0, 1, 1, 2)))
            return [self.value(as_object(schema.get("items")), random, depth + 1) for _ in range(min(count, 5))]
        if kind in ("number", "integer"):
            low = float(schema.get("minimum", 0))
            number = random.uniform(low, float(schema.get("maximum", low + 10)))
            return round(number) if kind == "integer" else round(number, 3)
        if kind == "boolean":
            return random.random() < 0.5
        return None if kind == "null" else self._text(schema, random)

    def _object(self, schema: JsonObject, random: Random, depth: int) -> JsonObject:
        required = as_list(schema.get("required"))
        made: JsonObject = {}
        for name, inner in as_object(schema.get("properties")).items():
            chance = 0.0 if depth > _DEPTH else 0.35 if depth < 2 else 0.2
            if name in required or random.random() < chance:
                is_url = "url" in name.lower()
                made[name] = NOWHERE if is_url else self.value(as_object(inner), random, depth + 1)
        return made

    def _text(self, schema: JsonObject, random: Random) -> str:
        match schema.get("format"):
            case "date-time":
                return "2026-01-01T00:00:00.000Z"
            case "uuid":
                return f"00000000-0000-4000-8000-{random.randrange(16**12):012x}"
            case "uri" | "url":
                return NOWHERE
            case _:
                texts = ("Hello there.", "x", "en", "{{customer.number}}", "+15551234567", "What is your name?")
                return random.choice(texts)[: int(schema.get("maxLength", 1000))]
