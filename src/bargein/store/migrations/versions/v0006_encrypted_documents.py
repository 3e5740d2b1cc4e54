"""Documents and the payloads of jobs are encrypted as a whole.

The tables stay as they are. The revision keeps versions that cannot read such documents from opening the database; the
rows of older versions are encrypted by `bargein.store.admission.check_vault`, which has the key.
"""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Change no table."""


def downgrade() -> None:
    """Change no table. The documents stay encrypted."""
