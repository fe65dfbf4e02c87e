"""The web process of the Procfile opens nothing when imported, and starts with no fault or not at all."""

import gc
import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from flask import Flask

from tests import instances
from webapp import wsgi

BROKER = "redis://127.0.0.1:9/0"


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def _set(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HITCHPOST_")}
    monkeypatch.setattr(os, "environ", plain | environment)


def test_the_application_is_made_when_it_is_asked_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    instances.migrate(database_url)
    _set(monkeypatch, instances.environment(database_url, broker_url=BROKER))
    assert "app" not in vars(wsgi)
    gc.unfreeze()
    app = wsgi.app
    assert gc.get_freeze_count() > 0
    gc.unfreeze()
    del vars(wsgi)["app"]
    assert isinstance(app, Flask)
    with app.test_client() as client:
        assert client.get("/healthz").status_code == 200
    app.extensions["hitchpost"].close()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"vault_keys": ""}, "HITCHPOST_VAULT_KEYS"),
        ({"port": "many"}, "HITCHPOST_PORT"),
        ({"broker_url": "memory://localhost/"}, "HITCHPOST_BROKER_URL"),
        ({}, "hitchpost migrate"),
    ],
)
def test_a_fault_ends_the_process_with_its_name(
    database_url: str, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], named: str
) -> None:
    _set(monkeypatch, instances.environment(database_url, **({"broker_url": BROKER} | wrong)))
    with pytest.raises(SystemExit, match=named):
        wsgi.make()


def test_nothing_else_is_there() -> None:
    with pytest.raises(AttributeError):
        wsgi.application  # noqa: B018 - looking is the point
