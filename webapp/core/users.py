"""Users: who they are, how they come in, and who may no longer."""

import re
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.core import links, passwords, sessions
from webapp.core.audit import HITCHPOST, Act, Actor, record
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from webapp.lib import clock
from webapp.lib.secret import Secret
from webapp.models import LinkKind, Role, User

#: One @, something on both sides, nothing a mail header could choke on; no mail is ever sent to it.
_EMAIL = re.compile(r"[^@\s,;<>\"\x00-\x1f\x7f]{1,64}@[^@\s,;<>\"\x00-\x1f\x7f]{1,189}")
_EXTERNAL_ID_CHARACTERS = 200

#: Whoever failed to sign in: it is not known who that was.
_SOMEBODY = Actor("somebody")


def get(session: Session, user_id: UUID) -> User:
    """The user of that id. Raises NotFound."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound
    return user


def find_by_email(session: Session, email: str) -> User | None:
    """The user who signs in with that address, however it is capitalised."""
    return session.execute(select(User).where(User.email == email.strip().lower())).scalar_one_or_none()


def find_by_name(session: Session, name: str) -> User | None:
    """The user of that e-mail address or, as the host app writes it, external id."""
    found = session.execute(select(User).where(User.external_id == name)).scalar_one_or_none()
    return found or find_by_email(session, name)


def find_by_any_name(session: Session, name: str) -> User | None:
    """The user of that id, external id or e-mail address; an id goes first."""
    try:
        found = session.get(User, UUID(name))
    except ValueError:
        found = None
    return found or find_by_name(session, name)


def create_admin(session: Session, email: str, password: Secret | None = None) -> tuple[User, Secret]:
    """An admin who can sign in at once, with a password made for them if none is given.

    Raises Invalid (e-mail or password), Conflict when the address is taken.
    """
    address = _check_email(email)
    if password is not None:
        passwords.check(password, email=address)
    if find_by_email(session, address) is not None:
        message = f"{address} is a user already."
        raise Conflict(message)
    secret = password or passwords.make()
    user = User(email=address, role=Role.ADMIN, password_hash=passwords.hash_password(secret))
    session.add(user)
    session.flush()
    record(session, HITCHPOST, Act.USER_CHANGED, f"user:{user.id}", detail="made, as admin")
    return user, secret


def invite(session: Session, actor: Actor, email: str, role: Role) -> tuple[User, Secret]:
    """A user yet to choose a password, and the link's secret (for `/invite/<secret>`), good for a week.

    Inviting again ends the earlier link. Raises Invalid (e-mail), Conflict if the user has a password.
    """
    address = _check_email(email)
    user = find_by_email(session, address)
    if user is None:
        user = User(email=address, role=role)
        session.add(user)
        session.flush()
    elif user.password_hash is not None or user.disabled_at is not None:
        message = f"{address} is a user already."
        raise Conflict(message)
    user.role = role
    links.withdraw(session, LinkKind.INVITE, user.id)
    link, _ = links.make(session, LinkKind.INVITE, user.id)
    record(session, actor, Act.INVITED, f"user:{user.id}", detail=f"as {role.value}")
    return user, link


def make_password_link(session: Session, actor: Actor, user_id: UUID) -> tuple[User, Secret]:
    """A link by which somebody invited or signed up chooses a new password; until then the old one works.

    Raises NotFound, Conflict when the user is disabled or has no e-mail address to sign in with.
    """
    user = get(session, user_id)
    if user.email is None or user.disabled_at is not None:
        message = "Only somebody who may sign in here can have a link to do so."
        raise Conflict(message)
    links.withdraw(session, LinkKind.INVITE, user.id)
    link, _ = links.make(session, LinkKind.INVITE, user.id)
    record(session, actor, Act.INVITED, f"user:{user.id}", detail="to choose a new password")
    return user, link


def invited(session: Session, link: Secret) -> User:
    """Whom an invitation is for, without spending it. Raises NotFound when it is used up or over."""
    row = links.look(session, LinkKind.INVITE, link)
    return get(session, row.user_id)


def accept_invite(runtime: Runtime, link: Secret, password: Secret) -> User:
    """Spend the link, keep the password, end the person's sessions. Raises NotFound, Invalid (link stays).

    The slow hash is made before the transaction, which other writers wait for.
    """
    with runtime.database.read() as session:
        passwords.check(password, email=invited(session, link).email or "")
    password_hash = passwords.hash_password(password)
    with runtime.database.write() as session:
        row = links.spend(session, LinkKind.INVITE, link)
        user = get(session, row.user_id)
        if user.disabled_at is not None:
            raise NotFound
        user.password_hash = password_hash
        sessions.close_all(session, user.id)
        record(session, Actor.user(user.id), Act.USER_CHANGED, f"user:{user.id}", detail="chose a password")
    return user


def sign_in(runtime: Runtime, email: str, password: Secret) -> User:
    """The user of that address and password.

    Raises Forbidden with the same words, after the same work, whether the address is unknown, the password
    wrong or the user disabled (OWASP Authentication Cheat Sheet, user enumeration).
    """
    with runtime.database.read() as session:
        user = find_by_email(session, email)
    right = passwords.matches(password, user.password_hash if user else None)
    if user is None or not right or user.disabled_at is not None:
        with runtime.database.write() as session:
            thing = f"user:{user.id}" if user else "user:unknown"
            record(session, _SOMEBODY, Act.SIGN_IN_FAILED, thing)
        message = "This e-mail address and password do not go together."
        raise Forbidden(message)
    renewed = _renewed_hash(user, password)
    with runtime.database.write() as session:
        record(session, Actor.user(user.id), Act.SIGNED_IN, f"user:{user.id}")
        if renewed:
            get(session, user.id).password_hash = renewed
    return user


def disable(session: Session, actor: Actor, user_id: UUID) -> None:
    """Let this person in no more: sessions and open links end. Raises Conflict for the last admin."""
    user = get(session, user_id)
    if user.disabled_at is not None:
        return
    _keep_an_admin(session, user)
    user.disabled_at = clock.now()
    sessions.close_all(session, user_id)
    for kind in LinkKind:
        links.withdraw(session, kind, user_id)
    record(session, actor, Act.USER_CHANGED, f"user:{user_id}", detail="disabled")


def enable(session: Session, actor: Actor, user_id: UUID) -> None:
    """Let this person in again. Raises Conflict when they are being deleted."""
    user = get(session, user_id)
    if user.disabled_at is None:
        return
    if user.deleting_at is not None:
        raise Conflict("This person is being deleted, which cannot be undone.")
    user.disabled_at = None
    record(session, actor, Act.USER_CHANGED, f"user:{user_id}", detail="enabled")


def change_role(session: Session, actor: Actor, user_id: UUID, role: Role) -> None:
    """Give another role; the person's sessions end. Raises Conflict for the last admin, or without e-mail."""
    user = get(session, user_id)
    if user.role is role:
        return
    if user.email is None:
        message = "Who comes from the host app has no sign-in here, and so no role but member."
        raise Conflict(message)
    if user.role is Role.ADMIN:
        _keep_an_admin(session, user)
    user.role = role
    sessions.close_all(session, user_id)
    record(session, actor, Act.USER_CHANGED, f"user:{user_id}", detail=f"made {role.value}")


def ensure_external(session: Session, external_id: str) -> User:
    """The user whom the host app knows by `external_id`, made when new. Raises Invalid."""
    if not external_id.strip() or len(external_id) > _EXTERNAL_ID_CHARACTERS or not external_id.isprintable():
        fault = f"is to be 1 to {_EXTERNAL_ID_CHARACTERS} printable characters"
        raise Invalid([Fault("/external_id", fault)])
    query = select(User).where(User.external_id == external_id)
    user = session.execute(query).scalar_one_or_none()
    if user is None:
        try:
            with session.begin_nested():
                user = User(external_id=external_id)
                session.add(user)
        except IntegrityError:
            # Two first requests for one new user: the other's row is the user.
            user = session.execute(query).scalar_one()
    return user


def _check_email(email: str) -> str:
    address = email.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise Invalid([Fault("email", "is not an e-mail address")])
    return address


def _keep_an_admin(session: Session, user: User) -> None:
    """Raise Conflict if nobody could administer this instance without `user`."""
    others = select(func.count()).where(
        User.role == Role.ADMIN,
        User.disabled_at.is_(None),
        User.password_hash.is_not(None),
        User.id != user.id,
    )
    if user.role is Role.ADMIN and session.execute(others).scalar_one() == 0:
        message = "This is the last admin who can sign in: make another one first."
        raise Conflict(message)


def _renewed_hash(user: User, password: Secret) -> str | None:
    stale = user.password_hash is not None and passwords.needs_rehash(user.password_hash)
    return passwords.hash_password(password) if stale else None


__all__ = [
    "Role",
    "User",
    "accept_invite",
    "change_role",
    "create_admin",
    "disable",
    "enable",
    "ensure_external",
    "find_by_any_name",
    "find_by_email",
    "find_by_name",
    "get",
    "invite",
    "invited",
    "make_password_link",
    "sign_in",
]
