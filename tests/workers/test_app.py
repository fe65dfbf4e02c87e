"""Celery is told to be a doorbell and nothing more."""

import pytest
from celery import Celery

from tests import instances
from webapp.core.runtime import Bell
from workers.app import EVERY, TASK_OF, app, configuration


@pytest.fixture(params=["memory://localhost/", "redis://127.0.0.1:6379/0"])
def told(request: pytest.FixtureRequest) -> dict[str, object]:
    return configuration(instances.settings("sqlite:///x.db", broker_url=request.param))


def test_only_json_is_read_or_written(told: dict[str, object]) -> None:
    assert (told["accept_content"], told["task_serializer"]) == (["json"], "json")


def test_nothing_is_kept_and_nobody_controls_from_afar(told: dict[str, object]) -> None:
    assert told["task_ignore_result"] is True
    assert told["worker_enable_remote_control"] is False
    assert told["task_acks_late"] is False


def test_every_bell_and_every_entry_of_beat_has_a_task() -> None:
    app.loader.import_default_modules()
    assert set(TASK_OF) == set(Bell)
    assert {*TASK_OF.values(), *EVERY} <= set(app.tasks)


def test_a_worker_listens_to_every_queue_that_is_rung_in(told: dict[str, object]) -> None:
    app = Celery("queues", set_as_current=False)
    app.conf.update(told)
    heard = set(app.amqp.queues.consume_from)
    rung = {app.amqp.router.route({}, name)["queue"].name for name in {*TASK_OF.values(), *EVERY}}
    assert rung <= heard


def test_no_ring_of_beat_outlives_the_next_one(told: dict[str, object]) -> None:
    schedule = told["beat_schedule"]
    assert isinstance(schedule, dict)
    for entry in schedule.values():
        assert entry["options"]["expires"] <= entry["schedule"]


def test_no_task_takes_an_argument() -> None:
    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if name.startswith("hitchpost.")]
    assert len(ours) >= len(EVERY)
    for task in ours:
        assert task.run.__code__.co_argcount == 0
