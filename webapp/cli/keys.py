"""`hitchpost keys`: makes the secrets that an instance needs, and changes the vault's keys while it runs."""

import sys

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from webapp.cli import home as homes
from webapp.core import credentials, rotation
from webapp.core.rotation import KeyUse
from webapp.core.runtime import Runtime


@click.group()
def keys() -> None:
    """Encryption keys of the vault.

    \b
    To change the key while everything runs:
      1. `hitchpost keys new`: append it to HITCHPOST_VAULT_KEYS of every process, and restart them;
      2. move it to the first place, and restart them: from now on it seals;
      3. `hitchpost keys rotate`: what is sealed under older keys is sealed again;
      4. `hitchpost keys retire-check ID` of the old one, until it says yes; then take it off the ring.
    """  # noqa: D301 - click's mark for text that keeps its lines


@keys.command()
@click.option("--secret", is_flag=True, help="Make a value for HITCHPOST_SECRET_KEY instead.")
def new(*, secret: bool) -> None:
    """Print a fresh key for HITCHPOST_VAULT_KEYS.

    Several keys stand side by side, separated by commas: the first seals, every one opens.
    """
    click.echo(homes.make_secret_key() if secret else credentials.make_vault_key())


@keys.command()
def rotate() -> None:
    """Seal everything again under the first key of the ring.

    Safe under load, and after a kill: start it again, and it does what is left. Status 1 when something
    could not be opened; that is left as it was.
    """
    with homes.runtime() as runtime:
        rotated = _rotate(runtime)
        still = rotation.left(runtime)
    for fault in rotated.faults:
        click.echo(f"✗ {fault}", err=True)
    click.echo(f"{rotated.count} sealed again under {runtime.vault.active}, {still} left under other keys")
    sys.exit(1 if still else 0)


@keys.command()
def status() -> None:
    """Count what is sealed under each key, and say which may leave the ring."""
    with homes.runtime() as runtime:
        use = rotation.read_use(runtime)
    for each in use.keys:
        click.echo(f"{each.key_id}: {_what(each)}; {_verdict(each)}")
    if any(use.strange.values()):
        click.echo(f"✗ under keys that are not on the ring: {_counts(use.strange)}")
        sys.exit(1)


@keys.command("retire-check")
@click.argument("key_id")
def retire_check(key_id: str) -> None:
    """Say whether a key may leave the ring; status 1 when it may not.

    It reads every sealed value's own bytes. No running process may have the key in the first place.
    """
    with homes.runtime() as runtime:
        use = rotation.read_use(runtime).of(key_id)
    if use is None:
        sys.exit(f"{key_id} is not on the ring.")
    click.echo(f"{key_id}: {_what(use)}; {_verdict(use)}")
    sys.exit(0 if use.retirable else 1)


def _rotate(runtime: Runtime) -> rotation.Rotated:
    columns = (TextColumn("sealing again"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=rotation.left(runtime))
        return rotation.rotate(runtime, lambda count: progress.advance(bar, count))


def _what(use: KeyUse) -> str:
    return f"{_counts(use.sealed)}, {use.codes} codes of the last day"


def _counts(sealed: dict[str, int]) -> str:
    return ", ".join(f"{count} {table}" for table, count in sealed.items())


def _verdict(use: KeyUse) -> str:
    if use.active:
        return "active: it seals"
    if use.retirable:
        return "retirable"
    return (
        "in use: keep it" if any(use.sealed.values()) else "in use: keep it until those codes are a day old"
    )
