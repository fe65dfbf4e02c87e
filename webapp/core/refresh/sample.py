"""A sample: one healthy connection of each Client refreshed now, to see that it would work for the rest.

It is for a new configuration, run beside the one that still serves: only a grant is settled. After anything
else the row is as it was, no breaker trips, and nobody is told but who asked.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.core.refresh import answers, settlement
from webapp.core.refresh import lease as leases
from webapp.core.refresh.lease import Lease
from webapp.core.refresh.outcomes import NOTHING_TO_REFRESH, Answer
from webapp.core.refresh.turns import ask, conclude
from webapp.core.runtime import Runtime
from webapp.lib.database import db_time
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential, CredentialKind
from webapp.providers.base import Authorizes, Grant, Installs, Refreshes

_NONE_TO_TRY = "none of its connections is well and idle, so nothing is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How one refresh went."""

    client_key: str
    #: of the connection; empty: there was none to try
    label: str
    seconds: float
    #: why it did not work; None: it did
    fault: str | None


def refresh_samples(runtime: Runtime) -> Iterator[Sample]:
    """Refresh one healthy connection of each Client, also of one whose calls are stopped.

    A Client with connections of which none can be tried is a fault too: nothing is known of it.
    """
    for client_key, provider in _clients(runtime):
        with runtime.database.read() as session:
            found = _healthy(session, client_key)
        lease = None
        if found is not None:
            credential, connection = found
            generation = credential.generation
            lease = leases.take_one(runtime, credential.id, generation=generation, past_breaker=True)
        if lease is None:
            yield Sample(client_key=client_key, label="", seconds=0.0, fault=_NONE_TO_TRY)
            continue
        before = _secret_of(provider)
        with answers.working_on(lease.credential_id):
            sample = _try(runtime, lease, connection.label)
        if sample.fault is None and _secret_of(provider) != before:
            sample = replace(sample, fault="only the previous client secret works: the new one is refused")
        yield sample


def _clients(runtime: Runtime) -> Sequence[tuple[str, Refreshes]]:
    """Each Client that has grants to keep alive, with its provider."""
    with_grants = (
        select(Connection.client_key, Connection.provider)
        .join(Credential, Credential.connection_id == Connection.id)
        .where(Credential.kind == CredentialKind.GRANT, Credential.sealed.is_not(None))
        .distinct()
        .order_by(Connection.client_key)
    )
    with runtime.database.read() as session:
        rows = session.execute(with_grants).all()
    providers: list[tuple[str, object]] = [(row[0], runtime.providers.get(row[1])) for row in rows]
    return [(key, provider) for key, provider in providers if isinstance(provider, Refreshes)]


def _secret_of(provider: Refreshes) -> Secret | None:
    """The client secret that goes first now: it changes when it was refused and another was not."""
    return provider.client().client_secret if isinstance(provider, Installs | Authorizes) else None


def _healthy(session: Session, client_key: str) -> tuple[Credential, Connection] | None:
    query = (
        select(Credential, Connection)
        .join(Connection, Connection.id == Credential.connection_id)
        .where(
            Connection.client_key == client_key,
            Connection.state == ConnectionState.ACTIVE,
            Credential.kind == CredentialKind.GRANT,
            Credential.sealed.is_not(None),
            Credential.lease.is_(None),
            Credential.failures == 0,
            # Far enough from its end that a failed sample costs it nothing.
            Credential.refresh_at > db_time(leases.LEASE_SECONDS),
        )
        .order_by(Credential.expires_at.desc())
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    return (row[0], row[1]) if row else None


def _try(runtime: Runtime, lease: Lease, label: str) -> Sample:
    begun = time.monotonic()
    answer = ask(runtime, lease)
    fault = None
    if isinstance(answer, Grant):
        conclude(runtime, lease, answer)
    else:
        _put_back(runtime, lease, answer)
        fault = "it holds no refresh token" if answer is NOTHING_TO_REFRESH else str(answer)
    seconds = time.monotonic() - begun
    return Sample(client_key=lease.client_key, label=label, seconds=seconds, fault=fault)


def _put_back(runtime: Runtime, lease: Lease, answer: Answer) -> None:
    asked_at = Credential.asked_at if settlement.is_lost(answer) else lease.asked_at
    with runtime.database.write() as session:
        session.execute(
            update(Credential)
            .where(Credential.id == lease.credential_id, Credential.lease == lease.id)
            .values(lease=None, refresh_at=lease.credential.refresh_at, asked_at=asked_at)
            .execution_options(synchronize_session=False)
        )
