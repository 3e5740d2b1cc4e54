"""Phone numbers and tools."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    document = sa.JSON()
    op.create_table(
        "phone_numbers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Text, nullable=True),
        sa.Column("sip_uri", sa.Text, nullable=True),
        sa.Column("name", sa.Text, nullable=True),
        sa.Column("assistant_id", sa.Text, nullable=True),
        sa.Column("document", document, nullable=False),
    )
    op.create_table(
        "tools",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("document", document, nullable=False),
    )
    for table, columns in (
        ("phone_numbers", ("created_at", "updated_at", "number", "sip_uri", "assistant_id")),
        ("tools", ("created_at", "updated_at")),
    ):
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("tools", "phone_numbers"):
        op.drop_table(table)
