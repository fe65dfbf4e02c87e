"""Moves the schema over the connection it is given; for `alembic` at a desk, over one from the settings."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, Enum

from webapp.lib.database import Database
from webapp.lib.times import UTCDateTime
from webapp.models import Base
from webapp.settings import Settings


def render(kind: str, thing: object, _context: AutogenContext) -> str | Literal[False]:
    """Write a revision in SQLAlchemy's own types: it must mean the same when ours have changed."""
    if kind == "type" and isinstance(thing, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(thing, Enum):
        return f"sa.String({thing.length})"
    return False


def run(connection: Connection) -> None:
    """Run what was asked for, in the transaction of the caller."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    database = Database(Settings.load().database_url.get_secret_value())
    with database.engine.begin() as own:
        run(own)
    database.close()
