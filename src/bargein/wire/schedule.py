"""The scheduled time of a call (Vapi's `SchedulePlan`)."""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request
from bargein.wire.json import as_object

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

GRACE_MS = 15_000
"""Time after `latestAt` at which a call is ended: at `latestAt` another server may just have let a client join it."""

NEVER_JOINED = "customer-did-not-answer"
"""The `endedReason` of a call that no client joined until its `latestAt`."""


class Schedule(NamedTuple):
    """The times at which a call can be joined, in milliseconds since 1970.

    Attributes:
        earliest_ms: the earliest time.
        latest_ms: the latest time; None if there is no limit.
    """

    earliest_ms: int
    latest_ms: int | None


def schedule_of(call: JsonObject) -> Schedule | None:
    """Return the schedule of a call; None if it has none, or none with valid dates."""
    plan = as_object(call.get("schedulePlan"))
    earliest_ms = _epoch_ms(plan.get("earliestAt"))
    return None if earliest_ms is None else Schedule(earliest_ms, _epoch_ms(plan.get("latestAt")))


def initial_status(call: JsonObject, now_ms: int) -> Literal["scheduled", "queued"]:
    """Return the status of a new call: scheduled if its `earliestAt` is in the future, else queued.

    Args:
        call: the requested call, with valid dates.
        now_ms: milliseconds since 1970.

    Raises:
        WireError: 400: there will be no time at which the call can be joined.
    """
    schedule = schedule_of(call)
    if schedule is None:
        return "queued"
    if schedule.latest_ms is not None:
        if schedule.latest_ms < schedule.earliest_ms:
            raise bad_request("schedulePlan.latestAt must not be before schedulePlan.earliestAt")
        if schedule.latest_ms <= now_ms:
            raise bad_request("schedulePlan.latestAt must be in the future")
    return "scheduled" if schedule.earliest_ms > now_ms else "queued"


def next_status(call: JsonObject, now_ms: int) -> Literal["queued", "ended"] | None:
    """Return the status that is due for a call that no client has joined; None if its status is right."""
    schedule, status = schedule_of(call), call.get("status")
    if schedule is None or status not in ("scheduled", "queued"):
        return None
    if schedule.latest_ms is not None and now_ms >= schedule.latest_ms + GRACE_MS:
        return "ended"
    return "queued" if status == "scheduled" and now_ms >= schedule.earliest_ms else None


def due_ms(call: JsonObject) -> int | None:
    """Return the time at which `next_status` of a call changes; None if it never does."""
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


def join_refusal(call: JsonObject, now_ms: int) -> str | None:
    """Return the reason that a waiting call cannot be joined now; None if it can."""
    schedule = schedule_of(call)
    if schedule is None:
        return None
    plan: JsonObject = call["schedulePlan"]
    if now_ms < schedule.earliest_ms:
        return f"this call is scheduled and may not be joined before {plan['earliestAt']}"
    if schedule.latest_ms is not None and now_ms > schedule.latest_ms:
        return f"this call could be joined only until {plan['latestAt']}"
    return None


def _epoch_ms(value: object) -> int | None:
    """Return an ISO 8601 date in milliseconds since 1970; one without a zone is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
