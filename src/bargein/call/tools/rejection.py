"""Rejection of tool calls by the state of the conversation (`rejectionPlan`)."""

from collections.abc import Callable, Iterator, Sequence

from bargein.patterns import PatternError, compile_javascript
from bargein.turns.commands import Remember
from bargein.wire.base import JsonObject, Template
from bargein.wire.json import as_list, as_object
from bargein.wire.rejection import DEEPEST_GROUP, MOST_CONDITIONS

_MOST_MESSAGES = 100

Render = Callable[[Template, JsonObject], str]
"""Renders a Liquid template, which may also use these values; returns a broken template unchanged."""


def rejected(tool: JsonObject, history: Sequence[Remember], render: Render) -> bool:
    """Return True if all conditions of the tool's `rejectionPlan` hold, so that a call of it is refused.

    A condition that cannot be evaluated does not hold: then the tool runs.
    """
    conditions = as_list(as_object(tool.get("rejectionPlan")).get("conditions"))
    if not conditions:
        return False
    spoken = [entry for entry in history if entry.text and entry.tool_call_id is None]
    left = iter(range(MOST_CONDITIONS))
    return all(_holds(one, spoken, render, left) for one in conditions)


def _holds(condition: object, spoken: Sequence[Remember], render: Render, left: Iterator[int], depth: int = 0) -> bool:
    if depth > DEEPEST_GROUP or next(left, None) is None:  # a plan that was stored before the limits
        return False
    given = as_object(condition)
    match given.get("type"):
        case "regex":
            return _matches(given, spoken)
        case "liquid":
            recent = [{"role": m.role, "content": m.text} for m in spoken[-_MOST_MESSAGES:]]
            return render(Template(str(given.get("liquid"))), {"messages": recent}).strip() == "true"
        case "group":
            holding = [_holds(one, spoken, render, left, depth + 1) for one in as_list(given.get("conditions"))]
            return any(holding) if given.get("operator") == "OR" else all(holding) and bool(holding)
        case _:
            return False


def _matches(condition: JsonObject, spoken: Sequence[Remember]) -> bool:
    target = as_object(condition.get("target"))
    role: object = target.get("role")
    of_role = [m.text for m in spoken if role is None or m.role == role]
    position: object = target.get("position", -1)
    try:
        found = compile_javascript(str(condition.get("regex"))).found_in(of_role[int(str(position))])
    except (PatternError, ValueError):
        return False
    except IndexError:
        found = False
    return found != (condition.get("negate") is True)
