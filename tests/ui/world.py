"""The world of the page tests: a cast of people, and one of everything that bob owns."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.runtimes import running
from webapp.core import api_keys, connect_sessions, credentials, links, passwords, sessions, sources, users
from webapp.core.api_keys import Scope
from webapp.core.audit import HITCHPOST, Actor
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.models import (
    Account,
    Connection,
    ConnectionState,
    CredentialKind,
    DeadLetter,
    Destination,
    Environment,
    Errand,
    Event,
    Install,
    InstallState,
    LinkKind,
    Notice,
    Role,
    SessionKind,
    Stream,
    User,
    Way,
)
from webapp.ui._throttle import install_throttle

PASSWORD = Secret("four quiet words here")
RAW_CSRF = "0123456789abcdef0123456789abcdef01234567"
#: What must stand on no page, in no header and no cookie.
CANARIES = ("canary-access-token", "canary-refresh-token", "canary-ingest-key", "client-secret-canary")


class World:
    """One instance. alice administers, bob owns, dan is another member, carol is the app's user."""

    def __init__(self, app: Flask, runtime: Runtime) -> None:
        self.app, self.runtime = app, runtime
        self.app.extensions["hitchpost"] = runtime
        install_throttle(app, runtime.settings)
        #: what the variable parts of addresses stand for
        self.things: dict[str, str] = {}
        self.users: dict[str, UUID] = {}

    def fill(self, password_hash: str) -> None:
        """Make the cast, and one of everything for bob."""
        with self.runtime.database.write() as session:
            for name, role in (("alice", Role.ADMIN), ("bob", Role.MEMBER), ("dan", Role.MEMBER)):
                user = User(id=uuid7(), email=f"{name}@example.org", role=role, password_hash=password_hash)
                session.add(user)
                self.users[name] = user.id
            self.users["carol"] = users.ensure_external(session, "u_carol").id
            session.flush()
            self._connect(session, self.users["bob"])
            self._link(session)

    def client(self, who: str | None = None, kind: SessionKind = SessionKind.LOGIN) -> FlaskClient:
        """A browser in which `who` is signed in, or nobody."""
        client = self.app.test_client()
        with client.session_transaction() as kept:
            kept["csrf_token"] = RAW_CSRF
            if who:
                with self.runtime.database.write() as session:
                    kept["sid"] = sessions.open(session, self.users[who], kind).reveal()
        return client

    def token(self) -> str:
        """The form token that goes with every client of `client`."""
        serializer = URLSafeTimedSerializer(self.app.secret_key or "", salt="wtf-csrf-token")
        text = serializer.dumps(RAW_CSRF)
        return text if isinstance(text, str) else text.decode()

    def post(self, client: FlaskClient, path: str, form: Mapping[str, Any] | None = None) -> TestResponse:
        """Send a form as its own page would."""
        data = {"csrf_token": self.token(), **(form or {})}
        return client.post(path, data=data, headers={"Sec-Fetch-Site": "same-origin"})

    def address(self, rule: str, things: Mapping[str, str] | None = None) -> str:
        """A real address for a route: `/connections/<uuid:connection_id>` of bob's connection."""
        known = {**self.things, **(things or {})}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: known[match[1]], rule)

    def _connect(self, session: Session, owner: UUID) -> None:
        connection = Connection(
            id=uuid7(),
            user_id=owner,
            provider="baselime",
            client_key="client-1",
            label="acme",
            state=ConnectionState.ACTIVE,
        )
        session.add(connection)
        session.flush()
        account = Account(id=uuid7(), connection_id=connection.id, provider="baselime", account_key="acme")
        session.add(account)
        session.flush()
        environment = Environment(id=uuid7(), account_id=account.id, vendor_key="production")
        stream = Stream(id=uuid7(), user_id=owner, head_seq=2, last_accepted_at=clock.now())
        session.add_all([environment, stream])
        session.flush()
        vault = self.runtime.vault
        grant = {"access_token": Secret(CANARIES[0]), "refresh_token": Secret(CANARIES[1])}
        credentials.add(session, vault, connection.id, CredentialKind.GRANT, grant, lifetime=86_400)
        key = {"ingest_key": Secret(CANARIES[2])}
        kind = CredentialKind.INGEST_KEY
        credentials.add(session, vault, connection.id, kind, key, environment_id=environment.id)
        destination = Destination(
            id=uuid7(),
            environment_id=environment.id,
            stream_id=stream.id,
            kind="baselime.events",
            settings={"types": ["*"]},
            cursor_seq=1,
            origin_seq=0,
            dead=1,
        )
        session.add(destination)
        session.flush()
        letter = DeadLetter(
            id=uuid7(),
            destination_id=destination.id,
            seq=1,
            type="deployment",
            body=b'{"id": "e1"}',
            reason="too large",
        )
        session.add(letter)
        session.add_all(_event(stream.id, seq) for seq in (1, 2))
        install = Install(
            id=uuid7(),
            state=InstallState.CANCELLED,
            provider="baselime",
            client_key="client-1",
            user_id=owner,
            ending="cancelled",
            expires_at=clock.now() + timedelta(minutes=10),
        )
        session.add(install)
        key_row, _ = api_keys.create(session, HITCHPOST, "ci", [Scope.EVENTS_WRITE])
        notice = Notice(
            id=uuid7(), dedupe_key="told", user_id=owner, kind="test", text="Bob was told something."
        )
        errand = Errand(
            id=uuid7(), dedupe_key="e", way=Way.WEBHOOK, kind="connection.paused", due_at=clock.now()
        )
        session.add_all([notice, errand])
        source = sources.make(session, vault, HITCHPOST, owner, "acme/shop").source
        self.things |= {
            "notice_id": str(notice.id),
            "errand_id": str(errand.id),
            "connection_id": str(connection.id),
            "environment_id": str(environment.id),
            "destination_id": str(destination.id),
            "letter_id": str(letter.id),
            "event_id": f"{stream.id.hex}-2",
            "install_id": str(install.id),
            "key_id": str(key_row.id),
            "source_id": str(source.id),
            "user_id": str(self.users["dan"]),
            "provider": "baselime",
            "filename": "hitchpost.css",
            "ending": "declined",
            "kind_name": "baselime.events",
        }

    def _link(self, session: Session) -> None:
        invited, _ = users.invite(session, Actor.user(self.users["alice"]), "eve@example.org", Role.MEMBER)
        secret, _ = links.make(session, LinkKind.INVITE, invited.id)
        self.things["link"] = secret.reveal()

    def connect_link(self) -> str:
        """The secret of a fresh link for carol's connect session."""
        with self.runtime.database.write() as session:
            allowed = self.runtime.settings.return_origins
            link, _ = connect_sessions.create(session, HITCHPOST, "u_carol", None, allowed)
        return link.reveal()


class Worlds:
    """Makes worlds fast: each is a copy of one filled database, seen through one application."""

    def __init__(self, folder: Path, app: Flask, template: World, settings: Mapping[str, Any]) -> None:
        self._folder, self._app, self._template, self._settings = folder, app, template, settings
        self._made = 0

    @contextmanager
    def fresh(self, **more: Any) -> Iterator[World]:
        """A world in which nothing happened yet; settings beside those of all worlds."""
        self._made += 1
        copy = self._folder / f"world-{self._made}.db"
        shutil.copyfile(self._folder / "template.db", copy)
        with running(f"sqlite:///{copy}", **{**self._settings, **more}) as runtime:
            world = World(self._app, runtime)
            world.things, world.users = self._template.things, self._template.users
            yield world


def make_password_hash() -> str:
    """One slow hash for everybody's password."""
    return passwords.hash_password(PASSWORD)


def _event(stream_id: UUID, seq: int) -> Event:
    return Event(
        stream_id=stream_id,
        seq=seq,
        key_hash=bytes([seq]) * 32,
        digest=bytes([seq]) * 32,
        type="deployment",
        source="shipyard",
        time=clock.now(),
        accepted_at=clock.now(),
        body=b'{"specversion":"1.0","id":"e%d","source":"shipyard","type":"deployment"}' % seq,
    )
