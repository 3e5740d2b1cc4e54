"""When a call may begin (Vapi's `SchedulePlan`)."""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, cast

from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

GRACE_MS = 15_000
"""For so long after `latestAt` a call is not ended yet: another server may just have let somebody join it."""

NEVER_JOINED = "customer-did-not-answer"
"""The `endedReason` of a call that nobody joined until its `latestAt`."""


class Schedule(NamedTuple):
    """A call's plan, in milliseconds since 1970.

    Attributes:
        earliest_ms: from then on the call may be joined.
        latest_ms: until then; None: for ever.
    """

    earliest_ms: int
    latest_ms: int | None


def schedule_of(call: JsonObject) -> Schedule | None:
    """The plan of a call that has one; one that cannot be read is none."""
    given: object = call.get("schedulePlan")
    plan = cast("JsonObject", given) if isinstance(given, dict) else {}
    earliest_ms = _epoch_ms(plan.get("earliestAt"))
    return None if earliest_ms is None else Schedule(earliest_ms, _epoch_ms(plan.get("latestAt")))


def check_schedule(call: JsonObject, now_ms: int) -> None:
    """See that there will be a time at which a call can be joined.

    Args:
        call: as it was asked for; the dates in it are dates.
        now_ms: milliseconds since 1970.

    Raises:
        WireError: 400.
    """
    schedule = schedule_of(call)
    if schedule is None or schedule.latest_ms is None:
        return
    if schedule.latest_ms < schedule.earliest_ms:
        raise bad_request("schedulePlan.latestAt must not be before schedulePlan.earliestAt")
    if schedule.latest_ms <= now_ms:
        raise bad_request("schedulePlan.latestAt must be in the future")


def first_status(call: JsonObject, now_ms: int) -> Literal["scheduled", "queued"]:
    """The status with which a call is made."""
    schedule = schedule_of(call)
    return "scheduled" if schedule is not None and schedule.earliest_ms > now_ms else "queued"


def next_status(call: JsonObject, now_ms: int) -> Literal["queued", "ended"] | None:
    """What a call that nobody has joined must become by now; None: it may stay as it is."""
    schedule, status = schedule_of(call), call.get("status")
    if schedule is None or status not in ("scheduled", "queued"):
        return None
    if schedule.latest_ms is not None and now_ms >= schedule.latest_ms + GRACE_MS:
        return "ended"
    return "queued" if status == "scheduled" and now_ms >= schedule.earliest_ms else None


def due_ms(call: JsonObject) -> int | None:
    """When `next_status` has something new to say of a call; None: never."""
    schedule = schedule_of(call)
    if schedule is None:
        return None
    match call.get("status"):
        case "scheduled":
            return schedule.earliest_ms
        case "queued" if schedule.latest_ms is not None:
            return schedule.latest_ms + GRACE_MS
        case _:
            return None


def why_not_now(call: JsonObject, now_ms: int) -> str | None:
    """Why a call that waits may not be joined now; None: it may."""
    schedule = schedule_of(call)
    if schedule is None:
        return None
    plan: JsonObject = call["schedulePlan"]
    if now_ms < schedule.earliest_ms:
        return f"this call is scheduled and may not be joined before {plan['earliestAt']}"
    if schedule.latest_ms is not None and now_ms > schedule.latest_ms:
        return f"this call could be joined until {plan['latestAt']} only"
    return None


def _epoch_ms(value: object) -> int | None:
    """A date of ISO 8601; one without a zone is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
