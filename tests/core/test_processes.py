"""A process that says so lives; one that is silent, or said goodbye, does not."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from tests import instances
from webapp.core import processes
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.models import Process


@pytest.fixture
def runtime(database_url: str) -> Iterator[Runtime]:
    with instances.running(database_url) as runtime:
        yield runtime


def test_a_process_lives_until_it_is_silent_for_long(runtime: Runtime) -> None:
    me = uuid4()
    with runtime.database.write() as session:
        assert not processes.lives(session, processes.WORKER)
        processes.seen(session, me, processes.WORKER)
        processes.seen(session, me, processes.WORKER)
    with runtime.database.write() as session:
        assert processes.lives(session, processes.WORKER)
        assert not processes.lives(session, processes.BEAT)
        assert len(session.scalars(select(Process)).all()) == 1
        session.execute(update(Process).values(seen_at=clock.now() - timedelta(seconds=31)))
        assert not processes.lives(session, processes.WORKER)


def test_a_process_that_ends_in_order_is_gone_at_once(runtime: Runtime) -> None:
    me = uuid4()
    with runtime.database.write() as session:
        processes.seen(session, me, processes.WORKER)
        processes.seen(session, uuid4(), processes.BEAT)
    with runtime.database.write() as session:
        processes.gone(session, me, processes.WORKER)
        assert not processes.lives(session, processes.WORKER)
        assert processes.lives(session, processes.BEAT)


def test_what_was_last_seen_a_day_ago_is_forgotten(runtime: Runtime) -> None:
    with runtime.database.write() as session:
        processes.seen(session, uuid4(), processes.WORKER)
        session.flush()
        session.execute(update(Process).values(seen_at=clock.now() - timedelta(hours=25)))
        processes.seen(session, uuid4(), processes.WORKER)
    with runtime.database.write() as session:
        processes.forget(session)
        assert len(session.scalars(select(Process)).all()) == 1
