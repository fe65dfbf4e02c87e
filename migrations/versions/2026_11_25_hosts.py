"""Where a destination's requests go, whether it waits for that host, and whether its answers are slow."""

import sqlalchemy as sa
from alembic import op

revision: str = "0006_hosts"
down_revision: str | None = "0005_witness"


def upgrade() -> None:
    """Add what is known of a destination's host, and whom a breaker was charged by."""
    op.add_column("destinations", sa.Column("host", sa.Text))
    op.add_column(
        "destinations", sa.Column("awaits_host", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("destinations", sa.Column("slow", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_destinations_awaits_host",
        "destinations",
        ["host", "failures"],
        postgresql_where=sa.text("awaits_host"),
        sqlite_where=sa.text("awaits_host"),
    )
    op.add_column("breakers", sa.Column("charged_by", sa.Uuid))


def downgrade() -> None:
    """Forget them."""
    op.drop_column("breakers", "charged_by")
    op.drop_index("ix_destinations_awaits_host", "destinations")
    for name in ("slow", "awaits_host", "host"):
        op.drop_column("destinations", name)
