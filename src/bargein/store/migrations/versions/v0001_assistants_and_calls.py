"""Tables of assistants, calls and the server's own values."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    document = sa.JSON()
    op.create_table(
        "meta", sa.Column("key", sa.String(64), primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    op.create_table(
        "assistants",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("document", document, nullable=False),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=True),
        sa.Column("phone_number_id", sa.Text, nullable=True),
        sa.Column("status", sa.String(32), nullable=True),
        sa.Column("document", document, nullable=False),
    )
    for table, columns in (
        ("assistants", ("created_at", "updated_at")),
        ("calls", ("created_at", "updated_at", "assistant_id", "phone_number_id", "status")),
    ):
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("calls", "assistants", "meta"):
        op.drop_table(table)
