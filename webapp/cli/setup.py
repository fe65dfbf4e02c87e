"""`hitchpost setup`: the keys, the tables and the first admin of an instance, kept in `var/`."""

from pathlib import Path

import click

from webapp.cli import home as homes
from webapp.cli.home import Home
from webapp.cli.migrate import open_database
from webapp.core import users
from webapp.lib import schema
from webapp.settings import Settings

FIRST_ADMIN = "admin@example.com"


@click.command()
@click.option(
    "--home",
    "path",
    type=click.Path(path_type=Path),
    default=homes.DEFAULT,
    show_default=True,
    metavar="FOLDER",
)
def setup(path: Path) -> None:
    """Make keys, tables and the first admin.

    What is missing in FOLDER is made, and the first admin's sign-in is printed.
    Nothing that exists is changed. Back up the keys apart from the database: either is worthless alone.
    """
    home = homes.make(path)
    prepare(home, Settings.load())
    click.echo(f"Ready in {home.path}.")
    sign_in = home.first_sign_in()
    if sign_in is not None:
        click.echo(
            f"First admin: {sign_in[0]}  password: {sign_in[1]}  (kept in {home.file('first_sign_in')})"
        )


def prepare(home: Home, settings: Settings) -> None:
    """Migrate, and make the first admin, whose sign-in stays in the folder until its owner deletes it."""
    database = open_database(settings)
    try:
        schema.upgrade(database)
        with database.write() as session:
            if users.find_by_email(session, FIRST_ADMIN) is None:
                _, password = users.create_admin(session, FIRST_ADMIN)
                home.file("first_sign_in").unlink(missing_ok=True)
                home.keep("first_sign_in", f"{FIRST_ADMIN} {password.reveal()}")
    finally:
        database.close()
