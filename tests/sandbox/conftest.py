"""The sandbox without sockets: one world, and a client for each of its apps."""

import pytest
from flask.testing import FlaskClient

from tests.sandbox.librato_client import Asker
from webapp.sandbox import World, new_world
from webapp.sandbox.console import new_console

REDIRECT = "http://127.0.0.1:8000/install/baselime/callback"


@pytest.fixture
def world() -> World:
    world = new_world(REDIRECT, variables={})
    world.begin_with(last9_host="localhost")
    return world


@pytest.fixture
def console(world: World) -> FlaskClient:
    return new_console(world).test_client()


@pytest.fixture
def baselime(world: World) -> FlaskClient:
    return world.baselime.apps["baselime"].test_client()


@pytest.fixture
def events(world: World) -> FlaskClient:
    return world.baselime.apps["baselime_events"].test_client()


@pytest.fixture
def otel(world: World) -> FlaskClient:
    return world.baselime.apps["baselime_otel"].test_client()


@pytest.fixture
def last9(world: World) -> FlaskClient:
    return world.last9.app.test_client()


@pytest.fixture
def librato(world: World) -> FlaskClient:
    return world.librato.app.test_client()


@pytest.fixture
def ingest_key(world: World) -> str:
    """The API key of ada's environment acme/prod."""
    environment = world.baselime.accounts.by_name("acme", "prod")
    assert environment is not None
    return environment.api_key


@pytest.fixture
def ask(librato: FlaskClient, world: World) -> Asker:
    """Ask Librato as one of its roles, Full Access when none is named."""
    return Asker(librato, world)
