"""Assistants, calls, phone numbers and tools, kept as Vapi's JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import Column, ColumnElement, RowMapping, Select, Table, delete, func, insert, or_, select, text, update

from bargein.clock import Clock, iso_from_epoch_ms
from bargein.store import tables
from bargein.store.database import Database
from bargein.wire.base import JsonObject

_OWN = ("id", "orgId", "createdAt", "updatedAt")
"""Fields that the store gives and nobody else sets."""

_FARTHEST = (1 << 63) - 1
"""No database counts rows beyond this."""

_LONGEST_KEY = 500

Check = Callable[[JsonObject, JsonObject], None]
"""Gets a document as it is and as it would become, both without what the store gives; what it raises stops that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records to list, newest first. Times are milliseconds since 1970, their bounds as in Vapi's filters.

    Attributes:
        limit: how many to give at most.
        offset: how many of those that match to leave out first.
        oldest_first: turns the order around.
        search: a text that one of the record's searched fields holds somewhere, in whatever case.
    """

    limit: int = 100
    offset: int = 0
    oldest_first: bool = False
    search: str | None = None
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


class Records:
    """One kind of document.

    A returned document is a copy: changing it changes nothing in the store.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        org_id: str,
        table: Table,
        filtered: Mapping[str, str],
        *,
        searched: Sequence[str] = (),
    ) -> None:
        """Set up the records of one table.

        Args:
            database: where they are.
            clock: gives createdAt and updatedAt.
            org_id: their orgId.
            table: the table.
            filtered: column that lists are filtered by -> the document's field that it copies.
            searched: which of these columns `Query.search` looks into.
        """
        self._database = database
        self._clock = clock
        self._org_id = org_id
        self._table = table
        self._filtered = filtered
        self._searched = searched

    async def create(self, document: JsonObject, *, record_id: str | None = None) -> JsonObject:
        """Keep a document and return it with its id, orgId, createdAt and updatedAt."""
        now = self._clock.epoch_ms()
        values: JsonObject = {"id": record_id or str(uuid4()), "created_at": now, "updated_at": now}
        values |= self._columns(document)
        async with self._database.writing() as connection:
            await connection.execute(insert(self._table).values(values))
        return self._view(values)

    async def get(self, record_id: str) -> JsonObject | None:
        """The document of this id, or None."""
        async with self._database.reading() as connection:
            result = await connection.execute(select(self._table).where(self._column("id") == _key(record_id)))
            row = result.mappings().first()
        return None if row is None else self._view(row)

    async def list(self, query: Query) -> Sequence[JsonObject]:
        """The documents that match, newest first."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(self._wanted(query))).mappings().all()
        return [self._view(row) for row in rows]

    async def page(self, query: Query) -> Page:
        """The documents that match, newest first, and how many there are in all; both of one moment."""
        counted = select(func.count()).select_from(self._table).where(*self._conditions(query))
        async with self._database.reading() as connection:
            rows = (await connection.execute(self._wanted(query))).mappings().all()
            total = (await connection.execute(counted)).scalar_one()
        return Page([self._view(row) for row in rows], total)

    async def patch(self, record_id: str, changes: JsonObject, *, check: Check | None = None) -> JsonObject | None:
        """Replace the named top-level fields; one that is None is taken away. Returns the whole, or None if unknown.

        Patches of one document that come at the same time are done one after the other, and none is lost.

        Args:
            record_id: which document.
            changes: the fields.
            check: has the last word; what it raises goes through, and nothing is changed.
        """
        async with self._database.writing() as connection:
            this = self._column("id") == _key(record_id)
            # FOR UPDATE means nothing to SQLite, where the write lock does the same; other databases need it
            result = await connection.execute(select(self._table).where(this).with_for_update())
            row = result.mappings().first()
            if row is None:
                return None
            before = cast("JsonObject", row["document"])
            given = {name: value for name, value in (before | changes).items() if value is not None}
            values: JsonObject = {"updated_at": max(self._clock.epoch_ms(), row["updated_at"])}
            values |= self._columns(given)
            if check is not None:
                check(before, values["document"])
            await connection.execute(update(self._table).where(this).values(values))
        return self._view(dict(row) | values)

    async def delete(self, record_id: str) -> JsonObject | None:
        """Forget a document and return what it was, or None if there was none."""
        async with self._database.writing() as connection:
            this = self._column("id") == _key(record_id)
            row = (await connection.execute(select(self._table).where(this).with_for_update())).mappings().first()
            if row is None:
                return None
            await connection.execute(delete(self._table).where(this))
        return self._view(row)

    def _column(self, name: str) -> Column[Any]:
        return self._table.c[name]

    def _columns(self, document: JsonObject) -> JsonObject:
        copied = {column: _key(document.get(field)) for column, field in self._filtered.items()}
        return {"document": {name: value for name, value in document.items() if name not in _OWN}, **copied}

    def _wanted(self, query: Query) -> Select[Any]:
        columns = (self._column("created_at"), self._column("id"))
        order = columns if query.oldest_first else tuple(column.desc() for column in columns)
        wanted = select(self._table).where(*self._conditions(query)).order_by(*order)
        return wanted.limit(query.limit).offset(min(query.offset, _FARTHEST))

    def _conditions(self, query: Query) -> Sequence[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        for name in ("created_at", "updated_at"):
            column = self._column(name)
            gt, lt, ge, le = (getattr(query, f"{name}_{bound}") for bound in ("gt", "lt", "ge", "le"))
            found += [column > gt] if gt is not None else []
            found += [column < lt] if lt is not None else []
            found += [column >= ge] if ge is not None else []
            found += [column <= le] if le is not None else []
        for name in ("id", *self._filtered):
            value: object = getattr(query, name, None)
            if value is not None:
                found.append(self._column(name) == _key(value))
        if query.search:
            columns = map(self._column, self._searched)
            found.append(or_(False, *(column.icontains(_key(query.search), autoescape=True) for column in columns)))  # noqa: FBT003  # SQL's FALSE
        return found

    def _view(self, row: RowMapping | Mapping[str, Any]) -> JsonObject:
        return {
            **cast("JsonObject", row["document"]),
            "id": row["id"],
            "orgId": self._org_id,
            "createdAt": iso_from_epoch_ms(row["created_at"]),
            "updatedAt": iso_from_epoch_ms(row["updated_at"]),
        }


def _key(value: Any) -> Any:
    """A value as a column can hold it. The document itself keeps every letter of it.

    Postgres' text knows no U+0000, and its indexes no value beyond some 2,700 bytes.
    """
    return value.replace("\0", "\ufffd")[:_LONGEST_KEY] if isinstance(value, str) else value


class Calls(Records):
    """The calls; also what a live call writes its record with (`bargein.ports.CallRecords`)."""

    async def update(self, call_id: str, changes: dict[str, Any]) -> None:
        """See `CallRecords.update`. A call that was deleted while it was live stays deleted."""
        await self.patch(call_id, changes)


class Store:
    """The database, opened.

    Attributes:
        org_id: the one organisation of this server: made at its first start, then always the same.
        assistants: the stored assistants.
        calls: the calls, live and ended.
        phone_numbers: the phone numbers, with the secrets of their providers.
        tools: the stored tools.
    """

    def __init__(self, database: Database, clock: Clock, org_id: str) -> None:
        self._database = database
        self.org_id = org_id
        self.assistants = Records(database, clock, org_id, tables.assistants, {})
        self.calls = Calls(
            database,
            clock,
            org_id,
            tables.calls,
            {"assistant_id": "assistantId", "phone_number_id": "phoneNumberId", "status": "status"},
        )
        self.phone_numbers = Records(
            database,
            clock,
            org_id,
            tables.phone_numbers,
            {"number": "number", "sip_uri": "sipUri", "name": "name", "assistant_id": "assistantId"},
            searched=("number", "sip_uri", "name"),
        )
        self.tools = Records(database, clock, org_id, tables.tools, {})

    @classmethod
    async def open(cls, path: Path, clock: Clock, *, url: str | None = None) -> "Store":
        """Open the database file `path`, making it where there is none; with a `url`, that Postgres database instead.

        Raises:
            StoreError: it cannot be opened.
        """
        database = await Database.open(path, url)
        async with database.alone() as connection:
            key = tables.meta.c.key == "org_id"
            org_id = (await connection.execute(select(tables.meta.c.value).where(key))).scalar_one_or_none()
            if org_id is None:
                org_id = str(uuid4())
                await connection.execute(insert(tables.meta).values(key="org_id", value=org_id))
        return cls(database, clock, org_id)

    async def ping(self) -> None:
        """Ask the database for nothing, to see that it answers.

        Raises:
            StoreError: it does not.
        """
        async with self._database.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()
