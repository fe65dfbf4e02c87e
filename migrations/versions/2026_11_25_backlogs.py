"""How many bytes a stream took, and how far everybody had settled it when that was last looked up."""

import sqlalchemy as sa
from alembic import op

revision: str = "0009_backlogs"
down_revision: str | None = "0008_refreshes"


def upgrade() -> None:
    """Add what code before it leaves alone: its events count as no bytes."""
    for name in ("bytes_in", "floor_seq", "floor_bytes"):
        op.add_column("streams", sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("events", sa.Column("bytes_in", sa.BigInteger))


def downgrade() -> None:
    """Forget them."""
    op.drop_column("events", "bytes_in")
    for name in ("floor_bytes", "floor_seq", "bytes_in"):
        op.drop_column("streams", name)
