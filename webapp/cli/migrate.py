"""`hitchpost migrate`: moves the database's schema to what this code needs."""

from pathlib import Path

import click
from sqlalchemy import make_url

from webapp.cli import home as homes
from webapp.lib import schema
from webapp.lib.database import Database
from webapp.settings import Settings


@click.command()
@click.option("--down-to", metavar="REVISION", help="Move down instead; `base` drops every table.")
def migrate(down_to: str | None) -> None:
    """Make or update the tables.

    Safe to run again, and from several places at once: one runner works, the others wait. Each run is one
    transaction, so that one cut short leaves nothing behind.
    """
    database = open_database(homes.settings())
    try:
        if down_to is None:
            schema.upgrade(database)
        else:
            click.confirm(f"Move down to {down_to}? What later tables hold is lost.", abort=True)
            schema.downgrade(database, down_to)
        click.echo(f"The schema is at revision {schema.current(database) or 'base'}.")
    finally:
        database.close()


def open_database(settings: Settings) -> Database:
    """The database of the settings; the folder of a SQLite file is made if it is missing."""
    url = settings.database_url.get_secret_value()
    path = sqlite_path(url)
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Database(url)


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite address; None for PostgreSQL or a database in memory."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or not parts.database or parts.database == ":memory:":
        return None
    return Path(parts.database)
