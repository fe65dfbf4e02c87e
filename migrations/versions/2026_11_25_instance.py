"""The instance: where its database was when it was last known to be itself."""

import sqlalchemy as sa
from alembic import op

revision: str = "0010_instance"
down_revision: str | None = "0009_backlogs"


def upgrade() -> None:
    """Make the table; the first process to look fills it."""
    op.create_table(
        "instance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=True),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("instance")
