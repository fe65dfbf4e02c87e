"""Whose install it is: bound to the session that brought it, or to the first browser that opens its page.

A signed-in callback binds to its session. A signed-out one gives its browser a candidate cookie; of several
candidates (a double click makes several) the first to open the page wins, and the row keeps its SHA-256.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.core.sessions import IDLE
from webapp.errors import NotFound
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import Install, UserSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Who asks: their session if they have one, and this install's candidate cookie if they hold it."""

    session: UserSession | None
    candidate: Secret | None = None


def candidate_cookie(install_id: UUID) -> str:
    """The name of the cookie that holds the candidate of that install: two installs are two cookies."""
    return f"install-{install_id.hex}"


def mint(vault: Vault, install_id: UUID) -> Secret:
    """A candidate for an install that no browser holds yet: 256 random bits and their seal."""
    nonce = secrets.token_hex(32)
    return Secret(f"{nonce}.{_seals(vault, install_id, nonce)[0]}")


def claim(session: Session, vault: Vault, install_id: UUID, browser: Browser) -> Install:
    """As `admit`; and if no browser has it yet, the first that holds a candidate gets it."""
    install = session.get(Install, install_id, with_for_update=True)
    if (
        install is not None
        and install.user_id is None
        and install.binding_hash is None
        and browser.candidate is not None
        and _is_candidate(vault, install_id, browser.candidate)
    ):
        install.binding_hash = _digest(browser.candidate)
    return admit(session, install_id, browser)


def admit(session: Session, install_id: UUID, browser: Browser) -> Install:
    """The install, locked, if it is this browser's; signed in meanwhile, its person becomes the owner.

    Raises NotFound for everybody else: that it exists is nobody else's business.
    """
    install = session.get(Install, install_id, with_for_update=True)
    if install is None or not (_by_session(session, install, browser) or _by_candidate(install, browser)):
        raise NotFound
    return install


def _by_session(session: Session, install: Install, browser: Browser) -> bool:
    if browser.session is None or install.user_id != browser.session.user_id:
        return False
    if install.session_id == browser.session.id:
        return True
    if _is_live(session, install.session_id):
        return False  # another browser of the same person has it
    # The session that brought it is over; the same person goes on in a new one, under the strict rules.
    install.session_id, install.solicited = browser.session.id, False
    return True


def _by_candidate(install: Install, browser: Browser) -> bool:
    if install.user_id is not None or install.binding_hash is None or browser.candidate is None:
        return False
    if not hmac.compare_digest(install.binding_hash, _digest(browser.candidate)):
        return False
    if browser.session is not None:
        install.session_id, install.user_id = browser.session.id, browser.session.user_id
    return True


def _digest(candidate: Secret) -> bytes:
    return hashlib.sha256(candidate.reveal().encode()).digest()


def _is_live(session: Session, session_id: UUID | None) -> bool:
    row = session.get(UserSession, session_id) if session_id else None
    now = clock.now()
    return row is not None and row.expires_at > now and row.seen_at > now - IDLE


def _is_candidate(vault: Vault, install_id: UUID, candidate: Secret) -> bool:
    nonce, _, seal = candidate.reveal().partition(".")
    return any(hmac.compare_digest(seal.encode(), good.encode()) for good in _seals(vault, install_id, nonce))


def _seals(vault: Vault, install_id: UUID, nonce: str) -> tuple[str, ...]:
    return tuple(digest.hex() for digest in vault.digests(f"candidate:{install_id}", Secret(nonce)))
