"""Users: since when one is being deleted."""

import sqlalchemy as sa
from alembic import op

revision: str = "0011_deletion"
down_revision: str | None = "0010_instance"


def upgrade() -> None:
    """Add the mark; nobody bears it."""
    op.add_column("users", sa.Column("deleting_at", sa.DateTime(timezone=True), nullable=True))
    marked = sa.text("deleting_at IS NOT NULL")
    op.create_index(
        "ix_users_deleting_at", "users", ["deleting_at"], postgresql_where=marked, sqlite_where=marked
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_users_deleting_at", "users")
    op.drop_column("users", "deleting_at")
