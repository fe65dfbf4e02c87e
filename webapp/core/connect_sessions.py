"""Connect sessions: a host app's own user connects here by a one-time link, with no second sign-in.

The signed link of a notice opens one too, to renew the connection that it is about.
"""

from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from webapp.core import links, notices, sessions, users
from webapp.core.audit import Act, Actor, record
from webapp.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, LinkKind, OneTimeLink, SessionKind, User
from webapp.settings import Settings

_ADDRESS_CHARACTERS = 2000


def create(
    session: Session,
    actor: Actor,
    external_id: str,
    return_to: str | None,
    allowed_origins: Collection[str],
) -> tuple[Secret, datetime]:
    """A link's secret (for `/connect/session/<secret>`) and when it ends, ten minutes from now.

    The user is made when this `external_id` is new. Raises Invalid when `return_to` is at no allowed origin,
    Forbidden when the user is disabled.
    """
    if return_to is not None:
        _check_return_to(return_to, allowed_origins)
    user = users.ensure_external(session, external_id)
    if user.disabled_at is not None:
        message = "This user is disabled here."
        raise Forbidden(message)
    record(session, actor, Act.CONNECT_SESSION_MADE, f"user:{user.id}")
    return links.make(session, LinkKind.CONNECT, user.id, return_to=return_to)


def look(session: Session, link: Secret) -> tuple[OneTimeLink, User]:
    """What the link's page shows, without spending it. Raises NotFound when it is used up or over."""
    row = links.look(session, LinkKind.CONNECT, link)
    return row, session.get_one(User, row.user_id)


def redeem(session: Session, link: Secret) -> Secret:
    """Spend the link for a session of an hour: the cookie's value. Raises NotFound, Forbidden if disabled."""
    row = links.spend(session, LinkKind.CONNECT, link)
    user = session.get_one(User, row.user_id)
    if user.disabled_at is not None:
        message = "This user is disabled here."
        raise Forbidden(message)
    record(session, Actor.user(user.id), Act.SIGNED_IN, f"user:{user.id}", detail="by a connect session")
    return sessions.open(session, user.id, SessionKind.CONNECT, return_to=row.return_to)


def look_by_notice(session: Session, settings: Settings, link: Secret) -> tuple[Connection, User]:
    """The connection that a notice's link is about, and its owner.

    Raises NotFound when the link is not ours or over, Conflict when there is nothing to mend any more, and
    Forbidden when the owner is disabled.
    """
    connection = session.get(Connection, notices.read_link(settings, link))
    if connection is None:
        raise NotFound
    if connection.state not in {ConnectionState.NEEDS_RECONNECT, ConnectionState.DEGRADED}:
        raise Conflict("this connection needs no reconnect")
    user = session.get_one(User, connection.user_id)
    if user.disabled_at is not None:
        message = "This user is disabled here."
        raise Forbidden(message)
    return connection, user


def open_by_notice(session: Session, settings: Settings, link: Secret) -> Secret:
    """A session of an hour for the owner, that can only connect: the cookie's value. Raises as above."""
    connection, user = look_by_notice(session, settings, link)
    detail = "by the link of a notice"
    record(
        session,
        Actor.user(user.id),
        Act.SIGNED_IN,
        f"user:{user.id}",
        connection_id=connection.id,
        detail=detail,
    )
    back = settings.continue_url if user.external_id else ""
    return sessions.open(session, user.id, SessionKind.CONNECT, return_to=back or None)


def origin_of(address: str) -> str | None:
    """`scheme://host[:port]` of an http(s) address as browsers write origins; None if it is none."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if port in {None, usual} else f"{parts.scheme}://{host}:{port}"


def _check_return_to(return_to: str, allowed_origins: Collection[str]) -> None:
    fault = None
    if len(return_to) > _ADDRESS_CHARACTERS:
        fault = f"is longer than {_ADDRESS_CHARACTERS} characters"
    elif not return_to.isascii() or not return_to.isprintable() or set(return_to) & set(' \\"<>^`{|}'):
        fault = "holds a character that an address must not hold"
    else:
        origin = origin_of(return_to)
        if origin is None:
            fault = "is not an http(s) address"
        elif origin not in {origin_of(allowed) for allowed in allowed_origins}:
            fault = f"is at {origin}, which HITCHPOST_RETURN_ORIGINS does not list"
    if fault:
        raise Invalid([Fault("/return_to", fault)])
