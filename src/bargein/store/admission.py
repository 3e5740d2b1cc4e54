"""Checks before a database is used: its organisation id, and the key that its secrets are encrypted with."""

from collections.abc import Callable

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.store import tables
from bargein.store.records import secret_in
from bargein.store.vault import Vault, VaultError


async def get_or_create_meta(connection: AsyncConnection, name: str, first: Callable[[], str]) -> str:
    """Return the server's stored value of that name, creating it if there is none."""
    known = (
        await connection.execute(select(tables.meta.c.value).where(tables.meta.c.key == name))
    ).scalar_one_or_none()
    if known is None:
        known = first()
        await connection.execute(insert(tables.meta).values(key=name, value=known))
    return known


async def check_vault(connection: AsyncConnection, vault: Vault) -> None:
    """Check that the vault has the key of this database, and encrypt all secrets with its first key.

    Raises:
        VaultError: the secrets were encrypted with a key that the vault lacks.
    """
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
