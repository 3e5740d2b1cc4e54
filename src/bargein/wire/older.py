"""Older names of values that Vapi's pages still show: a request's are replaced by the newer ones that mean the same."""

from collections.abc import Mapping

from bargein.wire.json import as_list_or_none, as_object_or_none, as_string

TRANSFER_MODES: Mapping[str, str] = {
    "warm-transfer-with-message": "warm-transfer-say-message",
    "warm-transfer-with-summary": "warm-transfer-say-summary",
    "warm-transfer-with-twiml": "warm-transfer-twiml",
}
"""Values of `transferPlan.mode`."""

_FREE_FORM = frozenset({"metadata", "variableValues"})


def with_newer_values(data: object) -> object:
    """Return a request's body with the newer names; fields with the owner's own contents are not changed."""
    if (items := as_list_or_none(data)) is not None:
        return [with_newer_values(item) for item in items]
    if (fields := as_object_or_none(data)) is None:
        return data
    newer = {name: value if name in _FREE_FORM else with_newer_values(value) for name, value in fields.items()}
    plan = as_object_or_none(newer.get("transferPlan"))
    mode = None if plan is None else TRANSFER_MODES.get(as_string(plan.get("mode")) or "")
    if plan is not None and mode is not None:
        newer["transferPlan"] = {**plan, "mode": mode}
    return newer
