"""What ties an answer to the session that asked: state, PKCE and issuer (RFC 9700 §2.1, RFC 7636, RFC 9207).

The intent keeps a digest of the state, and sealed the PKCE verifier and whether the answer must name its
issuer. An answer that does not fit is nobody's: no vendor hears of it, and the intent waits on as it was.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from webapp.core import credentials
from webapp.core.installs.begin import take_intent
from webapp.errors import Forbidden
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import Install, UserSession
from webapp.providers.base import Authorization, Authorizes, Provider

_MUST, _MAY = Secret("must"), Secret("may")


class Unasked(Forbidden):
    """This answer belongs to no attempt of this session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an answer brings beside a code or an error."""

    state: Secret | None = None
    #: who it says has answered (RFC 9207)
    issuer: str | None = None


#: of a vendor that knows no states
NOTHING = Answer()


@dataclass(frozen=True, slots=True)
class Tie:
    """What a request takes along: 256 bits of state, and a PKCE verifier of as many."""

    state: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(32)))
    verifier: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(32)))


def bind(vault: Vault, install: Install, tie: Tie, authorization: Authorization) -> None:
    """Let `install` wait for the answer to that request alone."""
    install.state_digest = _digest(tie.state)
    names_issuer = _MUST if authorization.names_issuer else _MAY
    parts = {"verifier": tie.verifier, "issuer": names_issuer}
    install.sealed = credentials.seal_for_install(vault, install, parts)


def take(
    session: Session,
    vault: Vault,
    provider: Provider,
    user_session: UserSession | None,
    answer: Answer,
) -> tuple[Install, Secret]:
    """The session's intent that this answer fits, locked, and its verifier. Raises Unasked."""
    assert isinstance(provider, Authorizes)  # noqa: S101 - said again for the type checker
    install = take_intent(session, user_session.id, provider.name) if user_session else None
    if install is None or install.state_digest is None or answer.state is None:
        raise Unasked
    if not hmac.compare_digest(install.state_digest, _digest(answer.state)):
        raise Unasked
    parts = credentials.open_for_install(vault, install)
    verifier = parts.get("verifier")
    named = answer.issuer is not None or parts.get("issuer") != _MAY
    if verifier is None or (named and answer.issuer != provider.issuer()):
        raise Unasked
    return install, verifier


def _digest(state: Secret) -> bytes:
    return hashlib.sha256(state.reveal().encode(errors="replace")).digest()
