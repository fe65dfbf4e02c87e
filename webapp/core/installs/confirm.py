"""The owner's word: what the page showed becomes a connection, in one transaction, or nothing changes."""

import hmac
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.core import audit, connections, credentials, environments, notices
from webapp.core.audit import Act, Actor
from webapp.core.connections import moment_of
from webapp.core.environments import Diff
from webapp.core.installs.browser import Browser, admit
from webapp.core.installs.endings import Ending
from webapp.core.installs.ends import expire, finish
from webapp.core.installs.grants import credentials_in, listings_in, unpack
from webapp.core.installs.page import must_reauthenticate, needs_proof, seals
from webapp.core.installs.paste import down_scope
from webapp.core.installs.workspaces import Workspace, label_of, linked, target_of, workspaces_of
from webapp.core.notices import News
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, Forbidden
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import (
    OPEN_STATES,
    Account,
    Connection,
    ConnectionState,
    Credential,
    CredentialKind,
    Environment,
    Install,
    InstallState,
)


class ReauthenticationNeeded(Forbidden):
    """Sign in again first: your last sign-in is too long ago for this."""


def confirm(runtime: Runtime, install_id: UUID, browser: Browser, *, seal: str) -> Connection:
    """Link what the page with that `seal` showed. Confirming twice gives the same connection.

    Raises NotFound for strangers, Conflict when it is not ready or no longer what was shown,
    ReauthenticationNeeded, and VendorError when a weaker secret was promised and cannot be had; then nothing
    has changed.
    """
    with runtime.database.write() as session:
        expire(session, install_id)
        install = admit(session, install_id, browser)
        if (done := _done(session, install)) is not None:
            return done
        _check(session, runtime, install, browser, seal)
    down_scope(runtime, install_id)
    try:
        with runtime.database.write() as session:
            install = admit(session, install_id, browser)
            if (done := _done(session, install)) is not None:
                return done
            chosen, target = _check(session, runtime, install, browser, seal)
            connection, diff = _link(session, runtime.vault, install, chosen, target)
    except IntegrityError:
        # Somebody else linked one of these workspaces at this very moment.
        raise Conflict("what would be linked has changed: look at it again") from None
    environments.tend(runtime, connection.id, diff, renewed=True)
    return connection


def _done(session: Session, install: Install) -> Connection | None:
    if install.state is not InstallState.CONFIRMED or install.connection_id is None:
        return None
    return session.get(Connection, install.connection_id)


def _check(
    session: Session, runtime: Runtime, install: Install, browser: Browser, seal: str
) -> tuple[tuple[Workspace, ...], Connection | None]:
    if browser.session is None:
        raise Forbidden("sign in first")
    proof = needs_proof(install, runtime.settings.install_proof)
    if install.state is not InstallState.PROVEN and (install.state is not InstallState.PENDING or proof):
        raise Conflict("this is not ready to be confirmed")
    if must_reauthenticate(install, browser):
        raise ReauthenticationNeeded
    chosen = linked(install, workspaces_of(session, install))
    target = target_of(session, install, chosen)
    good = seals(runtime.vault, install, browser, chosen, target.id if target else None)
    if not chosen or not any(hmac.compare_digest(one.encode(), seal.encode()) for one in good):
        raise Conflict("what would be linked has changed: look at it again")
    if install.connection_id is not None and (target is None or not _overlaps(session, target, chosen)):
        raise Conflict("these are not the workspaces of the connection that is to be renewed")
    return chosen, target


def _link(
    session: Session,
    vault: Vault,
    install: Install,
    chosen: Sequence[Workspace],
    target: Connection | None,
) -> tuple[Connection, Diff]:
    assert install.user_id is not None  # noqa: S101 - a signed-in browser was admitted
    actor = Actor.user(install.user_id)
    parts = credentials.open_for_install(vault, install)
    connection = _ready(session, install, target)
    _take_accounts(session, connection, chosen)
    session.flush()
    _keep_credentials(session, vault, connection, parts)
    diff = environments.apply(session, vault, connection, listings_in(parts, chosen))
    _settle(session, connection, install)
    if target is None:
        notices.announce(session, News.CONNECTED, connection)
    else:
        notices.reconnected(session, connection)
    audit.record(
        session,
        actor,
        Act.CONNECTED if target is None else Act.RECONNECTED,
        f"connection:{connection.id}",
        connection_id=connection.id,
        detail=f"{connection.label}; {diff}",
    )
    install.connection_id = connection.id
    finish(session, install, InstallState.CONFIRMED, None, actor=actor)
    _supersede(session, install, {one.account_key for one in chosen})
    session.flush()
    return connection, diff


def _ready(session: Session, install: Install, target: Connection | None) -> Connection:
    if target is not None:
        connection = connections.lock(session, target.id)
        if connection.state is ConnectionState.DISCONNECTED:
            raise Conflict("this connection was disconnected meanwhile")
    else:
        connection = Connection(id=uuid7(), user_id=install.user_id, provider=install.provider, label="")
        connection.state = ConnectionState.ACTIVE
        session.add(connection)
    connection.client_key = install.client_key
    session.flush()
    return connection


def _take_accounts(session: Session, connection: Connection, chosen: Sequence[Workspace]) -> None:
    for one in chosen:
        if one.held_by is None:
            session.add(
                Account(
                    connection_id=connection.id, provider=connection.provider, account_key=one.account_key
                )
            )
        elif one.held_by != connection.id:
            _move_account(session, connection, one)


def _move_account(session: Session, connection: Connection, workspace: Workspace) -> None:
    """From another connection of the same person, with its environments, destinations and cursors."""
    giver = connections.lock(session, workspace.held_by) if workspace.held_by else connection
    account = session.scalars(
        select(Account).where(
            Account.connection_id == giver.id,
            Account.account_key == workspace.account_key,
            Account.released_at.is_(None),
        )
    ).one()
    account.connection_id = connection.id
    # Keys are sealed to their connection: those of this grant take their place.
    session.execute(
        delete(Credential).where(
            Credential.environment_id.in_(select(Environment.id).where(Environment.account_id == account.id))
        )
    )
    session.flush()
    left = select(func.count()).select_from(Account)
    left = left.where(Account.connection_id == giver.id, Account.released_at.is_(None))
    if session.scalar(left) == 0:
        connections.end(session, giver, "Its workspaces were joined into another connection of yours.")


def _keep_credentials(
    session: Session, vault: Vault, connection: Connection, parts: dict[str, Secret]
) -> None:
    for one in credentials_in(parts, moment_of(session)):
        kind = CredentialKind(one.kind)
        kept = credentials.find(session, connection.id, kind, scope=one.scope)
        if kept is None:
            credentials.add(
                session, vault, connection.id, kind, one.parts, scope=one.scope, lifetime=one.lifetime
            )
        else:
            credentials.replace(session, vault, kept, one.parts, lifetime=one.lifetime)
    if (proposal := unpack(parts)) is not None:
        connection.details = dict(proposal.details)
    session.flush()


def _settle(session: Session, connection: Connection, install: Install) -> None:
    now = moment_of(session)
    connection.environments_lease = None
    connection.environments_failures = 0
    connection.environments_fetched_at = now
    connection.environments_due_at = now + timedelta(seconds=environments.next_fetch_seconds())
    accounts = session.scalars(
        select(Account.account_key)
        .where(Account.connection_id == connection.id, Account.released_at.is_(None))
        .order_by(Account.account_key)
    )
    labels = {one["account"]: label_of(one) for one in install.listing or ()}
    connection.label = ", ".join(labels.get(account, account) for account in accounts)
    session.flush()
    connections.recover(session, connection.id)


def _supersede(session: Session, confirmed: Install, accounts: set[str]) -> None:
    """Other grants of this person that wait for the same workspaces are forgotten."""
    waiting = session.scalars(
        select(Install).where(
            Install.user_id == confirmed.user_id,
            Install.provider == confirmed.provider,
            Install.id != confirmed.id,
            Install.state.in_(OPEN_STATES),
            Install.listing.is_not(None),
        )
    )
    for install in waiting:
        if accounts & {one["account"] for one in install.listing or ()}:
            finish(session, install, InstallState.SUPERSEDED, Ending.REPLACED)


def _overlaps(session: Session, target: Connection, chosen: Sequence[Workspace]) -> bool:
    return any(one.held_by == target.id for one in chosen)
