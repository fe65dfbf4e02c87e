"""Dead letters have a witness, and are counted by state without reading them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005_witness"
down_revision: str | None = "0004_revocations"


def upgrade() -> None:
    """Add what code before it leaves alone."""
    op.add_column("dead_letters", sa.Column("witness", sa.Text(), nullable=True))
    op.create_index("ix_dead_letters_destination_id_state", "dead_letters", ["destination_id", "state"])


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("ix_dead_letters_destination_id_state", "dead_letters")
    op.drop_column("dead_letters", "witness")
