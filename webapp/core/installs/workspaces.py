"""The workspaces in a grant: which are free for its owner, which are not, and what would change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core import notices
from webapp.core.connections import moment_of
from webapp.core.installs.endings import Ending
from webapp.core.installs.ends import finish
from webapp.models import (
    Account,
    Connection,
    ConnectionState,
    Environment,
    EnvironmentState,
    Install,
    InstallState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """One workspace of a grant, as the page shows it."""

    account_key: str
    #: what people call it; its key where they have no other name for it
    label: str
    environments: tuple[str, ...]
    #: False: connected here by somebody else
    available: bool
    #: the owner's own connection that holds it now
    held_by: UUID | None
    #: where the one-time code went, once it went
    proof_environment: str | None = None
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a confirmation would do to the connection the owner has, as `workspace/environment`."""

    connection_id: UUID
    added: tuple[str, ...]
    kept: tuple[str, ...]
    #: no longer reached: kept for 72 hours, then its destinations are held
    missing: tuple[str, ...]


def workspaces_of(session: Session, install: Install) -> tuple[Workspace, ...]:
    """The workspaces listed, as they stand for the install's owner at this moment."""
    listing = install.listing or []
    proofs = install.proofs or {}
    held = _holders(session, install.provider, [one["account"] for one in listing])
    found = []
    for one in listing:
        connection = held.get(one["account"])
        mine = connection is not None and connection.user_id == install.user_id
        proof = proofs.get(one["account"], {})
        found.append(
            Workspace(
                account_key=one["account"],
                label=label_of(one),
                environments=tuple(one["environments"]),
                available=connection is None or mine,
                held_by=connection.id if connection is not None and mine else None,
                proof_environment=proof.get("environment"),
                proven=bool(proof.get("proven")),
            )
        )
    return tuple(found)


def label_of(listed: Mapping[str, Any]) -> str:
    """What people call the account of one entry of a listing."""
    return str(listed.get("label") or listed["account"])


def linked(install: Install, workspaces: Sequence[Workspace]) -> tuple[Workspace, ...]:
    """Those that a confirmation would link: available, and proven where proofs were asked."""
    asked = install.state in {InstallState.PROVING, InstallState.PROVEN}
    return tuple(one for one in workspaces if one.available and (one.proven or not asked))


def target_of(session: Session, install: Install, workspaces: Sequence[Workspace]) -> Connection | None:
    """The owner's connection that would be renewed: the one of a reconnect, else the oldest that overlaps."""
    if install.connection_id is not None:
        connection = session.get(Connection, install.connection_id)
        return connection if connection and connection.state is not ConnectionState.DISCONNECTED else None
    ids = sorted(one.held_by for one in workspaces if one.held_by is not None)
    return session.get(Connection, ids[0]) if ids else None


def change_of(session: Session, target: Connection | None, workspaces: Sequence[Workspace]) -> Change | None:
    """What would change in `target`; None when a new connection would be made."""
    if target is None:
        return None
    listed = {f"{one.account_key}/{name}" for one in workspaces for name in one.environments}
    rows = session.execute(
        select(Account.account_key, Environment.vendor_key)
        .join(Environment, Environment.account_id == Account.id)
        .where(
            Account.connection_id == target.id,
            Account.released_at.is_(None),
            Environment.state == EnvironmentState.PRESENT,
        )
    )
    present = {f"{account_key}/{vendor_key}" for account_key, vendor_key in rows}
    return Change(
        connection_id=target.id,
        added=tuple(sorted(listed - present)),
        kept=tuple(sorted(listed & present)),
        missing=tuple(sorted(present - listed)),
    )


def judge(session: Session, install: Install) -> None:
    """End an install that can link nothing: no workspace is left, or none of the reconnected connection's.

    The holders of workspaces that are not available are told, once a day, without naming anybody.
    """
    if install.state is not InstallState.PENDING or install.user_id is None or install.listing is None:
        return
    workspaces = workspaces_of(session, install)
    _tell_holders(session, install, workspaces, moment_of(session))
    free = {one.account_key for one in workspaces if one.available}
    if not free:
        finish(session, install, InstallState.REFUSED, Ending.HELD_ELSEWHERE)
    elif install.connection_id is not None:
        accounts = session.scalars(
            select(Account.account_key).where(
                Account.connection_id == install.connection_id, Account.released_at.is_(None)
            )
        )
        if free.isdisjoint(accounts):
            finish(session, install, InstallState.REFUSED, Ending.OTHER_ACCOUNT)


def _tell_holders(session: Session, install: Install, workspaces: Sequence[Workspace], now: datetime) -> None:
    taken = [one.account_key for one in workspaces if not one.available]
    for account_key, connection in _holders(session, install.provider, taken).items():
        notices.tell(
            session,
            dedupe_key=f"wanted:{connection.id}:{account_key}:{now.date()}",
            kind="workspace_wanted",
            user_id=connection.user_id,
            connection_id=connection.id,
            text=f"Somebody else has access to {account_key} at {install.provider} and tried to connect it. "
            "It stays yours and nothing changed. If it is not yours to hold any more, disconnect it.",
        )


def _holders(session: Session, provider: str, account_keys: Sequence[str]) -> dict[str, Connection]:
    rows = session.execute(
        select(Account.account_key, Connection)
        .join(Connection, Connection.id == Account.connection_id)
        .where(
            Account.provider == provider,
            Account.account_key.in_(account_keys),
            Account.released_at.is_(None),
        )
    )
    return {account_key: connection for account_key, connection in rows}  # noqa: C416 - a Row is no pair to mypy
