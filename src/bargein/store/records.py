"""Stored documents of one kind: Vapi's JSON, encrypted."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

import anyio.lowlevel
from sqlalchemy import Column, ColumnElement, RowMapping, Select, Table, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.clock import Clock, iso_from_epoch_ms
from bargein.store.database import Database
from bargein.store.query import Page, Query
from bargein.store.vault import Vault
from bargein.wire.base import JsonObject

_STORE_FIELDS = ("id", "orgId", "createdAt", "updatedAt")
"""Fields that the store sets."""

_MAX_OFFSET = (1 << 63) - 1
"""Largest row offset that both databases accept."""

_MAX_KEY_CHARS = 500
_VIEWS_AT_ONCE = 4

_SIP_PASSWORD = re.compile(r"^(sips?:[^:@]*):[^@]*@", re.IGNORECASE)

Check = Callable[[JsonObject, JsonObject], None]
"""Checks a change: called with the document before and after it, without the store's fields; raises to refuse it."""


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
        vault: Vault,
        searched: Sequence[str] = (),
    ) -> None:
        """Set up the records of one table.

        Args:
            database: the database that holds them.
            clock: gives createdAt and updatedAt.
            org_id: the orgId of every document.
            table: the table.
            filtered: for each column that lists are filtered by, the document's field that it copies (a dotted path).
            vault: encrypts the documents.
            searched: the columns that `Query.search` looks into.
        """
        self._database = database
        self._clock = clock
        self._org_id = org_id
        self._table = table
        self._filtered = filtered
        self._searched = searched
        self._vault = vault

    async def create(self, document: JsonObject, *, record_id: str | None = None) -> JsonObject:
        """Store a document, and return it with its id, orgId, createdAt and updatedAt."""
        async with self._database.writing() as connection:
            return await self.insert(connection, document, record_id or str(uuid4()))

    async def get(self, record_id: str) -> JsonObject | None:
        """Return the document with this id, or None."""
        async with self._database.reading() as connection:
            result = await connection.execute(select(self._table).where(self._column("id") == _key(record_id)))
            row = result.mappings().first()
        return None if row is None else self._view(row)

    async def list(self, query: Query) -> Sequence[JsonObject]:
        """Return the matching documents, newest first."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(self._wanted(query))).mappings().all()
        return await self._views(rows)

    async def page(self, query: Query) -> Page:
        """Return a page of the matching documents, newest first, and their total number at the same moment."""
        counted = select(func.count()).select_from(self._table).where(*self._conditions(query))
        async with self._database.reading() as connection:
            rows = (await connection.execute(self._wanted(query))).mappings().all()
            total = (await connection.execute(counted)).scalar_one()
        return Page(await self._views(rows), total)

    async def counts(self, query: Query, *by: str) -> Mapping[tuple[str, ...], int]:
        """Return the numbers of matching documents by the values of some columns; no document is read.

        Args:
            query: its conditions; its limit and order do not count.
            by: the columns.
        """
        columns = [self._column(name) for name in by]
        counted = select(*columns, func.count()).where(*self._conditions(query)).group_by(*columns)
        async with self._database.reading() as connection:
            rows = (await connection.execute(counted)).all()
        return {tuple(row[:-1]): row[-1] for row in rows}

    async def patch(self, record_id: str, changes: JsonObject, *, check: Check | None = None) -> JsonObject | None:
        """Replace top-level fields; a field that is None is removed. Return the new document, or None if there is none.

        Concurrent patches of one document are applied one after the other, and none is lost.

        Args:
            record_id: the id of the document.
            changes: the fields to replace.
            check: may refuse the change by raising, before anything is written.
        """
        async with self._database.writing() as connection:
            return await self.apply(connection, record_id, changes, check)

    async def apply(
        self, connection: AsyncConnection, record_id: str, changes: JsonObject, check: Check | None = None
    ) -> JsonObject | None:
        """Do what `patch` does, as part of a transaction."""
        row = await self._locked(connection, record_id)
        return None if row is None else self._view(await self._change(connection, row, changes, check))

    async def insert(self, connection: AsyncConnection, document: JsonObject, record_id: str) -> JsonObject:
        """Do what `create` does, as part of a transaction."""
        now = self._clock.epoch_ms()
        values: JsonObject = {"id": record_id, "created_at": now, "updated_at": now, **self._columns(document)}
        await connection.execute(insert(self._table).values(values))
        return self._view(values)

    async def _views(self, rows: Sequence[RowMapping]) -> Sequence[JsonObject]:
        """Decrypt documents; live calls go on in between, since a long call's document takes some 0.4 ms."""
        views: list[JsonObject] = []
        for number, row in enumerate(rows, 1):
            views.append(self._view(row))
            if number % _VIEWS_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        return views

    async def _locked(self, connection: AsyncConnection, record_id: str) -> RowMapping | None:
        """Return a row, locked against changes until the transaction ends."""
        # SQLite ignores FOR UPDATE: there the write lock does the same
        wanted = select(self._table).where(self._column("id") == _key(record_id)).with_for_update()
        return (await connection.execute(wanted)).mappings().first()

    async def _change(
        self, connection: AsyncConnection, row: RowMapping, changes: JsonObject, check: Check | None = None
    ) -> JsonObject:
        before = self._vault.open(row["document"])
        changed = _without_store_fields(
            {name: value for name, value in (before | changes).items() if value is not None}
        )
        if check is not None:
            check(before, changed)
        values: JsonObject = {"updated_at": max(self._clock.epoch_ms(), row["updated_at"])}
        values |= self._columns(changed)
        await connection.execute(update(self._table).where(self._column("id") == row["id"]).values(values))
        return dict(row) | values

    async def delete(self, record_id: str) -> JsonObject | None:
        """Delete a document and return it, or None if there was none."""
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
        copied = {column: _key(_string_at(document, path)) for column, path in self._filtered.items()}
        return {"document": self._vault.seal(_without_store_fields(document)), **copied}

    def _wanted(self, query: Query) -> Select[Any]:
        columns = (func.coalesce(self._column(query.order_by), 0), self._column("created_at"), self._column("id"))
        if query.order_by == "created_at":
            columns = columns[1:]
        order = columns if query.oldest_first else tuple(column.desc() for column in columns)
        wanted = select(self._table).where(*self._conditions(query)).order_by(*order)
        return wanted.limit(query.limit).offset(min(query.offset, _MAX_OFFSET))

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
        for name, value in query.where.items():
            column = self._column(name)
            found.append(column == _key(value) if isinstance(value, str) else column.in_(map(_key, value)))
        if query.search:
            columns = map(self._column, self._searched)
            found.append(or_(False, *(column.icontains(_key(query.search), autoescape=True) for column in columns)))  # noqa: FBT003  # SQL's FALSE
        return found

    def _view(self, row: RowMapping | Mapping[str, Any]) -> JsonObject:
        return {
            **self._vault.open(row["document"]),
            "id": row["id"],
            "orgId": self._org_id,
            "createdAt": iso_from_epoch_ms(row["created_at"]),
            "updatedAt": iso_from_epoch_ms(row["updated_at"]),
        }


def _key(value: Any) -> Any:
    """Return a value as a column can hold it; the document keeps it unchanged.

    Postgres' text cannot hold U+0000, and its indexes no value beyond some 2,700 bytes. Columns are not encrypted: a
    SIP address loses its password (RFC 3261, section 19.1.1).
    """
    if not isinstance(value, str):
        return value
    return _SIP_PASSWORD.sub(r"\1@", value.replace("\0", "\ufffd"))[:_MAX_KEY_CHARS]


def _without_store_fields(document: JsonObject) -> JsonObject:
    return {name: value for name, value in document.items() if name not in _STORE_FIELDS}


def _string_at(document: JsonObject, path: str) -> str | None:
    """Return the string at a dotted path, or None."""
    *parents, last = path.split(".")
    for name in parents:
        inner: object = document.get(name)
        if not isinstance(inner, dict):
            return None
        document = cast("JsonObject", inner)
    found: object = document.get(last)
    return found if isinstance(found, str) else None


class Credentials(Records):
    """The stored credentials, also as `bargein.ports.Credentials` for webhooks and tools."""

    async def find(self, credential_id: str) -> JsonObject | None:
        """Return the credential with this id, its secrets decrypted, or None."""
        return await self.get(credential_id)
