"""Tables of jobs, servers, and the server of each live call."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("leased_by", sa.String(36), nullable=True),
        sa.Column("leased_until", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "live_calls",
        sa.Column("call_id", sa.String(36), primary_key=True),
        sa.Column("node_id", sa.String(36), nullable=False),
    )
    # calls that a server before this step had when it was killed: nobody holds them
    op.execute("INSERT INTO live_calls (call_id, node_id) SELECT id, '' FROM calls WHERE status = 'in-progress'")
    for table, columns in (("jobs", ("lane", "due_at", "leased_by")), ("live_calls", ("node_id",))):
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("live_calls", "nodes", "jobs"):
        op.drop_table(table)
