"""A pasted form: checked with the vendor, then held sealed and inert, like a code's grant, until confirmed.

Whoever has the secret may use it, so a paste needs no proof; the page still says whose account it is and what
is kept. Where a provider can trade a strong secret for a weak one, that is done at the confirmation, once.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from webapp.core import audit, credentials
from webapp.core.audit import Act, Actor
from webapp.core.connections import moment_of
from webapp.core.installs.begin import check_reconnect
from webapp.core.installs.grants import pack, received_at, unpack
from webapp.core.installs.workspaces import judge
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, NotFound, VendorError
from webapp.lib.ids import uuid7
from webapp.models import Install, InstallState, UserSession
from webapp.providers.base import Connects, DownScopes, Proposal

PENDING_LIFE = timedelta(minutes=15)


def paste(
    runtime: Runtime,
    user_session: UserSession,
    provider_name: str,
    values: Mapping[str, str],
    *,
    connection_id: UUID | None = None,
) -> UUID:
    """Check `values` with the vendor and hold what they amount to; the id of the install to confirm.

    `connection_id` makes it a reconnect. Raises Invalid with a Fault per field, VendorUnavailable and its
    kin, Conflict when the provider does not connect this way: then nothing was stored.
    """
    provider: object = runtime.providers.get(provider_name)
    if not isinstance(provider, Connects):
        raise Conflict("this vendor is not connected by a form")
    if connection_id is not None:
        with runtime.database.read() as session:
            check_reconnect(session, user_session, provider_name, connection_id)
    proposal = provider.propose(runtime.http, values)
    with runtime.database.write() as session:
        if session.get(UserSession, user_session.id, with_for_update=True) is None:
            raise NotFound
        install = _hold(session, user_session, provider_name, proposal)
        install.connection_id = connection_id
        install.sealed = credentials.seal_for_install(
            runtime.vault, install, pack(proposal, install.received_at or install.created_at)
        )
        session.flush()
        judge(session, install)
        return install.id


def down_scope(runtime: Runtime, install_id: UUID) -> None:
    """Trade what is held for something weaker, if the provider can and the person agreed: one holder, once.

    Raises Conflict while somebody else is at it, VendorError when the vendor does not do it: the paste waits.
    """
    with runtime.database.write() as session:
        install = session.get(Install, install_id, with_for_update=True)
        if install is None or install.state is not InstallState.PENDING:
            return
        provider: object = runtime.providers.get(install.provider)
        parts = credentials.open_for_install(runtime.vault, install)
        proposal = unpack(parts)
        if proposal is None or not isinstance(provider, DownScopes) or not proposal.details.get("mint"):
            return
        if install.lease is not None:
            raise Conflict("this is being confirmed at this moment: look again")
        lease = install.lease = uuid4()
    answer: Proposal | VendorError
    try:
        answer = provider.down_scope(runtime.http, proposal)
    except VendorError as error:
        answer = error
    with runtime.database.write() as session:
        install = session.get(Install, install_id, with_for_update=True)
        if install is None or install.lease != lease:
            raise Conflict("this attempt has ended meanwhile")
        install.lease = None
        if isinstance(answer, Proposal):
            held = pack(answer, received_at(parts))
            install.sealed = credentials.seal_for_install(runtime.vault, install, held)
    if isinstance(answer, VendorError):
        raise answer


def _hold(session: Session, user_session: UserSession, provider_name: str, proposal: Proposal) -> Install:
    now = moment_of(session)
    names: dict[str, list[str]] = {}
    for one in proposal.environments:
        names.setdefault(one.account_key, []).append(one.vendor_key)
    install = Install(
        id=uuid7(),
        state=InstallState.PENDING,
        provider=provider_name,
        client_key=provider_name,
        user_id=user_session.user_id,
        session_id=user_session.id,
        solicited=True,
        listing=[{"account": account, "environments": found} for account, found in sorted(names.items())],
        findings=list(proposal.findings),
        created_at=now,
        received_at=now,
        expires_at=now + PENDING_LIFE,
    )
    session.add(install)
    actor = Actor.user(user_session.user_id)
    thing = f"install:{install.id}"
    audit.record(session, actor, Act.INSTALL_BEGUN, thing, detail=f"{provider_name}, pasted")
    return install
