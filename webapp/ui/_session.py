"""Who looks at this page: the viewer, and the decorators that say whom a page is for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

from flask import Flask, Request, Response, abort, current_app, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from webapp.core import sessions
from webapp.core.audit import Actor
from webapp.core.runtime import Runtime
from webapp.core.sessions import SessionKind, User, UserSession
from webapp.core.users import Role
from webapp.errors import Forbidden
from webapp.lib.secret import Secret

P = ParamSpec("P")
R = TypeVar("R")

#: How long a sign-in counts as recent where an act needs one, in minutes.
RECENT_MINUTES = 15.0

_SID = "sid"


class CookieSessions(SecureCookieSessionInterface):
    """Flask's signed cookies; who brings none, as every host app, costs no signer."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of the request's cookie, or an empty one."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in person behind this request."""

    user: User
    session_row: UserSession
    #: may see and change everybody's; False in a connect session, whoever it is for
    is_admin: bool

    @property
    def actor(self) -> Actor:
        """As audit lines name them."""
        return Actor.user(self.user.id)

    @property
    def signed_in_here(self) -> bool:
        """By a sign-in, not by a host app's connect session."""
        return self.session_row.kind is SessionKind.LOGIN


def runtime() -> Runtime:
    """The Runtime that this application was made with."""
    return cast("Runtime", current_app.extensions["hitchpost"])


def current() -> Viewer | None:
    """Who looks, or None. Read once a request; that the session is used is written once a minute at most."""
    if "viewer" not in g:
        g.viewer = _find()
    return cast("Viewer | None", g.viewer)


def viewer() -> Viewer:
    """Who looks, on a page that lets only signed-in people in."""
    found = current()
    if found is None:
        _send_to_sign_in()
    return found


def begin(value: Secret) -> None:
    """Make `value` (of core.sessions) this browser's session, and forget all that the old one held."""
    session.clear()
    session[_SID] = value.reveal()
    g.pop("viewer", None)


def renew(value: Secret) -> None:
    """The session goes on under a new cookie value (core.sessions.reauthenticate); open forms stay good."""
    session[_SID] = value.reveal()
    g.pop("viewer", None)


def end() -> None:
    """Forget this browser's session, after core.sessions closed it."""
    session.clear()
    g.pop("viewer", None)


def is_recent(who: Viewer, *, minutes: float = RECENT_MINUTES) -> bool:
    """Whether they proved who they are within the last `minutes`."""
    return sessions.is_recent(who.session_row, minutes=minutes)


def require_recent(*, back_to: str | None = None, minutes: float = RECENT_MINUTES) -> None:
    """Go on only after a recent proof of who it is; else the browser is sent to give it, then `back_to`."""
    if not is_recent(viewer(), minutes=minutes):
        where = back_to or (request.full_path.rstrip("?") if request.method == "GET" else None)
        _leave_for(url_for("sign_in.again", next=where))


def public_page(view: Callable[P, R]) -> Callable[P, R]:
    """For anybody."""
    return _marked(view, "public")


def connect_page(view: Callable[P, R]) -> Callable[P, R]:
    """For the signed-in and for connect sessions."""
    return _marked(_guarded(view, lambda who: None), "connect")


def member_page(view: Callable[P, R]) -> Callable[P, R]:
    """For the signed-in, not for connect sessions."""
    return _marked(_guarded(view, _check_member), "member")


def admin_page(view: Callable[P, R]) -> Callable[P, R]:
    """For admins who signed in."""
    return _marked(_guarded(view, _check_admin), "admin")


def access_of(view: Callable[..., Any]) -> str | None:
    """Whom a view is for: `public`, `connect`, `member`, `admin`; None if it does not say."""
    return getattr(view, "hitchpost_access", None)


def _guarded(view: Callable[P, R], check: Callable[[Viewer], None]) -> Callable[P, R]:
    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        check(viewer())
        return view(*args, **kwargs)

    return wrapped


def _marked(view: Callable[P, R], access: str) -> Callable[P, R]:
    view.hitchpost_access = access  # type: ignore[attr-defined]  # read by access_of
    return view


def _check_member(who: Viewer) -> None:
    if not who.signed_in_here:
        message = "This page is for people with a sign-in of their own here."
        raise Forbidden(message)


def _check_admin(who: Viewer) -> None:
    if not who.is_admin:
        message = "This page is for admins."
        raise Forbidden(message)


def _find() -> Viewer | None:
    value = session.get(_SID)
    if not isinstance(value, str):
        return None
    database = runtime().database
    with database.read() as transaction:
        found = sessions.find_with_user(transaction, Secret(value))
    if found is None:
        return None
    row, user = found
    if sessions.is_stale(row):
        with database.write() as transaction:
            sessions.seen(transaction, row.id)
    return Viewer(user, row, user.role is Role.ADMIN and row.kind is SessionKind.LOGIN)


def _send_to_sign_in() -> NoReturn:
    wanted = request.full_path.rstrip("?") if request.method in {"GET", "HEAD"} else None
    _leave_for(url_for("sign_in.page", next=wanted))


def _leave_for(address: str) -> NoReturn:
    """Send the browser elsewhere; htmx would load the answer of a redirect into a corner of the page."""
    if request.headers.get("HX-Request") == "true":
        abort(Response(status=204, headers={"HX-Redirect": address}))
    abort(redirect(address, 303))


__all__ = [
    "RECENT_MINUTES",
    "Role",
    "Viewer",
    "access_of",
    "admin_page",
    "begin",
    "connect_page",
    "current",
    "end",
    "is_recent",
    "member_page",
    "public_page",
    "renew",
    "require_recent",
    "runtime",
    "viewer",
]
