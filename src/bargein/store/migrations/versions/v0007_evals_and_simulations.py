"""Tables of evals, simulations and their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TABLES: dict[str, tuple[str, ...]] = {
    "evals": (),
    "eval_runs": (),
    "personalities": (),
    "scenarios": ("name",),
    "simulations": (),
    "simulation_suites": ("name",),
    "simulation_runs": ("status", "target_type", "target_id"),
    "simulation_items": ("run_id", "simulation_id", "status"),
}


def upgrade() -> None:
    """Create the tables."""
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


def downgrade() -> None:
    """Drop the tables."""
    for table in reversed(_TABLES):
        op.drop_table(table)
