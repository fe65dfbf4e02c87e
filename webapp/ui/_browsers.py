"""This browser, as installs know it: its session, and the cookie of an install begun without one."""

import re
from uuid import UUID

from flask import current_app, request
from werkzeug.wrappers import Response

from webapp.core.installs import Browser, candidate_cookie
from webapp.lib.secret import Secret
from webapp.ui._session import current

#: A candidate is of no use longer than a pending grant lives.
_SECONDS = 15 * 60
_MOST = 5


def this_browser(install_id: UUID) -> Browser:
    """Whoever asks for that install's page."""
    who = current()
    held = request.cookies.get(_prefix() + candidate_cookie(install_id))
    return Browser(
        session=who.session_row if who else None,
        candidate=Secret(held) if held else None,
    )


def hand_candidate(response: Response, install_id: UUID, candidate: Secret) -> None:
    """Let this browser, and no other, come back to that install."""
    response.set_cookie(
        _prefix() + candidate_cookie(install_id),
        candidate.reveal(),
        max_age=_SECONDS,
        secure=_is_https(),
        httponly=True,
        samesite="Lax",
    )


def candidates_here() -> list[UUID]:
    """The installs that wait in this browser for somebody to sign in; the newest few."""
    pattern = re.compile(re.escape(_prefix()) + r"install-([0-9a-f]{32})")
    found = [UUID(match[1]) for name in request.cookies if (match := pattern.fullmatch(name))]
    return sorted(found, reverse=True)[:_MOST]


def forget_candidate(response: Response, install_id: UUID) -> None:
    """The install is bound, or over."""
    name = _prefix() + candidate_cookie(install_id)
    if name in request.cookies:
        response.delete_cookie(name, secure=_is_https(), httponly=True, samesite="Lax")


def _prefix() -> str:
    return "__Host-" if _is_https() else ""


def _is_https() -> bool:
    return bool(current_app.config["SESSION_COOKIE_SECURE"])
