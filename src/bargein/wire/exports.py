"""Records as another server has given them out, made into bodies of requests.

An export has what a server adds (`id`, `orgId`, times) and may have fields of older versions of Vapi's API, which a
request may not. `as_request` leaves the former out, turns older fields into what they are now, and leaves out and names
all others, so that a record can be brought in whole.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from bargein.wire import contract
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none
from bargein.wire.older import find_older_problems, with_newer_values, without_newer_form
from bargein.wire.validation_text import is_unknown

SET_BY_SERVERS = frozenset({
    "id", "orgId", "createdAt", "updatedAt", "latestVersion", "isServerUrlSecretSet", "modelDeprecations", "status",
    "providerResourceId", "parentId",
})  # fmt: skip
"""Fields that servers set; they are left out without a word."""

_MOST_ROUNDS = 20
_REFERENCES = frozenset({"assistantId", "squadId", "toolId", "assistantIds", "toolIds"})


@dataclass(frozen=True, slots=True)
class Exported:
    """A record of an export as the body of a request.

    Attributes:
        body: the body.
        left_out: the paths of the fields that were left out because Vapi's types do not have them.
    """

    body: JsonObject
    left_out: tuple[str, ...]


def as_request(model: type[WireModel], record: JsonObject) -> Exported:
    """Return a record as the body of a request of the type `model`.

    What is not valid for another reason stays, and is refused with the request.
    """
    body = deepcopy(record)
    left_out = [path for path in without_newer_form(body) if _remove(body, path.split("."))]
    body = cast("JsonObject", with_newer_values(body))
    refused = find_older_problems(body)
    for name in [name for name in body if name not in model.wire_names()]:
        del body[name]
        if name not in SET_BY_SERVERS:
            left_out.append(name)
    for _ in range(_MOST_ROUNDS):  # each round finds at most so many as a refusal names
        given = {name: value for name, value in body.items() if name not in model.wider_fields}
        found = {} if model.contract is None else contract.problems(model.contract, given, closed=True)
        unknown = [
            path
            for path, text in found.items()
            if is_unknown(text) and not any(one == path or one.startswith(f"{path}.") for one in refused)
        ]
        removed = [path for path in unknown if _remove(body, path.split("."))]
        left_out += [path for path in removed if path.rpartition(".")[2] not in SET_BY_SERVERS]
        if not removed:
            break
    return Exported(body, tuple(left_out))


def with_references(value: Any, ids: Mapping[str, str]) -> Any:
    """Return JSON with the ids of assistants, squads and tools that it refers to replaced.

    Args:
        value: the JSON.
        ids: the new ids by the old ones; others stay.
    """
    if (fields := as_object_or_none(value)) is not None:
        return {
            name: _replaced(item, ids) if name in _REFERENCES else with_references(item, ids)
            for name, item in fields.items()
        }
    items = as_list_or_none(value)
    return value if items is None else [with_references(item, ids) for item in items]


def _replaced(value: Any, ids: Mapping[str, str]) -> Any:
    if (items := as_list_or_none(value)) is not None:
        return [_replaced(item, ids) for item in items]
    return ids.get(value, value) if isinstance(value, str) else value


def _remove(body: JsonObject, path: list[str]) -> bool:
    """Remove the field at a path; return False if the path leads nowhere (a name with a dot in it)."""
    current: object = body
    for part in path[:-1]:
        items = as_list_or_none(current)
        if items is None:
            current = as_object(current).get(part)
        else:
            current = items[int(part)] if part.isdecimal() and int(part) < len(items) else None
    return as_object(current).pop(path[-1], path) is not path
