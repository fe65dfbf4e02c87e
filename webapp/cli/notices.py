"""`hitchpost notices`: whether mails and webhooks arrive, and the secret that webhooks are signed with."""

import base64
import secrets
import sys

import click

from webapp.cli import home as homes
from webapp.core import notices as core
from webapp.core.runtime import Runtime

_SECRET_BYTES = 32
_SETTINGS = {"mail": "HITCHPOST_SMTP_URL", "webhook": "HITCHPOST_WEBHOOK_URL"}


@click.group()
def notices() -> None:
    """What people and the host app are told, by mail and by webhook."""


@notices.command()
@click.option("--to", "address", metavar="EMAIL", help="Mail this user instead of every admin.")
def test(address: str | None) -> None:
    """Send a test by every way that is set up, now.

    A mail to each admin, and a webhook of the type hitchpost.test to the host app. Status 0 when every
    one was taken. Admins see them under Admin, Told.
    """
    runtime = Runtime.start(homes.settings())
    try:
        ways = core.ways_set_up(runtime)
        tried = core.send_test(runtime, address)
    finally:
        runtime.close()
    for way, setting in _SETTINGS.items():
        if way not in ways:
            click.echo(f"– no {way}: {setting} is empty")
    for one in tried:
        way = f"mail to {one.to}" if one.to else "webhook to the host app"
        click.echo(f"{'✓' if one.sent else '✗'} {way}: {one.words}")
    sys.exit(0 if tried and all(one.sent for one in tried) else 1)


@notices.command()
def secret() -> None:
    """Make a secret for HITCHPOST_WEBHOOK_SECRET and print it, once; the host app verifies with the same."""
    click.echo(f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}")
