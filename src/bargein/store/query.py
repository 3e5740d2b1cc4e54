"""Which records are asked for, and how lists of them are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records to list, newest first. Times are milliseconds since 1970, their bounds as in Vapi's filters.

    Attributes:
        limit: how many to give at most.
        offset: how many of those that match to leave out first.
        oldest_first: turns the order around.
        search: a text that one of the record's searched fields holds somewhere, in whatever case.
        order_by: the column to order by; records that are equal in it go by their age.
        where: column -> the one value, or the values, that it may have.
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
    """A part of a list.

    Attributes:
        records: what the query asked for.
        total: how many match, whatever the limit and offset.
    """

    records: Sequence[JsonObject]
    total: int
