"""Table of structured outputs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "structured_outputs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
    )
    for column in ("created_at", "updated_at", "name"):
        op.create_index(f"ix_structured_outputs_{column}", "structured_outputs", [column])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("structured_outputs")
