"""Whole instances for tests: settings that hold together, and a Runtime over a migrated database."""

from collections.abc import Iterator
from contextlib import contextmanager

from webapp.core import credentials
from webapp.core.runtime import Runtime
from webapp.lib import schema
from webapp.lib.database import Database
from webapp.settings import Settings

VAULT_KEYS = credentials.make_vault_key()
SECRET_KEY = "for-tests-only-Zx81-Qq7-Lm2-Pk9-Vb4-Tn6"


def environment(database_url: str, **more: str) -> dict[str, str]:
    """The environment of an instance on `database_url`; `more` by lower-case setting."""
    values = {
        "database_url": database_url,
        "vault_keys": VAULT_KEYS,
        "secret_key": SECRET_KEY,
        "allow_private_vendors": "true",
    }
    return {f"HITCHPOST_{name.upper()}": value for name, value in (values | more).items()}


def settings(database_url: str, **more: str) -> Settings:
    """The same, read."""
    return Settings.load(environment(database_url, **more))


def migrate(database_url: str) -> None:
    """Bring a database to the newest schema."""
    database = Database(database_url)
    try:
        schema.upgrade(database)
    finally:
        database.close()


@contextmanager
def running(database_url: str, **more: str) -> Iterator[Runtime]:
    """A Runtime over a database that is migrated first."""
    migrate(database_url)
    runtime = Runtime.start(settings(database_url, **more))
    try:
        yield runtime
    finally:
        runtime.close()
