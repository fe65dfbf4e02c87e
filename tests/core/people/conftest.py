"""A Runtime on either database, and the cast: alice administers, bob is a member, carol is the app's user."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.runtimes import running
from webapp.core import users
from webapp.core.runtime import Runtime
from webapp.lib.secret import Secret
from webapp.models import Role, User

PASSWORD = Secret("four quiet words here")


@dataclass(frozen=True)
class Cast:
    alice: User
    bob: User
    carol: User


@pytest.fixture
def runtime(database_url: str) -> Iterator[Runtime]:
    with running(database_url) as started:
        yield started


@pytest.fixture
def cast(runtime: Runtime) -> Cast:
    with runtime.database.write() as session:
        alice, _ = users.create_admin(session, "alice@example.org", PASSWORD)
        bob = User(email="bob@example.org", role=Role.MEMBER, password_hash=alice.password_hash)
        session.add(bob)
        carol = users.ensure_external(session, "u_carol")
        session.flush()
    return Cast(alice, bob, carol)
