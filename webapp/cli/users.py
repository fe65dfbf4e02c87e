"""`hitchpost user`: what there is of somebody, and their deletion with everything of theirs."""

import click

from webapp.cli import home as homes
from webapp.core import deletion, users
from webapp.core.audit import HITCHPOST
from webapp.core.deletion import Loss
from webapp.core.runtime import Runtime
from webapp.errors import NotFound


@click.group()
def user() -> None:
    """Somebody here, named by id, external id or e-mail address."""


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def delete(name: str, *, yes: bool) -> None:
    """Delete the user NAME with everything of theirs, which cannot be undone.

    What goes is counted first, and you are asked. At once nobody comes in as them; workers do the rest within
    minutes. Run it again to see what is left: when all is gone, nobody of that name is found.
    """
    with homes.runtime() as runtime:
        loss = _read(runtime, name)
        click.echo(_told(loss))
        if loss.begun_at is None:
            if not yes:
                click.confirm(f"Delete {loss.label} with all of it?", abort=True)
            with runtime.database.write() as session:
                deletion.begin(session, HITCHPOST, loss.id)
            click.echo("Marked: they are out. Workers take away the rest within minutes.")


def _read(runtime: Runtime, name: str) -> Loss:
    with runtime.database.read() as session:
        found = users.find_by_any_name(session, name)
        if found is None:
            raise NotFound(f"Nobody here is called {name}, by id, external id or e-mail address.")
        return deletion.read_loss(session, found.id)


def _told(loss: Loss) -> str:
    since = f", being deleted since {loss.begun_at:%Y-%m-%d %H:%M} UTC" if loss.begun_at else ""
    return "\n".join(
        (
            f"{loss.label} ({loss.id}){since}:",
            f"  {_counted(loss.connections, 'connection')}, {loss.open_connections} of them open",
            f"  {_counted(loss.destinations, 'destination')}, for which {loss.waiting} deliveries wait",
            f"  {_counted(loss.events, 'event')} and {_counted(loss.dead_letters, 'dead letter')} kept here",
            f"  {_counted(loss.api_keys, 'API key')}, {_counted(loss.sources, 'source')}",
        )
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
