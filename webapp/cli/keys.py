"""`hitchpost keys`: makes the secrets that an instance needs."""

import secrets

import click

from webapp.core import credentials


@click.group()
def keys() -> None:
    """Encryption keys of the vault."""


@keys.command()
@click.option("--secret", is_flag=True, help="Make a value for HITCHPOST_SECRET_KEY instead.")
def new(*, secret: bool) -> None:
    """Print a fresh key for HITCHPOST_VAULT_KEYS.

    Several keys stand side by side, separated by commas: the first seals, every one opens.
    """
    click.echo(make_secret_key() if secret else credentials.make_vault_key())


def make_secret_key() -> str:
    """What signs the cookies: 256 bits."""
    return secrets.token_urlsafe(32)
