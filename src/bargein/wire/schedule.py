"""The scheduled time of a call (Vapi's `SchedulePlan`)."""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request
from bargein.wire.json import as_object

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

GRACE_MS = 15_000
"""Time after `latestAt` at which a call is ended: at `latestAt` another server may just have let a client join it."""

JOIN_UNTIL = "joinUntil"
"""A field of the stored record of a call that a client joins: until when, in milliseconds since 1970."""

NEVER_JOINED = "customer-did-not-answer"
"""The `endedReason` of a call that no client joined until its `latestAt`, or in the time that the settings allow."""


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


def with_join_until(call: JsonObject, now_ms: int, join_s: int) -> JsonObject:
    """Return the record of a new call with the time until which a client must join it; a `latestAt` goes before it.

    Args:
        call: the record.
        now_ms: milliseconds since 1970.
        join_s: how long the call may wait, from now or from its `earliestAt`; 0: for ever.
    """
    schedule = schedule_of(call)
    if not join_s or (schedule is not None and schedule.latest_ms is not None):
        return call
    return {**call, JOIN_UNTIL: max(now_ms, schedule.earliest_ms if schedule else 0) + join_s * 1000}


def next_status(call: JsonObject, now_ms: int) -> Literal["queued", "ended"] | None:
    """Return the status that is due for a call that no client has joined; None if its status is right."""
    schedule, status = schedule_of(call), call.get("status")
    if status not in ("scheduled", "queued"):
        return None
    latest_ms = _latest_ms(call, schedule)
    if latest_ms is not None and now_ms >= latest_ms + GRACE_MS:
        return "ended"
    due = schedule is not None and status == "scheduled" and now_ms >= schedule.earliest_ms
    return "queued" if due else None


def _latest_ms(call: JsonObject, schedule: Schedule | None) -> int | None:
    limits = (call.get(JOIN_UNTIL), None if schedule is None else schedule.latest_ms)
    return min((limit for limit in limits if isinstance(limit, int)), default=None)


def due_ms(call: JsonObject) -> int | None:
    """Return the time at which `next_status` of a call changes; None if it never does."""
    schedule = schedule_of(call)
    match call.get("status"):
        case "scheduled" if schedule is not None:
            return schedule.earliest_ms
        case "queued" if (latest_ms := _latest_ms(call, schedule)) is not None:
            return latest_ms + GRACE_MS
        case _:
            return None


def join_refusal(call: JsonObject, now_ms: int) -> str | None:
    """Return the reason that a waiting call cannot be joined now; None if it can."""
    schedule, join_until_ms = schedule_of(call), call.get(JOIN_UNTIL)
    if isinstance(join_until_ms, int) and now_ms > join_until_ms:
        return "this call was not joined in time"
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
