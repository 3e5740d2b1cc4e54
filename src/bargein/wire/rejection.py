"""Limits on the conditions of a tool's `rejectionPlan`, which are evaluated on the event loop when a tool is called."""

from bargein.errors import BargeinError
from bargein.patterns import PatternError, compile_javascript
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object

MOST_CONDITIONS = 50
"""The most conditions of a plan, with those in groups."""
DEEPEST_GROUP = 10
"""The most groups within each other."""


class RejectionPlanError(BargeinError, ValueError):
    """A `rejectionPlan` exceeds a limit, or has a pattern that is not supported."""


def check_rejection_plan(plan: JsonObject) -> JsonObject:
    """Return the plan, if this server can evaluate it.

    Raises:
        RejectionPlanError: it has too many conditions, or a `regex` that is not supported.
    """
    count = 0
    waiting = as_list(plan.get("conditions"))[: MOST_CONDITIONS + 1]
    while waiting:
        given = as_object(waiting.pop())
        count += 1
        if count > MOST_CONDITIONS:
            raise RejectionPlanError(f"must contain no more than {MOST_CONDITIONS} conditions")
        waiting += as_list(given.get("conditions"))[: MOST_CONDITIONS + 1]
        regex: object = given.get("regex")
        if given.get("type") == "regex" and isinstance(regex, str):
            try:
                compile_javascript(regex)
            except PatternError as error:
                raise RejectionPlanError(f"has a condition whose regex {error}") from None
    return plan


def check_tool(tool: JsonObject) -> JsonObject:
    """Return a tool of an assistant, if this server can evaluate its `rejectionPlan`.

    Raises:
        RejectionPlanError: it cannot.
    """
    try:
        check_rejection_plan(as_object(tool.get("rejectionPlan")))
    except RejectionPlanError as error:
        raise RejectionPlanError(f"must have another rejectionPlan: it {error}") from None
    return tool
