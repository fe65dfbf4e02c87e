"""A code has come: one code is one install, and one exchange, however often it comes.

Where the vendor knows states, it must fit the session's open intent; otherwise the code is nobody's.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.core import credentials
from webapp.core.connections import moment_of
from webapp.core.installs.begin import take_intent
from webapp.core.installs.browser import mint
from webapp.core.installs.endings import Ending
from webapp.core.installs.ends import finish
from webapp.core.installs.exchange import advance
from webapp.core.installs.tie import NOTHING, Answer, take
from webapp.core.runtime import Runtime
from webapp.errors import Fault, Fenced, Invalid, NotFound
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import OPEN_STATES, Install, InstallState, UserSession
from webapp.providers.base import Authorizes, Installs, Provider

#: What Baselime's codes are made of, and more.
CODE = re.compile(r"[A-Za-z0-9._~-]{8,512}")
#: What a standard code may be made of, but for the space (RFC 6749 §A.11).
_STANDARD_CODE = re.compile(r"[\x21-\x7e]{1,4096}")
#: A code is not sent in the last seconds of its life: the answer would come too late.
_MARGIN_SECONDS = 10.0
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a vendor's redirect brought, and whose browser it came by."""

    provider: str
    code: Secret
    user_session_id: UUID | None = None
    #: the origin of the Referer header, if any
    referer_origin: str | None = None
    #: what else it brought, from a vendor that knows states
    answer: Answer = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Where to go on: the install's own page."""

    install_id: UUID
    #: for `candidate_cookie(install_id)` of a browser without a session
    new_binding: Secret | None
    #: this code was here before
    seen: bool


def receive_code(runtime: Runtime, callback: Callback) -> Received:
    """Take a code in and exchange it at once. A code that was here before is never sent again.

    Raises NotFound for a vendor without installs, Invalid for what cannot be a code, Unasked for what does
    not fit. How the exchange went is for the install's page to tell.
    """
    provider = runtime.providers.get(callback.provider)
    if not isinstance(provider, Installs | Authorizes):
        raise NotFound
    if not code_shape(provider).fullmatch(callback.code.reveal()):
        raise Invalid([Fault("code", "is not an install code")])
    for _ in range(_TRIES):
        try:
            with runtime.database.write() as session:
                received = _take(session, runtime, provider, callback)
            break
        except IntegrityError:
            continue  # the same code by another request a moment before: now it is found
    else:
        raise Fenced
    if not received.seen:
        advance(runtime, received.install_id)
    return received


def code_shape(provider: Provider) -> re.Pattern[str]:
    """What a code of that vendor looks like, whole."""
    return _STANDARD_CODE if isinstance(provider, Authorizes) else CODE


def receive_refusal(
    session: Session,
    provider: Provider,
    user_session: UserSession | None,
    words: str,
    *,
    vault: Vault,
    answer: Answer = NOTHING,
) -> UUID | None:
    """The vendor sent the browser back with an error: end this session's intent; its id, if there was one.

    `words` are the vendor's, and untrusted. Raises Unasked, and ends nothing, when the answer does not fit.
    """
    if isinstance(provider, Authorizes):
        install: Install | None = take(session, vault, provider, user_session, answer)[0]
    else:
        install = take_intent(session, user_session.id, provider.name) if user_session else None
    if install is None:
        return None
    printable = "".join(letter for letter in words if letter.isprintable())
    finish(session, install, InstallState.REFUSED, Ending.DECLINED, words=printable)
    return install.id


def _take(session: Session, runtime: Runtime, provider: Provider, callback: Callback) -> Received:
    digests = credentials.code_digests(runtime.vault, provider.name, callback.code)
    known = session.scalars(select(Install).where(Install.code_hmac.in_(digests))).first()
    if known is not None:
        return Received(install_id=known.id, new_binding=_candidate(runtime, known, callback), seen=True)
    install = _new(session, runtime, provider, callback)
    install.code_hmac, install.code_key_id = digests[0], runtime.vault.active
    session.flush()
    _demote_others(session, install)
    return Received(install_id=install.id, new_binding=_candidate(runtime, install, callback), seen=False)


def _new(session: Session, runtime: Runtime, provider: Provider, callback: Callback) -> Install:
    assert isinstance(provider, Installs | Authorizes)  # noqa: S101 - said again for the type checker
    owner = session.get(UserSession, callback.user_session_id) if callback.user_session_id else None
    now = moment_of(session)
    parts = {"code": callback.code}
    if isinstance(provider, Authorizes):
        install, parts["verifier"] = take(session, runtime.vault, provider, owner, callback.answer)
        install.solicited = True
    else:
        install = _asked_for_or_not(session, provider, owner, callback)
    install.state = InstallState.RECEIVED
    install.sealed = credentials.seal_for_install(runtime.vault, install, parts)
    install.received_at = now
    install.expires_at = now + timedelta(seconds=provider.code_seconds - _MARGIN_SECONDS)
    return install


def _asked_for_or_not(
    session: Session, provider: Provider, owner: UserSession | None, callback: Callback
) -> Install:
    """Without a state: the session's open intent if it has one, or a new install that nobody asked for."""
    assert isinstance(provider, Installs)  # noqa: S101 - said again for the type checker
    install = take_intent(session, owner.id, provider.name) if owner else None
    solicited = install is not None and callback.referer_origin == provider.console_origin()
    if install is None:
        install = Install(id=uuid7(), provider=provider.name, client_key=provider.client().key)
        session.add(install)
    if owner is not None:
        install.session_id, install.user_id = owner.id, owner.user_id
    install.solicited = solicited
    return install


def _demote_others(session: Session, install: Install) -> None:
    """Of two codes in one session nobody knows which its person meant: neither counts as asked for.

    A state tells: what it ties stays asked for.
    """
    if install.session_id is None:
        return
    session.execute(
        update(Install)
        .where(
            Install.session_id == install.session_id,
            Install.id != install.id,
            Install.state.in_(OPEN_STATES - {InstallState.INTENT}),
            Install.solicited.is_(True),
            Install.state_digest.is_(None),
        )
        .values(solicited=False)
    )


def _candidate(runtime: Runtime, install: Install, callback: Callback) -> Secret | None:
    taken = install.user_id is not None or install.binding_hash is not None
    return None if taken or callback.user_session_id else mint(runtime.vault, install.id)
