"""One refresh from lease to settlement, and the sweep over all that are due."""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from uuid import UUID

from webapp.core import connections, destinations, revocation
from webapp.core.audit import HITCHPOST
from webapp.core.refresh import answers, settlement
from webapp.core.refresh import lease as leases
from webapp.core.refresh.lease import Lease
from webapp.core.refresh.outcomes import NOTHING_TO_REFRESH, Answer, Outcome
from webapp.core.runtime import Bell, Runtime
from webapp.errors import GrantRefused, VaultError, VendorAnswerInvalid, VendorError, VendorUnavailable
from webapp.lib import logs, network
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, CredentialKind
from webapp.providers.base import Grant, Refreshes
from webapp.providers.receiving import Receives

log = logs.get(__name__)

_SETTLE_TRIES = 4


def sweep(runtime: Runtime, *, limit: int = 1000, seconds: float = math.inf) -> int:
    """Refresh what is due, one credential after another; how many. Any number of sweeps may run at once.

    After so many, or so long, it begins no other.
    """
    done, queue, end = 0, leases.Queue(runtime), time.monotonic() + seconds
    while done < limit and time.monotonic() < end and not answers.are_held():
        lease = queue.take()
        if lease is None:
            break
        _refresh(runtime, lease)
        done += 1
    return done


def refresh_one(runtime: Runtime, credential_id: UUID, *, generation: int | None = None) -> Outcome | None:
    """Refresh this credential now, due or not; None when somebody else is at it or its Client is stopped.

    With `generation`, only that one is renewed: whoever comes second takes what the first got.
    """
    if answers.are_held():
        return None  # the database is ill, and what is in hand comes first
    lease = leases.take_one(runtime, credential_id, generation=generation)
    return None if lease is None else _refresh(runtime, lease)


def _refresh(runtime: Runtime, lease: Lease) -> Outcome:
    with answers.working_on(lease.credential_id):
        return conclude(runtime, lease, ask(runtime, lease))


def conclude(runtime: Runtime, lease: Lease, answer: Answer) -> Outcome:
    """Settle what the vendor said, and do what follows from it.

    A grant that the database does not take is held by this process until it does; the error is raised anyway.
    """
    received = time.monotonic()
    landed: list[Outcome] = []

    def land() -> Outcome:
        """Called again after an error of the database, it goes on where it stopped."""
        if not landed:
            with runtime.database.write() as session:
                age = time.monotonic() - received
                outcome = settlement.settle(session, runtime.vault, lease, answer, age=age)
            landed.append(outcome)
        if landed[0] is Outcome.RENEWED:
            _release_refused(runtime, lease)
        elif landed[0] is Outcome.FENCED and isinstance(answer, Grant):
            _give_back(runtime, lease, answer)
        return landed[0]

    for again in range(_SETTLE_TRIES):
        try:
            return land()
        except answers.DATABASE_TROUBLE:
            if again < _SETTLE_TRIES - 1:
                time.sleep(0.1 * 2**again)
                continue
            if isinstance(answer, Grant):
                answers.hold(lease.credential_id, land)
            raise
    raise AssertionError


def _give_back(runtime: Runtime, lease: Lease, grant: Grant) -> None:
    """What came too late for a connection that was ended meanwhile must not live on at the vendor."""
    with runtime.database.read() as session:
        connection = session.get(Connection, lease.connection_id)
    if connection is not None and connection.state is ConnectionState.DISCONNECTED:
        parts = {"access_token": grant.access_token, "refresh_token": grant.refresh_token}
        given = {name: part for name, part in parts.items() if part is not None}
        revocation.give_back_late(runtime, connection, given)


def _release_refused(runtime: Runtime, lease: Lease) -> None:
    """A destination that sends with this very grant, and was held because it was refused, tries again."""
    provider: object = runtime.providers.get(lease.provider)
    kinds = provider.kinds if isinstance(provider, Receives) else ()
    by_grant = [kind.name for kind in kinds if kind.credential_kind == CredentialKind.GRANT]
    if by_grant:
        with runtime.database.write() as session:
            destinations.release_refused(session, HITCHPOST, lease.connection_id, by_grant)
            connections.recover(session, lease.connection_id)
        runtime.wake(Bell.DELIVERY)


def ask(runtime: Runtime, lease: Lease) -> Answer:
    """Call the vendor in the Client's slot, with no transaction open; what it said, whatever that is."""
    provider: object = runtime.providers.get(lease.provider)
    if provider is None:
        return VendorUnavailable(f"this instance is not set up for {lease.provider}", sent=False)
    time.sleep(lease.wait)
    try:
        parts = lease.open(runtime)
        if not isinstance(provider, Refreshes) or "refresh_token" not in parts:
            return NOTHING_TO_REFRESH
        # Frozen here until somebody else had the lease, it must not spend what that one has spent.
        with network.ending_by(lease.ends):
            return _trade(runtime, lease, provider, parts)
    except (VendorError, VaultError) as error:
        return error
    except Exception as error:  # noqa: BLE001 - one answer must not keep all that is due from its refresh
        log.error("a refresh failed in our own code", error=type(error).__name__, at=logs.where_of(error))
        return VendorAnswerInvalid(f"our own code failed at it ({type(error).__name__})")


def _trade(runtime: Runtime, lease: Lease, provider: Refreshes, parts: Mapping[str, Secret]) -> Grant:
    """A grant with the refresh token to keep: a new one, or the one that was traded."""
    trade = partial(provider.refresh, runtime.http, scope=lease.scope, details=lease.details)
    held, spare = parts["refresh_token"], parts.get("spare_refresh_token")
    try:
        grant = trade(held)
    except GrantRefused:
        if spare is None:
            raise
        held, spare = spare, None
        grant = trade(held)
    return replace(
        grant,
        refresh_token=held if grant.refresh_token is None else grant.refresh_token,
        spare_refresh_token=spare if grant.spare_refresh_token is None else grant.spare_refresh_token,
    )
