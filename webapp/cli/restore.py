"""`hitchpost restore`: an instance on a restored database is held until it is released."""

import click

from webapp.cli import home as homes
from webapp.core import restores


@click.group()
def restore() -> None:
    """After a database was restored from a backup.

    A copied SQLite file, or a dump loaded anywhere, is noticed and holds itself. After a recovery of a whole
    PostgreSQL cluster, or when SQLite's folder was put back whole, say so before anything starts: `mark`.
    While held, events are taken and nothing else happens. Look at `hitchpost doctor`, then `release`.
    """


@restore.command()
def mark() -> None:
    """Hold this instance: its database was restored."""
    with homes.runtime() as runtime:
        restores.mark(runtime)
    click.echo("Held. Look at `hitchpost doctor`; `hitchpost restore release` lets it go on.")


@restore.command()
def release() -> None:
    """Let it go on, from what this database says. What was sent since the backup may be sent again."""
    with homes.runtime() as runtime:
        restores.release(runtime)
    click.echo("Released: what is due is delivered and refreshed now.")
