"""Revocations that a vendor did not confirm are tried again, sealed until then."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004_revocations"
down_revision: str | None = "0003_sources"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "revocations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name="fk_revocations_connection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
    )
    op.create_index("ix_revocations_connection_id", "revocations", ["connection_id"], unique=False)
    op.create_index("ix_revocations_due_at", "revocations", ["due_at"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("revocations")
