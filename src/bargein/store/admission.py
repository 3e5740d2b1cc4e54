"""Checks before a database is used: its organisation id, and the key that its secrets are encrypted with."""

from collections.abc import Callable

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bargein.store import tables
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


async def check_vault(connection: AsyncConnection, vault: Vault) -> bool:
    """Check that the vault has the key of this database, and encrypt everything with its first key.

    Everything is encrypted again if another key was the first one, or if an older version encrypted less.

    Returns:
        True if everything was encrypted again.

    Raises:
        VaultError: the documents were encrypted with a key that the vault lacks.
    """
    canary = tables.meta.c.key == "vault"
    known = (await connection.execute(select(tables.meta.c.value).where(canary))).scalar_one_or_none()
    if known is not None and vault.is_current(known):
        return False
    if known is not None and not vault.knows(known):
        raise VaultError("the secrets in the database were encrypted with a key that is not in BARGEIN_SECRET_KEY")
    for table in tables.metadata.sorted_tables:
        for column in ("document", "payload"):
            if column in table.c:
                await _reseal(connection, vault, table, column)
    await connection.execute(delete(tables.meta).where(canary))
    await connection.execute(insert(tables.meta).values(key="vault", value=vault.canary()))
    return True


async def _reseal(connection: AsyncConnection, vault: Vault, table: Table, column: str) -> None:
    for record_id in (await connection.execute(select(table.c.id))).scalars().all():
        this = table.c.id == record_id
        before = (await connection.execute(select(table.c[column]).where(this))).scalar_one()
        await connection.execute(update(table).where(this).values({column: vault.seal(vault.open(before))}))
