"""Queries for lists of records, and pages of their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query for records, newest first. Times are milliseconds since 1970, with the bounds of Vapi's filters.

    Attributes:
        limit: the number of records at most.
        offset: the number of matching records to skip.
        oldest_first: reverses the order.
        search: a text that one of the searched columns contains, in any case.
        order_by: the column to order by; equal records are ordered by age.
        where: for each column the value, or the values, that it may have.
    """

    limit: int = 100
    offset: int = 0
    oldest_first: bool = False
    search: str | None = None
    order_by: str = "created_at"
    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict[str, "str | Sequence[str]"])
    created_at_gt: int | None = None
    created_at_lt: int | None = None
    created_at_ge: int | None = None
    created_at_le: int | None = None
    updated_at_gt: int | None = None
    updated_at_lt: int | None = None
    updated_at_ge: int | None = None
    updated_at_le: int | None = None
    id: str | None = None
    assistant_id: str | None = None
    phone_number_id: str | None = None
    number: str | None = None
    sip_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        records: the records of this page.
        total: the number of matching records on all pages.
    """

    records: Sequence[JsonObject]
    total: int
