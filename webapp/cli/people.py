"""`hitchpost admin` and `hitchpost api-key`: the first person and the first program."""

from datetime import timedelta

import click

from webapp.cli import home as homes
from webapp.core import api_keys, users
from webapp.core.api_keys import Scope
from webapp.core.audit import HITCHPOST
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.lib.secret import Secret


@click.group()
def admin() -> None:
    """People who see every connection."""


@admin.command()
@click.argument("email")
@click.option("--ask", is_flag=True, help="Ask for the password instead of making one.")
def add(email: str, *, ask: bool) -> None:
    """Add an admin with the address EMAIL and print their password, which is kept nowhere."""
    given = Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True)) if ask else None
    runtime = Runtime.start(homes.settings())
    try:
        with runtime.database.write() as session:
            user, password = users.create_admin(session, email, given)
    finally:
        runtime.close()
    click.echo(f"{user.label} can sign in at {runtime.settings.public_url}/sign-in")
    if given is None:
        click.echo(f"Password, shown once: {password.reveal()}")


@click.group("api-key")
def api_key() -> None:
    """Keys of host apps."""


@api_key.command("new")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=[Scope.EVENTS_WRITE.value],
    show_default=True,
    help="What it may do; give it several times for several.",
)
@click.option("--external-id", help="Hold the key to this one user of the host app.")
@click.option("--days", type=click.IntRange(min=1), help="Let it expire after so many days.")
def new(name: str, scopes: tuple[str, ...], external_id: str | None, days: int | None) -> None:
    """Make an API key called NAME and print it, once."""
    runtime = Runtime.start(homes.settings())
    try:
        with runtime.database.write() as session:
            user_id = users.ensure_external(session, external_id).id if external_id else None
            expires_at = clock.now() + timedelta(days=days) if days else None
            chosen = [Scope(scope) for scope in scopes]
            _, text = api_keys.create(
                session, HITCHPOST, name, chosen, user_id=user_id, expires_at=expires_at
            )
    finally:
        runtime.close()
    click.echo(text.reveal())
