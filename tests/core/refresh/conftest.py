"""Credentials to refresh, made without an install."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.fake_vendor import CLIENT_KEY
from webapp.core import credentials, refresh, users
from webapp.core.connections import moment_of
from webapp.core.refresh import Outcome, answers
from webapp.core.runtime import Runtime
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential, CredentialKind, Notice

Age = Callable[..., None]


@pytest.fixture
def grants_of(runtime: Runtime) -> Callable[..., list[Credential]]:
    """Call it with names for a connection of each such user with a grant that is due."""

    def make(*names: str) -> list[Credential]:
        with runtime.database.write() as session:
            return [make_grant(session, runtime, name) for name in names]

    return make


@pytest.fixture
def grant_of(grants_of: Callable[..., list[Credential]]) -> Callable[[str], Credential]:
    """Call it with one name for one such grant."""
    return lambda name: grants_of(name)[0]


def make_grant(session: Session, runtime: Runtime, name: str) -> Credential:
    """A connection of such a user with a grant that is due."""
    connection = Connection(
        id=uuid7(),
        user_id=users.ensure_external(session, f"user-{name}").id,
        provider="baselime",
        client_key=CLIENT_KEY,
        label=name,
        state=ConnectionState.ACTIVE,
    )
    session.add(connection)
    session.flush()
    parts = {
        "access_token": Secret(f"access-canary-{name}"),
        "refresh_token": Secret(f"refresh-canary-{name}"),
    }
    credential = credentials.add(
        session, runtime.vault, connection.id, CredentialKind.GRANT, parts, lifetime=86_400.0
    )
    credential.refresh_at = moment_of(session) - timedelta(seconds=1)
    return credential


@pytest.fixture
def age(runtime: Runtime) -> Age:
    """Call it to let time pass for a credential: what was set is that many seconds older, and it is due."""

    def pass_time(credential_id: UUID, seconds: float = 0.0) -> None:
        earlier = timedelta(seconds=seconds)
        with runtime.database.write() as session:
            found = session.get_one(Credential, credential_id)
            found.issued_at -= earlier
            found.refused_at = found.refused_at - earlier if found.refused_at else None
            found.expires_at = found.expires_at - earlier if found.expires_at else None
            found.refresh_at = moment_of(session) - timedelta(seconds=1)

    return pass_time


@pytest.fixture
def take_over(
    runtime: Runtime, age: Age, monkeypatch: pytest.MonkeyPatch
) -> Callable[[UUID], Outcome | None]:
    """Call it to do as another process does when a lease ran out and its holder, called, stays silent."""

    def follow(credential_id: UUID) -> Outcome | None:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(answers, "at_work_on", lambda _: False)
            age(credential_id)
            assert refresh.refresh_one(runtime, credential_id) is None, "its holder is called first"
            age(credential_id)
            return refresh.refresh_one(runtime, credential_id)

    return follow


@pytest.fixture
def look(runtime: Runtime) -> Callable[[UUID], tuple[Credential, Connection]]:
    """Call it for a credential and its connection as they are now."""

    def read(credential_id: UUID) -> tuple[Credential, Connection]:
        with runtime.database.read() as session:
            credential = session.get_one(Credential, credential_id)
            return credential, session.get_one(Connection, credential.connection_id)

    return read


def notices(runtime: Runtime) -> list[Notice]:
    """All that anybody was told."""
    with runtime.database.read() as session:
        return list(session.scalars(select(Notice)))
