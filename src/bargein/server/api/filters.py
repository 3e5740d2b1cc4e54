"""Query parameters that filter lists, as Vapi's `GET /assistant` and `GET /call` have them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends
from fastapi import Query as Parameter

from bargein.store import Query
from bargein.wire.errors import bad_request

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = Parameter(json_schema_extra={"format": "date-time"})
Date = Annotated[str | None, _DATE]


def list_query(  # noqa: PLR0917  # one parameter for each of Vapi's filters; FastAPI passes them by name
    limit: Annotated[int, Parameter(ge=0, le=1000)] = 100,
    createdAtGt: Date = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    createdAtLt: Date = None,  # noqa: N803  # the same
    createdAtGe: Date = None,  # noqa: N803  # the same
    createdAtLe: Date = None,  # noqa: N803  # the same
    updatedAtGt: Date = None,  # noqa: N803  # the same
    updatedAtLt: Date = None,  # noqa: N803  # the same
    updatedAtGe: Date = None,  # noqa: N803  # the same
    updatedAtLe: Date = None,  # noqa: N803  # the same
) -> Query:
    """Read the query parameters that every list has.

    Raises:
        WireError: 400: a date is invalid.
    """
    return Query(
        limit=limit,
        created_at_gt=_epoch_ms("createdAtGt", createdAtGt),
        created_at_lt=_epoch_ms("createdAtLt", createdAtLt),
        created_at_ge=_epoch_ms("createdAtGe", createdAtGe),
        created_at_le=_epoch_ms("createdAtLe", createdAtLe),
        updated_at_gt=_epoch_ms("updatedAtGt", updatedAtGt),
        updated_at_lt=_epoch_ms("updatedAtLt", updatedAtLt),
        updated_at_ge=_epoch_ms("updatedAtGe", updatedAtGe),
        updated_at_le=_epoch_ms("updatedAtLe", updatedAtLe),
    )


def conditions(*, one: Mapping[str, str | None], any_of: Mapping[str, str | None]) -> dict[str, str | Sequence[str]]:
    """Return the conditions (`Query.where`) for the further filters of a list.

    Args:
        one: column -> its value; None: any.
        any_of: column -> its possible values, separated by commas; overrides `one`.
    """
    found: dict[str, str | Sequence[str]] = {name: value for name, value in one.items() if value is not None}
    found.update({name: values.split(",") for name, values in any_of.items() if values is not None})
    return found


ListQuery = Annotated[Query, Depends(list_query)]
"""The type of a route's parameter that gets the filters that every list has."""


def _epoch_ms(name: str, value: str | None) -> int | None:
    """Return an ISO 8601 date in milliseconds since 1970; a date without a zone is UTC."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value.strip().replace(" ", "+"))  # an unescaped "+" arrives as " "
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise bad_request(f"{name} must be a valid ISO 8601 date string") from None
