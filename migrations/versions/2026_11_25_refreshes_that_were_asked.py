"""Refreshes whose answer is not here yet, and how fast a Client is asked."""

import sqlalchemy as sa
from alembic import op

revision: str = "0008_refreshes"
down_revision: str | None = "0007_install_state"


def upgrade() -> None:
    """Add what is written before a refresh goes out."""
    op.add_column("credentials", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("credentials", sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "paces",
        sa.Column("client_key", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_key", name="pk_paces"),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_table("paces")
    op.drop_column("credentials", "rotated_at")
    op.drop_column("credentials", "asked_at")
