"""Assistants, calls and all other resources, kept as Vapi's JSON; the secrets in it encrypted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import anyio.to_thread
from sqlalchemy import Column, ColumnElement, RowMapping, Select, Table, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.clock import Clock, iso_from_epoch_ms
from bargein.store import tables
from bargein.store.database import Database
from bargein.store.jobs import JobTable, NewJob
from bargein.store.nodes import NodeTable, hold, let_go
from bargein.store.vault import IsSecret, Vault, VaultError, key_in
from bargein.wire.base import JsonObject
from bargein.wire.call import duration_ms
from bargein.wire.redact import is_secret_name
from bargein.wire.schedule import due_ms

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
            database: where they are.
            clock: gives createdAt and updatedAt.
            org_id: their orgId.
            table: the table.
            filtered: column that lists are filtered by -> the document's field that it copies (a dotted path).
            vault: encrypts what is secret in the documents.
            searched: which of these columns `Query.search` looks into.
        """
        self._database = database
        self._clock = clock
        self._org_id = org_id
        self._table = table
        self._filtered = filtered
        self._searched = searched
        self._vault = vault
        self._is_secret = secret_in(table)

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
            row = await self._locked(connection, record_id)
            return None if row is None else self._view(await self._change(connection, row, changes, check))

    async def _locked(self, connection: AsyncConnection, record_id: str) -> RowMapping | None:
        """A row that nobody else changes until the transaction ends."""
        # FOR UPDATE means nothing to SQLite, where the write lock does the same; other databases need it
        wanted = select(self._table).where(self._column("id") == _key(record_id)).with_for_update()
        return (await connection.execute(wanted)).mappings().first()

    async def _change(
        self, connection: AsyncConnection, row: RowMapping, changes: JsonObject, check: Check | None = None
    ) -> JsonObject:
        before = self._vault.open(row["document"])
        given = _given_by_others({name: value for name, value in (before | changes).items() if value is not None})
        if check is not None:
            check(before, given)
        values: JsonObject = {"updated_at": max(self._clock.epoch_ms(), row["updated_at"])}
        values |= self._columns(given)
        await connection.execute(update(self._table).where(self._column("id") == row["id"]).values(values))
        return dict(row) | values

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
        copied = {column: _key(_at(document, path)) for column, path in self._filtered.items()}
        return {"document": self._vault.seal(_given_by_others(document), self._is_secret), **copied}

    def _wanted(self, query: Query) -> Select[Any]:
        columns = (func.coalesce(self._column(query.order_by), 0), self._column("created_at"), self._column("id"))
        if query.order_by == "created_at":
            columns = columns[1:]
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
    """A value as a column can hold it. The document itself keeps every letter of it.

    Postgres' text knows no U+0000, and its indexes no value beyond some 2,700 bytes.
    """
    return value.replace("\0", "\ufffd")[:_LONGEST_KEY] if isinstance(value, str) else value


def secret_in(table: Table) -> IsSecret:
    """What is kept encrypted of a table's documents: of a credential all but what tells it from others."""
    return _in_a_credential if table is tables.credentials else is_secret_name


def _in_a_credential(name: str) -> bool:
    return name not in ("provider", "name")


def _given_by_others(document: JsonObject) -> JsonObject:
    return {name: value for name, value in document.items() if name not in _OWN}


def _at(document: JsonObject, path: str) -> str | None:
    """The text at a dotted path; None where there is none."""
    *parents, last = path.split(".")
    for name in parents:
        inner: object = document.get(name)
        if not isinstance(inner, dict):
            return None
        document = cast("JsonObject", inner)
    found: object = document.get(last)
    return found if isinstance(found, str) else None


class Credentials(Records):
    """The credentials; also where webhooks and tools find them (`bargein.ports.Credentials`)."""

    async def find(self, credential_id: str) -> JsonObject | None:
        """See `bargein.ports.Credentials.find`."""
        return await self.get(credential_id)


class Calls(Records):
    """The calls, and what their beginning and end mean for the whole fleet.

    Attributes:
        jobs: where the jobs go that follow from a call's end.
    """

    jobs: JobTable

    def _columns(self, document: JsonObject) -> JsonObject:
        return {**super()._columns(document), "duration_ms": duration_ms(document), "due_at": due_ms(document)}

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """Change a call's record. A call that was deleted while it was live stays deleted."""
        await self.patch(call_id, changes)

    async def begin(self, call_id: str, changes: JsonObject, node_id: str) -> None:
        """Change a call's record, and note at which server it is live; one that is deleted or over stays so."""
        async with self._database.writing() as connection:
            if await self._change_unended(connection, call_id, changes):
                await hold(connection, call_id, node_id)

    async def finish(self, call_id: str, changes: JsonObject, jobs: Sequence[NewJob]) -> bool:
        """Write the end of a call: its record, that it is live nowhere, and the jobs that follow; all or nothing.

        A call that is deleted or over stays so.

        Args:
            call_id: which.
            changes: what its record becomes.
            jobs: what is to be done after it.

        Returns:
            Whether this was its end.
        """
        async with self._database.writing() as connection:
            await let_go(connection, call_id)
            ended = await self._change_unended(connection, call_id, changes)
            for job in jobs if ended else ():
                await self.jobs.put(connection, job)
        if ended:
            self.jobs.on_news()
        return ended

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        """The ids of calls that wait and have to be looked at by now, the most urgent first."""
        due_at = self._column("due_at")
        wanted = select(self._column("id")).where(due_at <= now_ms).order_by(due_at).limit(limit)
        async with self._database.reading() as connection:
            return (await connection.execute(wanted)).scalars().all()

    async def next_due_ms(self) -> int | None:
        """When the first of them has to be looked at, in milliseconds since 1970; None: there is none."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.min(self._column("due_at"))))).scalar_one()

    async def advance(
        self, call_id: str, changes: Callable[[JsonObject], JsonObject | None], jobs: Sequence[NewJob]
    ) -> bool:
        """Change a call, if it needs that, with the jobs that follow; of several servers that do it one changes it.

        Args:
            call_id: which.
            changes: from the document as it is to its changes; None: nothing is to be done.
            jobs: what is to be done after it.

        Returns:
            Whether it was changed here.
        """
        async with self._database.writing() as connection:
            row = await self._locked(connection, call_id)
            wanted = None if row is None else changes(self._vault.open(row["document"]))
            if row is None or wanted is None:
                return False
            await self._change(connection, row, wanted)
            for job in jobs:
                await self.jobs.put(connection, job)
        self.jobs.on_news()
        return True

    async def _change_unended(self, connection: AsyncConnection, call_id: str, changes: JsonObject) -> bool:
        current = await self._locked(connection, call_id)
        if current is None or current["document"].get("status") == "ended":
            return False
        await self._change(connection, current, changes)
        return True


_CALL_FILTERS = {"assistant_id": "assistantId", "phone_number_id": "phoneNumberId", "status": "status"}
_NUMBER_FILTERS = {"number": "number", "sip_uri": "sipUri", "name": "name", "assistant_id": "assistantId"}
_SESSION_FILTERS = {
    "name": "name",
    "assistant_id": "assistantId",
    "squad_id": "squadId",
    "workflow_id": "workflowId",
    "phone_number_id": "phoneNumberId",
    "customer_number": "customer.number",
    "customer_sip_uri": "customer.sipUri",
    "customer_name": "customer.name",
    "customer_email": "customer.email",
    "customer_external_id": "customer.externalId",
}
_CHAT_FILTERS = {
    "assistant_id": "assistantId",
    "squad_id": "squadId",
    "session_id": "sessionId",
    "previous_chat_id": "previousChatId",
}


async def _remembered(connection: AsyncConnection, name: str, first: Callable[[], str]) -> str:
    """What the server knows of itself by that name; made where it is not known yet."""
    known = (
        await connection.execute(select(tables.meta.c.value).where(tables.meta.c.key == name))
    ).scalar_one_or_none()
    if known is None:
        known = first()
        await connection.execute(insert(tables.meta).values(key=name, value=known))
    return known


async def _admit(connection: AsyncConnection, vault: Vault) -> None:
    """See that the vault has the key of this database; bring all secrets under its first one."""
    canary = tables.meta.c.key == "vault"
    known = (await connection.execute(select(tables.meta.c.value).where(canary))).scalar_one_or_none()
    if known is not None and vault.knows(known, first_key_only=True):
        return
    if known is not None and not vault.knows(known):
        raise VaultError("the secrets in the database were encrypted with a key that is not in BARGEIN_SECRET_KEY")
    for table in tables.metadata.sorted_tables:
        if "document" in table.c:
            await _reseal(connection, vault, table)
    await connection.execute(delete(tables.meta).where(canary))
    await connection.execute(insert(tables.meta).values(key="vault", value=vault.canary()))


async def _reseal(connection: AsyncConnection, vault: Vault, table: Table) -> None:
    for record_id in (await connection.execute(select(table.c.id))).scalars().all():
        this = table.c.id == record_id
        before = (await connection.execute(select(table.c.document).where(this))).scalar_one()
        after = vault.seal(vault.open(before), secret_in(table))
        if after != before:
            await connection.execute(update(table).where(this).values(document=after))


class Store:
    """The database, opened.

    Attributes:
        org_id: the one organisation of this server: made at its first start, then always the same.
        assistants: the stored assistants.
        calls: the calls, live and ended.
        phone_numbers: the phone numbers, with the secrets of their providers.
        tools: the stored tools.
        credentials: what proves to others who the owner is.
        squads: the stored squads.
        files: what is known of the uploaded files.
        sessions: the text conversations.
        chats: their turns.
        jobs: what is still to be done.
        nodes: the servers of this database.
    """

    def __init__(self, database: Database, clock: Clock, org_id: str, vault: Vault) -> None:
        self._database = database
        self.org_id = org_id
        self.jobs = JobTable(database, clock)
        self.nodes = NodeTable(database, clock)

        def records(table: Table, filtered: Mapping[str, str] | None = None, *searched: str) -> Records:
            return Records(database, clock, org_id, table, filtered or {}, vault=vault, searched=searched)

        self.assistants = records(tables.assistants)
        self.calls = Calls(database, clock, org_id, tables.calls, _CALL_FILTERS, vault=vault)
        self.calls.jobs = self.jobs
        self.phone_numbers = records(tables.phone_numbers, _NUMBER_FILTERS, "number", "sip_uri", "name")
        self.tools = records(tables.tools)
        self.credentials = Credentials(
            database, clock, org_id, tables.credentials, {"provider": "provider"}, vault=vault
        )
        self.squads = records(tables.squads)
        self.files = records(tables.files, {"purpose": "purpose"})
        self.sessions = records(tables.sessions, _SESSION_FILTERS)
        self.chats = records(tables.chats, _CHAT_FILTERS)

    @classmethod
    async def open(
        cls, path: Path, clock: Clock, *, url: str | None = None, secret_keys: Sequence[str] = ()
    ) -> "Store":
        """Open the database file `path`, making it where there is none; with a `url`, that Postgres database instead.

        Args:
            path: the file; without keys, the one with the key is beside it.
            clock: the one clock.
            url: of a Postgres database.
            secret_keys: what secrets are encrypted with: the first encrypts, all decrypt. A new first key makes this
                encrypt everything anew.

        Raises:
            StoreError: it cannot be opened.
            VaultError: the secrets in the database were encrypted with none of these keys.
        """
        database = await Database.open(path, url)
        try:
            await anyio.Path(path.parent).mkdir(parents=True, exist_ok=True)
            vault = Vault(secret_keys or [await anyio.to_thread.run_sync(key_in, path.parent)])
            async with database.alone() as connection:
                org_id = await _remembered(connection, "org_id", lambda: str(uuid4()))
                await _admit(connection, vault)
        except BaseException:
            await database.close()
            raise
        return cls(database, clock, org_id, vault)

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
