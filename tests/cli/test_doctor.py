"""The doctor finds each fault that it is told to look for, and none in a healthy instance."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from tests import instances, seeding
from webapp.cli.doctor import doctor
from webapp.cli.restore import restore
from webapp.core import audit_chain, processes, restores
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.models import Destination
from webapp.sandbox import serve


@pytest.fixture
def runtime(database_url: str) -> Iterator[Runtime]:
    """An instance with one destination and a worker that was just seen."""
    with instances.running(database_url) as runtime, serve(port=0) as sandbox:
        seeding.connect(runtime, sandbox.urls["console"], "u1")
        with runtime.database.write() as session:
            processes.seen(session, runtime.process_id, processes.WORKER)
        yield runtime


@pytest.fixture
def examine(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Result]:
    for name, value in instances.environment(database_url).items():
        monkeypatch.setenv(name, value)
    return lambda: CliRunner().invoke(doctor)


def test_a_healthy_instance_is_well(examine: Callable[[], Result]) -> None:
    result = examine()
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "✓ all is well")
    assert "connections: 1 active" in result.output


def test_a_ledger_that_does_not_add_up_is_a_fault(runtime: Runtime, examine: Callable[[], Result]) -> None:
    with runtime.database.write() as session:
        session.execute(update(Destination).values(delivered=Destination.delivered + 1))
    result = examine()
    assert result.exit_code == 1
    assert "does not add up: 0 events were passed, 1 are settled" in result.output


def test_dead_letters_that_are_not_as_many_as_died_are_a_fault(
    runtime: Runtime, examine: Callable[[], Result]
) -> None:
    with runtime.database.write() as session:
        session.execute(
            update(Destination).values(dead=Destination.dead + 1, rewound=Destination.rewound + 1)
        )
    result = examine()
    assert result.exit_code == 1
    assert "does not add up: 1 died and 0 are to be replayed, there are 0 dead letters" in result.output


def test_work_that_nobody_does_is_a_fault(runtime: Runtime, examine: Callable[[], Result]) -> None:
    with runtime.database.write() as session:
        session.execute(update(Destination).values(due_at=clock.now() - timedelta(seconds=90)))
    result = examine()
    assert result.exit_code == 1
    assert "1 deliveries are due, the oldest for 9" in result.output


def test_a_worker_that_is_gone_is_a_fault(runtime: Runtime, examine: Callable[[], Result]) -> None:
    with runtime.database.write() as session:
        processes.gone(session, runtime.process_id, processes.WORKER)
    result = examine()
    assert result.exit_code == 1
    assert "✗ worker none was seen" in result.output


def test_an_instance_held_after_a_restore_is_a_fault(runtime: Runtime, examine: Callable[[], Result]) -> None:
    restores.mark(runtime)
    audit_chain.seal(runtime)
    result = examine()
    assert result.exit_code == 1
    assert "✗ restore held since" in result.output
    assert "lines as they were sealed, up to" in result.output
    assert CliRunner().invoke(restore, ["release"]).exit_code == 0
    assert examine().exit_code == 0
