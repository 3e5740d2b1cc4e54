"""Tables of credentials, squads, files, sessions and chats; the duration of calls."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from bargein.wire.call import duration_ms

revision = "0003"
down_revision = "0002"

_TABLES: dict[str, tuple[str, ...]] = {
    "credentials": ("provider",),
    "squads": (),
    "files": ("purpose",),
    "sessions": (
        "name", "assistant_id", "squad_id", "workflow_id", "phone_number_id",
        "customer_number", "customer_sip_uri", "customer_name", "customer_email", "customer_external_id",
    ),
    "chats": ("assistant_id", "squad_id", "session_id", "previous_chat_id"),
}  # fmt: skip


def upgrade() -> None:
    """Create the tables, and fill in each call's duration from its record."""
    for table, columns in _TABLES.items():
        op.create_table(
            table,
            sa.Column("id", sa.String(36), primary_key=True),
            sa.Column("created_at", sa.BigInteger, nullable=False),
            sa.Column("updated_at", sa.BigInteger, nullable=False),
            *(sa.Column(column, sa.Text, nullable=True) for column in columns),
            sa.Column("document", sa.JSON(), nullable=False),
        )
        for column in ("created_at", "updated_at", *columns):
            op.create_index(f"ix_{table}_{column}", table, [column])
    op.add_column("calls", sa.Column("duration_ms", sa.BigInteger, nullable=True))
    op.create_index("ix_calls_duration_ms", "calls", ["duration_ms"])
    _measure(op.get_bind())


def _measure(connection: sa.Connection) -> None:
    calls = sa.table("calls", sa.column("id"), sa.column("document"), sa.column("duration_ms"))
    for call_id, document in connection.execute(sa.select(calls.c.id, calls.c.document)).all():
        record: dict[str, Any] = json.loads(document) if isinstance(document, str) else document
        length = duration_ms(record)
        if length is not None:
            connection.execute(sa.update(calls).where(calls.c.id == call_id).values(duration_ms=length))


def downgrade() -> None:
    """Drop the tables."""
    op.drop_index("ix_calls_duration_ms", "calls")
    with op.batch_alter_table("calls") as batch:
        batch.drop_column("duration_ms")
    for table in reversed(_TABLES):
        op.drop_table(table)
