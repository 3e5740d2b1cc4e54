"""An assistant's voicemail detection, and the time that a call may ring."""

from typing import Any

from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_objects

LISTEN_MS = 30_000
"""The part of a call that is listened to for a machine, unless the plan says otherwise."""

RING_S = 60
_MAX_RING_S = 600


def voicemail_plan(assistant: JsonObject) -> JsonObject | None:
    """Return Vapi's `voicemailDetection`; None if voicemail is not detected, which is the default."""
    plan = as_object_or_none(assistant.get("voicemailDetection"))
    return None if plan is None or plan.get("enabled") is False else plan


def beep_wait_ms(plan: JsonObject) -> float | None:
    """Return `beepMaxAwaitSeconds` in milliseconds from the start of the call; None if the plan does not have it."""
    given: object = plan.get("beepMaxAwaitSeconds")
    return float(given) * 1000 if isinstance(given, int | float) and not isinstance(given, bool) else None


def listening_ms(plan: JsonObject) -> float:
    """Return how much of a call is listened to; a person is not taken for a machine later on.

    That is half a minute, or as long as the attempts of a `backoffPlan` last: `startAtSeconds` (5) and then
    `maxRetries` (6) times `frequencySeconds` (5).
    """
    backoff = as_object_or_none(plan.get("backoffPlan"))
    if backoff is None:
        return LISTEN_MS
    start, frequency, retries = (
        _number(backoff.get(name), default)
        for name, default in (("startAtSeconds", 5.0), ("frequencySeconds", 5.0), ("maxRetries", 6.0))
    )
    return (start + frequency * retries) * 1000


def _number(given: object, default: float) -> float:
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) else default


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
