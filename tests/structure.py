"""Compares the structure of two schemas, of OpenAPI 3.0 or JSON Schema, through all their references."""

from typing import Any, NamedTuple

LIMITS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "format")
GROWING = ("model", "fallbackModels", "voiceId")
"""Names of a vendor's models and voices, which are published as free text."""

Schema = dict[str, Any]


class Difference(NamedTuple):
    """The place of a difference, from the name of the type that a field is in, and its kind."""

    where: str
    what: str


def differences(ours: Schema, our_types: Schema, theirs: Schema, their_types: Schema, name: str) -> set[Difference]:
    """Return every difference between two schemas and their references, except for texts and examples."""
    compare = _Compare(our_types, their_types)
    compare.schemas(ours, theirs, name)
    return compare.found


class _Compare:
    def __init__(self, left: Schema, right: Schema) -> None:
        self._left, self._right = left, right
        self._seen: set[tuple[str, str]] = set()
        self.found: set[Difference] = set()

    def schemas(self, left: Schema, right: Schema, where: str) -> None:
        left_name, left = _resolve(left, self._left)
        right_name, right = _resolve(right, self._right)
        if left_name and right_name and (left_name, right_name) in self._seen:
            return
        if left_name and right_name:
            self._seen.add((left_name, right_name))
            self._same(left_name, right_name, where, "reference")
        where = left_name if left_name and right_name else where
        union, other = _members(left), _members(right)
        if union is not None or other is not None:
            self._unions(union or [left], other or [right], where)
            return
        self._same(_types(left), _types(right), where, "type")
        for limit in LIMITS:
            if not (limit == "maxLength" and ("enum" in left or _types(left) == {"array"})):
                self._same(left.get(limit), right.get(limit), where, limit)
        if not _grows(where) and _types(left) != {"array"}:
            self._same(set(left.get("enum", ())), set(right.get("enum", ())), where, "enum")
        pattern = str(left.get("pattern", "")).removeprefix("/").removesuffix("u").removesuffix("/")
        if "\\p{" not in pattern:
            self._same(pattern, right.get("pattern", ""), where, "pattern")
        self._same(sorted(left.get("required", ())), sorted(right.get("required", ())), where, "required")
        self._properties(left, right, where)

    def _properties(self, left: Schema, right: Schema, where: str) -> None:
        fields, others = left.get("properties", {}), right.get("properties", {})
        self._same(set(fields), set(others), where, "properties")
        for field in fields.keys() & others.keys():
            self.schemas(fields[field], others[field], f"{where}.{field}")
        for part in ("items", "additionalProperties"):
            if isinstance(left.get(part), dict) and isinstance(right.get(part), dict):
                self.schemas(left[part], right[part], f"{where}.{part}")
            elif not _anything(left.get(part)) or not _anything(right.get(part)):
                self._same(left.get(part), right.get(part), where, part)

    def _unions(self, left: list[Schema], right: list[Schema], where: str) -> None:
        names, others = [_name(one) for one in left], [_name(one) for one in right]
        if all(names) and all(others):
            self._same(names, others, where, "members")
            for one, other in zip(left, right, strict=False):
                if _name(one) == _name(other):
                    self.schemas(one, other, where)
        elif not _grows(where):
            self._same(_summary(left, self._left), _summary(right, self._right), where, "members")
            arrays = [[one for one in members if one.get("type") == "array"] for members in (left, right)]
            for one, other in zip(*arrays, strict=False):
                self.schemas(one, other, where)

    def _same(self, left: object, right: object, where: str, what: str) -> None:
        if left != right:
            self.found.add(Difference(where, what))


def _name(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _resolve(schema: Schema, types: Schema) -> tuple[str, Schema]:
    """Return a schema without references, wrappers and unions of one, and the name of the last reference."""
    name = ""
    while True:
        only = next((schema[key] for key in ("allOf", "oneOf", "anyOf") if len(schema.get(key, ())) == 1), None)
        if "$ref" in schema:
            name = _name(schema)
            schema = types[name]
        elif only:
            (schema,) = only
        else:
            return name, schema


def _members(schema: Schema) -> list[Schema] | None:
    return schema.get("oneOf") or schema.get("anyOf")


def _types(schema: Schema) -> set[str]:
    kind = schema.get("type", ())
    found = {kind} if isinstance(kind, str) else set(kind)
    if schema.get("nullable"):
        found.add("null")
    if found == {"object"} and schema.get("enum"):
        return {"string"}  # the document calls enums of strings objects
    return found


def _anything(schema: object) -> bool:
    return schema in (None, {}, True)


def _grows(where: str) -> bool:
    return any(part in GROWING for part in where.split("."))


def _summary(members: list[Schema], types: Schema) -> dict[str, set[str]]:
    """Return the kinds of a union of plain values, and for each kind its fixed values; none if any value is allowed."""
    found: dict[str, set[str]] = {}
    free: set[str] = set()
    for member in members:
        name, schema = _resolve(member, types)
        if _anything(schema):
            return {}
        for kind in [name] if name else _types(schema):
            values = {str(value) for value in schema.get("enum", ())}
            found.setdefault(kind, set()).update(values)
            free |= set() if values else {kind}
    if set(found) == {"string", "number", "boolean", "object", "array"}:
        return {}
    return {kind: set() if kind in free else values for kind, values in found.items()}
