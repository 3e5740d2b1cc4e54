"""Due times of scheduled calls."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; no call was scheduled before."""
    op.add_column("calls", sa.Column("due_at", sa.BigInteger, nullable=True))
    op.create_index("ix_calls_due_at", "calls", ["due_at"])


def downgrade() -> None:
    """Drop the column."""
    op.drop_index("ix_calls_due_at", "calls")
    op.drop_column("calls", "due_at")
