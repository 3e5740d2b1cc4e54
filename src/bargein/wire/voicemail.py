"""An assistant's voicemail detection, and the time that a call may ring."""

from typing import Any

from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_objects

RING_S = 60
_MAX_RING_S = 600


def voicemail_plan(assistant: JsonObject) -> JsonObject | None:
    """Return Vapi's `voicemailDetection`; None if voicemail is not detected, which is the default."""
    plan = as_object_or_none(assistant.get("voicemailDetection"))
    return None if plan is None or plan.get("enabled") is False else plan


def carrier_detects_machine(plan: JsonObject) -> bool:
    """Return whether the carrier detects voicemail.

    Vapi has one such plan, `TwilioVoicemailDetectionPlan`; here it applies to every carrier that can.
    """
    return plan.get("provider") == "twilio"


def ring_seconds(call: JsonObject, assistant: JsonObject) -> int:
    """Return the seconds that a call may ring.

    That is the call's `transport.dialTimeout`, or `timeout` of the assistant's `transportConfigurations`; else a
    minute.
    """
    transport = as_object(call.get("transport"))
    configurations = as_objects(assistant.get("transportConfigurations"))
    ring_s: Any = transport.get("dialTimeout") or next(
        (one["timeout"] for one in configurations if one.get("timeout")), 0
    )
    return min(_MAX_RING_S, max(1, int(ring_s))) if isinstance(ring_s, int | float) and ring_s else RING_S
