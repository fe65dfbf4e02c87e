"""`hitchpost doctor`: how an instance is, and what is wrong with it."""

import sys
from collections.abc import Iterator
from datetime import datetime

import click

from webapp.cli import home as homes
from webapp.core import audit_chain
from webapp.core.queries.health import Health, read_health
from webapp.core.queries.ledgers import find_wrong
from webapp.core.queries.readiness import check_readiness
from webapp.core.refresh import refresh_samples
from webapp.core.runtime import Runtime

#: Work that waits longer than this past its time is overdue, in seconds.
OVERDUE_SECONDS = 60.0


@click.command()
@click.option(
    "--refresh-sample",
    is_flag=True,
    help="Refresh one healthy connection of each vendor now, to see that this configuration can.",
)
def doctor(*, refresh_sample: bool) -> None:
    """Say what is wrong with this instance.

    It reads only, but for a sample; one that fails changes nothing, so it can be tried with a new secret
    before the change goes out. Status 0 when nothing is wrong.
    Faults are: an instance that is held after a restore, work overdue for more than a minute, no worker seen,
    a sealed value without its key, a schema that is not this code's, a destination whose ledger does not add
    up, and on a held instance an audit whose chain does not hold.
    """
    runtime = Runtime.start(homes.settings())
    try:
        faults = list(_examine(runtime))
        if refresh_sample:
            faults += _sample(runtime)
    finally:
        runtime.close()
    for fault in faults:
        click.echo(f"✗ {fault}")
    click.echo("✗ something is wrong" if faults else "✓ all is well")
    sys.exit(1 if faults else 0)


def _examine(runtime: Runtime) -> Iterator[str]:
    checks = check_readiness(runtime)
    yield from (f"{check.name} {check.fault}" for check in checks if check.fault)
    if any(check.fault for check in checks if check.name in {"database", "schema"}):
        return
    with runtime.database.read() as session:
        health = read_health(session)
    click.echo(_summary(health))
    for due in health.due:
        if due.oldest is not None and (late := _seconds(due.oldest, health.now)) > OVERDUE_SECONDS:
            yield f"{due.count} {due.work} are due, the oldest for {late:.0f} s"
    if any(check.fault for check in checks if check.name == "restore"):
        yield from _chain(runtime)
    with runtime.database.read() as session:
        for fault in find_wrong(session):
            yield f"the ledger of destination {fault.destination_id} does not add up: {fault.words}"


def _chain(runtime: Runtime) -> Iterator[str]:
    """Of a restored instance the whole chain is looked at, which may take a while."""
    verdict = audit_chain.verify(runtime)
    click.echo(f"audit: {verdict.good} lines as they were sealed, up to {verdict.head}")
    if verdict.fault:
        yield f"the audit: {verdict.fault}"


def _sample(runtime: Runtime) -> Iterator[str]:
    tried = 0
    for sample in refresh_samples(runtime):
        tried += 1
        if sample.fault is None:
            click.echo(f"refreshed {sample.label} ({sample.client_key}) in {sample.seconds:.1f} s")
        elif not sample.label:
            yield f"no sample of {sample.client_key} was refreshed: {sample.fault}"
        else:
            yield f"the sample {sample.label} ({sample.client_key}) was not refreshed: {sample.fault}"
    if not tried:
        click.echo("no grant to refresh as a sample")


def _summary(health: Health) -> str:
    states = ", ".join(f"{count} {state.value}" for state, count in health.connections.items() if count)
    alive = ", ".join(sorted(process.kind for process in health.processes if process.alive))
    lines = [
        f"connections: {states or 'none'}",
        f"processes alive: {alive or 'none'}",
        f"events waiting: {health.waiting}, dead letters open: {health.dead_letters}",
    ]
    lines += [
        f"stopped: {row.scope} {row.key} since {row.since:%Y-%m-%d %H:%M} UTC" for row in health.breakers
    ]
    return "\n".join(lines)


def _seconds(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
