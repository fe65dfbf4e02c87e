"""An instance with users, keys, connections and dead letters, and a client that speaks JSON to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from webapp.app import create_app
from webapp.core import api_keys, credentials, sources, users
from webapp.core.api_keys import Scope
from webapp.core.audit import HITCHPOST
from webapp.core.runtime import Bell, Runtime
from webapp.lib.secret import Secret
from webapp.models import (
    Account,
    Base,
    Connection,
    ConnectionState,
    CredentialKind,
    DeadLetter,
    Destination,
    Environment,
    Event,
    Stream,
)
from webapp.settings import Settings


@dataclass(frozen=True, slots=True)
class Held:
    """What `World.connect` made."""

    connection: UUID
    destination: UUID
    dead_letter: UUID
    source: UUID
    user: UUID


class World:
    """One instance, and the rows that a test wants there."""

    def __init__(self, runtime: Runtime, rings: list[Bell] | None = None) -> None:
        self.runtime = runtime
        self.client: FlaskClient = create_app(runtime).test_client()
        #: the bells that were rung
        self.rings = rings if rings is not None else []

    def user(self, external_id: str) -> UUID:
        """A host app's user, made if new."""
        with self.runtime.database.write() as session:
            return users.ensure_external(session, external_id).id

    def key(self, *scopes: Scope, user_id: UUID | None = None) -> dict[str, str]:
        """The header of a new API key with these scopes, or with all."""
        with self.runtime.database.write() as session:
            _, text = api_keys.create(session, HITCHPOST, "test", scopes or tuple(Scope), user_id=user_id)
        return {"Authorization": f"Bearer {text.reveal()}"}

    def connect(self, user_id: UUID, *, workspace: str = "acme", lifetime: float = 86_400) -> Held:
        """An active connection with one environment, one destination and one open dead letter."""
        with self.runtime.database.write() as session:
            connection = Connection(
                user_id=user_id,
                provider="baselime",
                client_key="default",
                label=workspace,
                state=ConnectionState.ACTIVE,
            )
            session.add(connection)
            session.flush()
            account = Account(connection_id=connection.id, provider="baselime", account_key=workspace)
            session.add(account)
            stream = session.execute(select(Stream).where(Stream.user_id == user_id)).scalar_one_or_none()
            if stream is None:
                stream = Stream(user_id=user_id, last_accepted_at=datetime.now(UTC))
                session.add(stream)
            session.flush()
            environment = Environment(account_id=account.id, vendor_key="production")
            session.add(environment)
            session.flush()
            destination = Destination(
                environment_id=environment.id,
                stream_id=stream.id,
                kind="baselime.events",
                settings={"types": "*"},
                cursor_seq=stream.head_seq,
                origin_seq=stream.head_seq,
                dead=1,
            )
            session.add(destination)
            session.flush()
            letter = DeadLetter(
                destination_id=destination.id, seq=1, type="deployment", body=b"{}", reason="Refused."
            )
            session.add(letter)
            parts = {"access_token": Secret("canary-access"), "refresh_token": Secret("canary-refresh")}
            credentials.add(
                session, self.runtime.vault, connection.id, CredentialKind.GRANT, parts, lifetime=lifetime
            )
            session.flush()
            source = sources.make(session, self.runtime.vault, HITCHPOST, user_id, workspace).source
            return Held(connection.id, destination.id, letter.id, source.id, user_id)

    def events(self) -> int:
        """How many events are stored."""
        with self.runtime.database.read() as session:
            return session.execute(select(func.count()).select_from(Event)).scalar_one()

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.runtime.database.read() as session:
            tables = Base.metadata.tables
            return {
                name: session.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in tables.items()
            }


def make_settings(url: str, **others: Any) -> Settings:
    """Settings of a test's instance."""
    values = {
        "HITCHPOST_DATABASE_URL": url,
        "HITCHPOST_VAULT_KEYS": credentials.make_vault_key(),
        "HITCHPOST_SECRET_KEY": "a secret key for tests: 0123456789abcdef",
        "HITCHPOST_RETURN_ORIGINS": "https://app.example",
        "HITCHPOST_BASELIME_API_URL": "http://127.0.0.1:1",
        "HITCHPOST_ALLOW_PRIVATE_VENDORS": "true",
    }
    return Settings.load(values | others)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An instance on SQLite, without any users yet, whose vendors do not answer."""
    rings: list[Bell] = []
    runtime = Runtime.start(make_settings(f"sqlite:///{tmp_path / 'hitchpost.db'}"), wake=rings.append)
    Base.metadata.create_all(runtime.database.engine)
    yield World(runtime, rings)
    runtime.close()
