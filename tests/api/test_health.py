"""What supervisors and graphs ask: alive, ready, and the figures."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from tests.api.conftest import World, make_settings
from webapp.app import create_app
from webapp.core import processes, restores
from webapp.core.api_keys import Scope
from webapp.core.runtime import Runtime
from webapp.lib import schema


@pytest.fixture
def ready_world(database_url: str) -> Iterator[World]:
    """An instance on either database, whose schema was migrated and whose worker was just seen."""
    runtime = Runtime.start(make_settings(database_url))
    schema.upgrade(runtime.database)
    with runtime.database.write() as session:
        processes.seen(session, uuid4(), processes.WORKER)
    yield World(runtime)
    runtime.close()


def test_alive_asks_nothing_of_the_database(world: World) -> None:
    world.runtime.database.close()
    answer = world.client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_ready_names_every_check(ready_world: World) -> None:
    answer = ready_world.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ready",
        "checks": {"database": "ok", "schema": "ok", "keys": "ok", "worker": "ok", "restore": "ok"},
    }


def test_not_ready_without_a_worker(ready_world: World) -> None:
    with ready_world.runtime.database.write() as session:
        session.execute(text("DELETE FROM processes"))
    answer = ready_world.client.get("/readyz")
    assert answer.status_code == 503
    assert [name for name, word in answer.json["checks"].items() if word != "ok"] == ["worker"]


def test_not_ready_while_held_after_a_restore(ready_world: World) -> None:
    restores.mark(ready_world.runtime)
    answer = ready_world.client.get("/readyz")
    assert answer.status_code == 503
    faults = {name: word for name, word in answer.json["checks"].items() if word != "ok"}
    assert [*faults] == ["restore"]
    assert "hitchpost restore release" in faults["restore"]


def test_not_ready_when_a_key_is_missing(ready_world: World) -> None:
    ready_world.connect(ready_world.user("u_1"))
    settings = make_settings(ready_world.runtime.settings.database_url.get_secret_value())
    other = Runtime.start(settings)
    answer = create_app(other).test_client().get("/readyz")
    assert answer.status_code == 503
    assert [name for name, word in answer.json["checks"].items() if word != "ok"] == ["keys"]
    other.close()


def test_not_ready_before_the_migration(database_url: str) -> None:
    runtime = Runtime.start(make_settings(database_url))
    answer = create_app(runtime).test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["database"] == "ok"
    assert "hitchpost migrate" in answer.json["checks"]["schema"]
    runtime.close()


def test_not_ready_without_a_database() -> None:
    runtime = Runtime.start(make_settings("postgresql://hitchpost:canary@127.0.0.1:1/hitchpost"))
    answer = create_app(runtime).test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["database"] == "cannot be used"
    assert "canary" not in answer.text
    runtime.close()


def test_the_figures_tell_what_happened(ready_world: World) -> None:
    world = ready_world
    world.connect(world.user("u_1"))
    world.client.post(
        "/api/v1/events", json={"user": "u_1", "id": "1", "type": "deployment"}, headers=world.key()
    )
    answer = world.client.get("/metrics")
    assert answer.status_code == 200
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["hitchpost_events_accepted_total",] == 1
    assert samples["hitchpost_events_waiting", "baselime.events"] == 1
    assert samples["hitchpost_events_settled_total", "baselime.events", "dead"] == 1
    assert samples["hitchpost_connections", "active"] == 1
    assert samples["hitchpost_dead_letters_open",] == 1
    assert samples["hitchpost_ledgers_wrong",] == 1, "its one dead letter was made up"
    assert ("hitchpost_drained_seconds", "baselime.events") not in samples, "nothing was delivered yet"
    assert samples["hitchpost_due", "deliveries"] == 1
    assert samples["hitchpost_due_age_seconds", "deliveries"] >= 0
    assert samples["hitchpost_processes", "worker"] == 1
    assert "u_1" not in answer.text
    assert "acme" not in answer.text


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("203.0.113.7", {}),
        ("10.0.0.5", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.7"}),
        ("127.0.0.1", {"Via": "1.1 proxy"}),
        ("not an address", {}),
    ],
)
def test_the_figures_are_for_this_machine_or_a_key(
    world: World, address: str, headers: dict[str, str]
) -> None:
    asked = {"environ_base": {"REMOTE_ADDR": address}}
    assert world.client.get("/metrics", headers=headers, **asked).status_code == 401
    wrong = world.key(Scope.EVENTS_WRITE)
    assert world.client.get("/metrics", headers={**headers, **wrong}, **asked).status_code == 403
    right = world.key(Scope.METRICS_READ)
    assert world.client.get("/metrics", headers={**headers, **right}, **asked).status_code == 200
