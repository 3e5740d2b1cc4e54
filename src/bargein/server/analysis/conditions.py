"""Conditions of structured outputs, by Vapi's types `MinMessagesCondition` and the others of that kind."""

from collections.abc import Sequence

from bargein.wire.base import JsonObject
from bargein.wire.call import duration_ms
from bargein.wire.json import as_object, as_objects, as_string, as_strings

DEFAULT_LEAST_MESSAGES = 2
"""The messages of a conversation that is analysed, where no plan and no condition says another number."""

_COUNTED = frozenset({"user", "assistant", "bot"})


def message_count(call: JsonObject) -> int:
    """Return the number of messages of caller and assistant in an ended call's artifact."""
    messages = as_objects(as_object(call.get("artifact")).get("messages"))
    return sum(message.get("role") in _COUNTED and bool(as_string(message.get("message"))) for message in messages)


def unmet_condition(conditions: Sequence[JsonObject], call: JsonObject) -> JsonObject | None:
    """Return the first condition that an ended call does not meet; None: it meets all.

    Without a condition on the number of messages there must be `DEFAULT_LEAST_MESSAGES`. A call without times meets
    each condition on its duration.

    Args:
        conditions: `conditions` of a structured output.
        call: the call's record.
    """
    given = list(conditions)
    if all(one.get("type") != "minMessages" for one in given):
        given.append({"type": "minMessages", "count": DEFAULT_LEAST_MESSAGES})
    return next((one for one in given if not _is_met(one, call)), None)


def _is_met(condition: JsonObject, call: JsonObject) -> bool:
    match condition.get("type"):
        case "minMessages":
            return message_count(call) >= _number(condition.get("count"))
        case "minCallDuration":
            lasted_ms = duration_ms(call)
            return lasted_ms is None or lasted_ms >= _number(condition.get("seconds")) * 1000
        case "endedReason":
            listed = (as_string(call.get("endedReason")) or "") in as_strings(condition.get("values"))
            return listed == (condition.get("operator") != "notOneOf")
        case _:
            return True


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
