"""Typed reading of JSON values of unknown shape.

Each function returns a value of the named kind, or an empty one if the value is of another kind, so that callers need
no casts.
"""

from typing import cast

from bargein.wire.base import JsonObject


def as_object(value: object) -> JsonObject:
    """Return `value` if it is a JSON object, else an empty object."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_object_or_none(value: object) -> JsonObject | None:
    """Return `value` if it is a JSON object, else None."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object]:
    """Return `value` if it is a JSON array, else an empty list."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_list_or_none(value: object) -> list[object] | None:
    """Return `value` if it is a JSON array, else None."""
    return cast("list[object]", value) if isinstance(value, list) else None


def as_objects(value: object) -> list[JsonObject]:
    """Return the objects in a JSON array, in order; members of other kinds are left out."""
    return [cast("JsonObject", member) for member in as_list(value) if isinstance(member, dict)]


def as_strings(value: object) -> list[str]:
    """Return the strings in a JSON array, in order; members of other kinds are left out."""
    return [member for member in as_list(value) if isinstance(member, str)]


def as_string(value: object) -> str | None:
    """Return `value` if it is a string, else None."""
    return value if isinstance(value, str) else None
