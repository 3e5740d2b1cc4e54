"""Tool calls that the conversation does not allow (`rejectionPlan`)."""

from collections.abc import Callable, Sequence
from typing import cast

from bargein.turns.commands import Remember
from bargein.wire.base import JsonObject
from bargein.wire.plans import compile_regex

_LONGEST_MATCHED = 1000
"""A pattern is the owner's, but its cost is ours."""
_DEEPEST = 10
_MOST_MESSAGES = 100

Render = Callable[[str, JsonObject], str]
"""Renders a Liquid template that also sees these values; a broken one comes back as it is."""


def rejected(tool: JsonObject, history: Sequence[Remember], render: Render) -> bool:
    """Whether all conditions of the tool's `rejectionPlan` hold, so that a call of it is refused.

    A condition that cannot be read does not hold: then the tool runs.
    """
    plan: object = tool.get("rejectionPlan")
    conditions: object = cast("JsonObject", plan).get("conditions") if isinstance(plan, dict) else None
    if not isinstance(conditions, list) or not conditions:
        return False
    spoken = [entry for entry in history if entry.text and entry.tool_call_id is None]
    return all(_holds(one, spoken, render, 0) for one in cast("list[object]", conditions))


def _holds(condition: object, spoken: Sequence[Remember], render: Render, depth: int) -> bool:
    if not isinstance(condition, dict) or depth > _DEEPEST:
        return False
    given = cast("JsonObject", condition)
    match given.get("type"):
        case "regex":
            return _matches(given, spoken)
        case "liquid":
            recent = [{"role": m.role, "content": m.text} for m in spoken[-_MOST_MESSAGES:]]
            return render(str(given.get("liquid")), {"messages": recent}).strip() == "true"
        case "group":
            inner = cast("list[object]", given.get("conditions") or [])
            holding = [_holds(one, spoken, render, depth + 1) for one in inner]
            return any(holding) if given.get("operator") == "OR" else all(holding) and bool(holding)
        case _:
            return False


def _matches(condition: JsonObject, spoken: Sequence[Remember]) -> bool:
    target = cast("JsonObject", condition.get("target") or {})
    role: object = target.get("role")
    of_role = [m.text for m in spoken if role is None or m.role == role]
    position: object = target.get("position", -1)
    try:
        found = compile_regex(str(condition.get("regex"))).search(of_role[int(str(position))][-_LONGEST_MATCHED:])
    except ValueError:
        return False
    except IndexError:
        found = None
    return (found is None) == (condition.get("negate") is True)
