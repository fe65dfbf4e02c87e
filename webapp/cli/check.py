"""`hitchpost check`: is everything right for a start? Every fault at once."""

import sys

import click

from webapp.cli import home as homes
from webapp.core import checks
from webapp.core.runtime import Runtime
from webapp.errors import SettingsError


@click.command()
@click.option("--settings-only", is_flag=True, help="Look at the settings alone, not at the database.")
def check(*, settings_only: bool) -> None:
    """Check the configuration and the schema.

    Names every fault; status 0 when there is none.
    With HITCHPOST_STAGE=production, whatever is unsafe is a fault too, and nothing starts with it.
    """
    faults = find_faults(settings_only=settings_only)
    for fault in faults:
        click.echo(f"✗ {fault}")
    if faults:
        sys.exit(1)
    click.echo("✓ no fault found")


def find_faults(*, settings_only: bool = False) -> list[str]:
    """Every fault, as lines that name settings and no values."""
    try:
        settings = homes.settings()
    except SettingsError as error:
        return list(error.faults)
    faults = checks.of_settings(settings)
    if faults or settings_only:
        return faults
    runtime = Runtime.start(settings)
    try:
        return checks.of_database(runtime)
    finally:
        runtime.close()
