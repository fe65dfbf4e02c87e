"""Runtimes for tests: made-up keys, an empty schema, a browser's address that nobody listens on."""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from webapp.core.credentials import make_vault_key
from webapp.core.runtime import Runtime
from webapp.models import Base
from webapp.settings import Settings


@contextmanager
def running(database_url: str, **settings: Any) -> Iterator[Runtime]:
    """A Runtime on `database_url` with every table made; `settings` override."""
    values = {
        "database_url": database_url,
        "vault_keys": make_vault_key(),
        "secret_key": secrets.token_urlsafe(40),
        "baselime_client_id": "client-1",
        "baselime_client_secret": "client-secret-canary",
        "allow_private_vendors": True,
        "app_name": "Shipyard",
        "refreshes_per_second": 1000.0,
        **settings,
    }
    with closing(Runtime.start(Settings(**values))) as runtime:
        Base.metadata.create_all(runtime.database.engine)
        yield runtime
