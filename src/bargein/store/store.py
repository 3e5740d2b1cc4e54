"""The open database: assistants, calls and all other resources."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import anyio.to_thread
from sqlalchemy import Table, text

from bargein.clock import Clock, SteadyClock
from bargein.store import tables
from bargein.store.admission import check_vault, get_or_create_meta
from bargein.store.calls import Calls
from bargein.store.database import Database
from bargein.store.jobs import JobTable, NewJob
from bargein.store.nodes import NodeTable, database_ms
from bargein.store.opening import open_errors
from bargein.store.private import make_folder, tighten
from bargein.store.records import Credentials, Records
from bargein.store.vault import Vault, key_in
from bargein.wire.base import JsonObject

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
_RUN_FILTERS = {"status": "status", "target_type": "target.type", "target_id": "targetId"}
_ITEM_FILTERS = {"run_id": "runId", "simulation_id": "simulationId", "status": "status"}


class NewRecord(NamedTuple):
    """A document to be stored (`Records.create`)."""

    records: Records
    document: JsonObject
    id: str


class Store:
    """The open database.

    Attributes:
        org_id: the id of this server's one organisation, created at its first start.
        assistants: the stored assistants.
        calls: the calls, live and ended.
        phone_numbers: the phone numbers, with the secrets of their providers.
        tools: the stored tools.
        credentials: the owner's credentials at other services.
        squads: the stored squads.
        files: the metadata of uploaded files.
        sessions: the text conversations.
        chats: the turns of text conversations.
        evals: the mock conversations.
        eval_runs: the runs of mock conversations, with their results.
        structured_outputs: the values that are extracted from calls after their end.
        personalities: the testers of simulations.
        scenarios: what testers do, and what is evaluated.
        simulations: pairs of a scenario and a personality.
        simulation_suites: groups of simulations.
        simulation_runs: the runs of simulations.
        simulation_items: the single conversations of these runs, with their results.
        jobs: the jobs that are still to be run.
        nodes: the servers of this database.
    """

    def __init__(self, database: Database, clock: Clock, org_id: str, vault: Vault, steady_clock: SteadyClock) -> None:
        self._database = database
        self.org_id = org_id
        self.jobs = JobTable(database, steady_clock, vault)
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
        self.evals = records(tables.evals)
        self.eval_runs = records(tables.eval_runs)
        self.structured_outputs = records(tables.structured_outputs, {"name": "name"})

        self.personalities = records(tables.personalities)
        self.scenarios = records(tables.scenarios, {"name": "name"})
        self.simulations = records(tables.simulations)
        self.simulation_suites = records(tables.simulation_suites, {"name": "name"})
        self.simulation_runs = records(tables.simulation_runs, _RUN_FILTERS)
        self.simulation_items = records(tables.simulation_items, _ITEM_FILTERS)

    @classmethod
    async def open(
        cls, path: Path, clock: Clock, *, url: str | None = None, secret_keys: Sequence[str] = ()
    ) -> "Store":
        """Open the database file `path`, creating it if there is none; with a `url`, that Postgres database instead.

        Args:
            path: the database file; without keys, the file with the key is beside it.
            clock: gives creation and update times.
            url: the URL of a Postgres database.
            secret_keys: keys for secrets: the first encrypts, all decrypt. With a new first key everything is encrypted
                again.

        Raises:
            StoreUnavailableError: it cannot be opened now; it may be later.
            StoreOpenError: it cannot be opened; the text says why, with the path and the setting.
            VaultError: the secrets in the database were encrypted with none of these keys.
        """
        with open_errors(path, url):
            await anyio.to_thread.run_sync(_prepare, path.parent)
            database = await Database.open(path, url)
            try:
                vault = Vault(secret_keys or [await anyio.to_thread.run_sync(key_in, path.parent)])
                async with database.exclusive() as connection:
                    org_id = await get_or_create_meta(connection, "org_id", lambda: str(uuid4()))
                    encrypted_again = await check_vault(connection, vault)
                    steady_clock = SteadyClock(clock, await database_ms(connection, database, clock))
                if encrypted_again:
                    await database.drop_remains()
            except BaseException:
                await database.close()
                raise
        return cls(database, clock, org_id, vault, steady_clock)

    async def record_chat(
        self, chat: JsonObject, chat_id: str, session_id: str | None, changes: JsonObject
    ) -> tuple[JsonObject, JsonObject | None]:
        """Store an answered chat and what it changes in its session, in one transaction.

        Args:
            chat: the chat.
            chat_id: its id.
            session_id: the id of its session; None: it has none.
            changes: the session's fields to replace.

        Returns:
            The stored chat, and the session; None if there is none.
        """
        async with self._database.writing() as connection:
            session = None if session_id is None else await self.sessions.apply(connection, session_id, changes)
            return await self.chats.insert(connection, chat, chat_id), session

    async def create_all(self, new: Sequence[NewRecord], jobs: Sequence[NewJob]) -> Sequence[JsonObject]:
        """Store documents and the jobs that work on them, in one transaction; return the documents as stored."""
        async with self._database.writing() as connection:
            stored = [await one.records.insert(connection, one.document, one.id) for one in new]
            for job in jobs:
                await self.jobs.put(connection, job)
        self.jobs.on_submit()
        return stored

    async def ping(self) -> None:
        """Check that the database answers.

        Raises:
            StoreError: it does not answer.
        """
        async with self._database.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()


def _prepare(folder: Path) -> None:
    make_folder(folder)
    tighten(folder)
