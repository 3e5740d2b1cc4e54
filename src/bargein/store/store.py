"""The database, opened: assistants, calls and all other resources."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import anyio.to_thread
from sqlalchemy import Table, text

from bargein.clock import Clock
from bargein.store import tables
from bargein.store.admission import admit, remembered
from bargein.store.calls import Calls
from bargein.store.database import Database
from bargein.store.jobs import JobTable
from bargein.store.nodes import NodeTable
from bargein.store.records import Credentials, Records
from bargein.store.vault import Vault, key_in

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
                org_id = await remembered(connection, "org_id", lambda: str(uuid4()))
                await admit(connection, vault)
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
