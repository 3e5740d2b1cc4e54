"""What an assistant says of voicemail, and how long a call may ring."""

from typing import Any, cast

from bargein.wire.base import JsonObject

RING_S = 60
_LONGEST_RING_S = 600


def machine_plan_of(assistant: JsonObject) -> JsonObject | None:
    """Vapi's `voicemailDetection`; None: no voicemail is looked for, which is so where an assistant says nothing."""
    given: object = assistant.get("voicemailDetection")
    if not isinstance(given, dict):
        return None
    plan = cast("JsonObject", given)
    return None if plan.get("enabled") is False else plan


def carrier_detects_machine(plan: JsonObject) -> bool:
    """Return whether a plan leaves it to the carrier to say who answered.

    Vapi has one such plan, `TwilioVoicemailDetectionPlan`; it holds for the calls of every carrier that can.
    """
    return plan.get("provider") == "twilio"


def ring_seconds(call: JsonObject, assistant: JsonObject) -> int:
    """How long a call may ring.

    The call's `transport.dialTimeout`, or `timeout` of the assistant's `transportConfigurations`; else a minute.
    """
    transport: JsonObject = call.get("transport") or {}
    configurations = cast("list[JsonObject]", assistant.get("transportConfigurations") or [])
    given: Any = transport.get("dialTimeout") or next(
        (one["timeout"] for one in configurations if one.get("timeout")), 0
    )
    return min(_LONGEST_RING_S, max(1, int(given))) if isinstance(given, int | float) and given else RING_S
