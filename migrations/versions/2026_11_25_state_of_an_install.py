"""The state of an install that an authorization request began."""

import sqlalchemy as sa
from alembic import op

revision: str = "0007_install_state"
down_revision: str | None = "0006_hosts"


def upgrade() -> None:
    """Old code leaves it empty: what it begins has no state."""
    op.add_column("installs", sa.Column("state_digest", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("installs", "state_digest")
