"""`hitchpost audit`: looks whether the audit is as it was written, and takes it along."""

import sys
from datetime import datetime

import click

from webapp.cli import home as homes
from webapp.core import audit_chain
from webapp.core.audit import HITCHPOST
from webapp.core.audit_chain import Anchor
from webapp.core.queries.audit import AuditFilter
from webapp.core.queries.audit_export import export_csv, export_json

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def audit() -> None:
    """The record of who did what."""


@audit.command()
@click.option(
    "--anchor", metavar="NUMBER:MAC", help="A head that was noted earlier, as `audit head` prints it."
)
def verify(anchor: str | None) -> None:
    """Name the first line that is not as it was sealed; status 1 when there is one.

    Without an anchor, an older database put in place of this one goes unseen. Anchors are in the workers'
    logs ("audit sealed"), once a minute.
    """
    with homes.runtime() as runtime:
        verdict = audit_chain.verify(runtime, _parse(anchor))
    if verdict.fault:
        click.echo(f"✗ {verdict.fault}")
        sys.exit(1)
    waiting = f", {verdict.unsealed} wait for the sealer" if verdict.unsealed else ""
    erased = f", {verdict.erased} with their words erased" if verdict.erased else ""
    click.echo(f"✓ {verdict.good} lines are as they were sealed{erased}{waiting}; the head is {verdict.head}")


@audit.command()
def head() -> None:
    """Print where the chain ends: keep it elsewhere, as an anchor for `audit verify`."""
    with homes.runtime() as runtime, runtime.database.read() as session:
        found = audit_chain.read_head(session)
    if found is None:
        sys.exit("Nothing is sealed yet: a worker does that within a second of the first act.")
    click.echo(str(found))


@audit.command()
@click.option("--csv", "as_csv", is_flag=True, help="For a spreadsheet, instead of JSON lines.")
@click.option("--act", default="", help="Only lines of this act.")
@click.option("--thing", default="", metavar="KIND:ID", help="Only lines by or about this.")
@click.option("--since", type=_DAY, help="Only lines of this day (UTC) and later ones.")
@click.option("--until", type=_DAY, help="Only lines of this day (UTC) and earlier ones.")
def export(*, as_csv: bool, act: str, thing: str, since: datetime | None, until: datetime | None) -> None:
    """Print every line, oldest first."""
    lines = export_csv if as_csv else export_json
    first, last = since.date() if since else None, until.date() if until else None
    which = AuditFilter(act=act, thing=thing, since=first, until=last)
    with homes.runtime() as runtime:
        for line in lines(runtime.database, which):
            click.echo(line, nl=False)


@audit.command()
@click.argument("thing", metavar="KIND:ID")
@click.confirmation_option(prompt="The words are gone for good then. Go on?")
def erase(thing: str) -> None:
    """Empty the words of every line by or about a thing, as of a person who is to be forgotten.

    The lines themselves stay and still verify; that they were emptied is a line of its own.
    """
    with homes.runtime() as runtime, runtime.database.write() as session:
        count = audit_chain.erase(session, HITCHPOST, thing)
    click.echo(f"{count} lines have no words any more.")


def _parse(anchor: str | None) -> Anchor | None:
    try:
        return Anchor.parse(anchor) if anchor else None
    except ValueError:
        raise click.BadParameter("is not NUMBER:MAC, as `hitchpost audit head` prints it.") from None
