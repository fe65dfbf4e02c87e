"""A database with the schema, and people with connections in it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from webapp.lib import clock
from webapp.lib.database import Database
from webapp.lib.ids import uuid7
from webapp.models import (
    Account,
    Base,
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    Destination,
    Environment,
    Stream,
    User,
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as opened:
        Base.metadata.create_all(opened.engine)
        yield opened


@dataclass(frozen=True)
class Made:
    """A connection and what hangs on it."""

    user: User
    connection: Connection
    account: Account
    environment: Environment
    destination: Destination
    stream: Stream
    rows: list[Any] = field(repr=False)


def make(
    name: str,
    *,
    label: str = "acme",
    state: ConnectionState = ConnectionState.ACTIVE,
    provider: str = "baselime",
    head: int = 5,
    cursor: int = 5,
    **connection: Any,
) -> Made:
    """`name` is the owner's; nothing is stored yet."""
    user = User(id=uuid7(), email=f"{name}@example.com")
    linked = Connection(
        id=uuid7(),
        user_id=user.id,
        provider=provider,
        client_key=provider,
        label=label,
        state=state,
        **connection,
    )
    account = Account(id=uuid7(), connection_id=linked.id, provider=provider, account_key=f"{name}-workspace")
    environment = Environment(id=uuid7(), account_id=account.id, vendor_key="prod")
    stream = Stream(id=uuid7(), user_id=user.id, head_seq=head)
    destination = Destination(
        id=uuid7(),
        environment_id=environment.id,
        stream_id=stream.id,
        kind=f"{provider}.events",
        cursor_seq=cursor,
        origin_seq=0,
        delivered=cursor,
    )
    grant = Credential(
        id=uuid7(),
        connection_id=linked.id,
        kind=CredentialKind.GRANT,
        slot="grant::",
        key_id="k1",
        fingerprint="f1f2f3f4",
        sealed=b"sealed",
        expires_at=clock.now(),
    )
    rows = [user, linked, account, environment, stream, destination, grant]
    return Made(user, linked, account, environment, destination, stream, rows)


def store(session: Session, *made: Made) -> None:
    """Insert in the order that foreign keys ask for, a table at a time."""
    for layer in zip(*[one.rows for one in made], strict=True):
        session.execute(insert(type(layer[0])), [_values(row) for row in layer])


def _values(row: Base) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "_sa_instance_state"}


def nobody() -> UUID:
    """A user who has nothing."""
    return uuid7()
