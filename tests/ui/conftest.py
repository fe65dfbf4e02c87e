"""Worlds for the page tests."""

import secrets
from collections.abc import Iterator

import pytest

from tests.runtimes import running
from tests.ui.world import World, Worlds, make_password_hash
from webapp.app import create_app
from webapp.core.credentials import make_vault_key


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Where fresh worlds come from."""
    folder = tmp_path_factory.mktemp("worlds")
    settings = {
        "vault_keys": make_vault_key(),
        "secret_key": secrets.token_urlsafe(40),
        "public_url": "http://localhost",
        "return_origins": ("https://app.example.org",),
    }
    with running(f"sqlite:///{folder / 'template.db'}", **settings) as runtime:
        app = create_app(runtime)
        template = World(app, runtime)
        template.fill(make_password_hash())
        runtime.database.close()  # the last connection folds the log into the file
        yield Worlds(folder, app, template, settings)


@pytest.fixture
def world(worlds: Worlds) -> Iterator[World]:
    """A world in which nothing happened yet."""
    with worlds.fresh() as made:
        yield made
