"""Users: invited, signed in, disabled."""

import threading

import pytest
from sqlalchemy import select

from webapp.core import links, passwords, sessions, users
from webapp.core.audit import Act, Actor
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, Forbidden, Invalid, NotFound
from webapp.lib.secret import Secret
from webapp.models import AuditLine, LinkKind, Role, SessionKind, User

from .conftest import PASSWORD, Cast

OTHER = Secret("other quiet words here")


def test_the_right_password_lets_in_however_the_address_is_capitalised(runtime: Runtime, cast: Cast) -> None:
    assert users.sign_in(runtime, " Bob@Example.ORG", PASSWORD).id == cast.bob.id


@pytest.mark.parametrize(
    "email", ["bob@example.org", "nobody@example.org", "gone@example.org", "new@example.org"]
)
def test_every_refusal_has_the_same_words_and_the_same_work(
    runtime: Runtime, cast: Cast, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runtime.database.write() as session:
        gone = User(email="gone@example.org", password_hash=passwords.hash_password(OTHER))
        session.add(gone)
        session.flush()
        users.disable(session, Actor.user(cast.alice.id), gone.id)
        users.invite(session, Actor.user(cast.alice.id), "new@example.org", Role.MEMBER)
    verified: list[str] = []
    real = passwords._hasher

    class Counting:
        def verify(self, password_hash: str, password: str) -> bool:
            verified.append(password_hash)
            return real.verify(password_hash, password)

    passwords._nobody()  # made once a process, not once a sign-in
    monkeypatch.setattr(passwords, "_hasher", Counting())
    with pytest.raises(Forbidden, match=r"^This e-mail address and password do not go together\.$"):
        users.sign_in(runtime, email, OTHER)
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_failed_sign_in_leaves_a_line_that_blames_nobody(runtime: Runtime, cast: Cast) -> None:
    with pytest.raises(Forbidden):
        users.sign_in(runtime, "bob@example.org", OTHER)
    with runtime.database.read() as session:
        line = session.execute(select(AuditLine).order_by(AuditLine.id.desc())).scalars().first()
    assert line is not None
    assert (line.actor, line.act, line.object) == ("somebody", Act.SIGN_IN_FAILED, f"user:{cast.bob.id}")


def test_an_invitation_lets_in_once(runtime: Runtime, cast: Cast) -> None:
    with runtime.database.write() as session:
        invited, link = users.invite(session, Actor.user(cast.alice.id), "Dan@example.org", Role.ADMIN)
    assert users.accept_invite(runtime, link, PASSWORD).id == invited.id
    assert users.sign_in(runtime, "dan@example.org", PASSWORD).role is Role.ADMIN
    with pytest.raises(NotFound):
        users.accept_invite(runtime, link, OTHER)
    users.sign_in(runtime, "dan@example.org", PASSWORD)


def test_a_weak_password_leaves_the_invitation_good(runtime: Runtime, cast: Cast) -> None:
    with runtime.database.write() as session:
        _, link = users.invite(session, Actor.user(cast.alice.id), "dan@example.org", Role.MEMBER)
    with pytest.raises(Invalid):
        users.accept_invite(runtime, link, Secret("short"))
    assert users.accept_invite(runtime, link, PASSWORD).email == "dan@example.org"


def test_inviting_again_ends_the_earlier_link(runtime: Runtime, cast: Cast) -> None:
    actor = Actor.user(cast.alice.id)
    with runtime.database.write() as session:
        _, first = users.invite(session, actor, "dan@example.org", Role.MEMBER)
        _, second = users.invite(session, actor, "dan@example.org", Role.MEMBER)
    with pytest.raises(NotFound):
        users.accept_invite(runtime, first, PASSWORD)
    users.accept_invite(runtime, second, PASSWORD)


def test_who_has_a_password_is_not_invited_again(runtime: Runtime, cast: Cast) -> None:
    with pytest.raises(Conflict), runtime.database.write() as session:
        users.invite(session, Actor.user(cast.alice.id), "bob@example.org", Role.ADMIN)
    with runtime.database.read() as session:
        assert users.get(session, cast.bob.id).role is Role.MEMBER


def test_what_is_no_address_is_not_invited(runtime: Runtime, cast: Cast) -> None:
    for email in ("", "bob", "bob@", "@x", "a b@x.org", "a@x.org\nBcc: y", "a@x,b@y", "<a@x.org>"):
        with pytest.raises(Invalid), runtime.database.write() as session:
            users.invite(session, Actor.user(cast.alice.id), email, Role.MEMBER)


def test_a_new_password_by_link_ends_every_session(runtime: Runtime, cast: Cast) -> None:
    with runtime.database.write() as session:
        cookie = sessions.open(session, cast.bob.id, SessionKind.LOGIN)
        _, link = users.make_password_link(session, Actor.user(cast.alice.id), cast.bob.id)
    users.sign_in(runtime, "bob@example.org", PASSWORD)
    users.accept_invite(runtime, link, OTHER)
    with runtime.database.read() as session:
        assert sessions.find(session, cookie) is None
    with pytest.raises(Forbidden):
        users.sign_in(runtime, "bob@example.org", PASSWORD)
    users.sign_in(runtime, "bob@example.org", OTHER)


def test_disabling_ends_sessions_and_links_at_once(runtime: Runtime, cast: Cast) -> None:
    actor = Actor.user(cast.alice.id)
    with runtime.database.write() as session:
        cookie = sessions.open(session, cast.bob.id, SessionKind.LOGIN)
        _, link = users.make_password_link(session, actor, cast.bob.id)
    with runtime.database.write() as session:
        users.disable(session, actor, cast.bob.id)
    with runtime.database.read() as session:
        assert sessions.find(session, cookie) is None
        with pytest.raises(NotFound):
            links.look(session, LinkKind.INVITE, link)
    with pytest.raises(Forbidden):
        users.sign_in(runtime, "bob@example.org", PASSWORD)
    with runtime.database.write() as session:
        users.enable(session, actor, cast.bob.id)
    users.sign_in(runtime, "bob@example.org", PASSWORD)


def test_the_last_admin_stays_one(runtime: Runtime, cast: Cast) -> None:
    actor = Actor.user(cast.alice.id)
    with pytest.raises(Conflict), runtime.database.write() as session:
        users.disable(session, actor, cast.alice.id)
    with pytest.raises(Conflict), runtime.database.write() as session:
        users.change_role(session, actor, cast.alice.id, Role.MEMBER)
    with runtime.database.write() as session:
        users.change_role(session, actor, cast.bob.id, Role.ADMIN)
        users.disable(session, actor, cast.alice.id)


def test_another_role_ends_the_sessions_of_the_old_one(runtime: Runtime, cast: Cast) -> None:
    with runtime.database.write() as session:
        cookie = sessions.open(session, cast.bob.id, SessionKind.LOGIN)
        users.change_role(session, Actor.user(cast.alice.id), cast.bob.id, Role.ADMIN)
    with runtime.database.read() as session:
        assert sessions.find(session, cookie) is None


def test_who_comes_from_the_app_cannot_administer(runtime: Runtime, cast: Cast) -> None:
    with pytest.raises(Conflict), runtime.database.write() as session:
        users.change_role(session, Actor.user(cast.alice.id), cast.carol.id, Role.ADMIN)


def test_one_external_id_is_one_user_however_many_ask_at_once(runtime: Runtime) -> None:
    found = set()
    together = threading.Barrier(6)

    def ask() -> None:
        together.wait()
        with runtime.database.write() as session:
            found.add(users.ensure_external(session, "u_new").id)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_the_first_admin_gets_a_password_that_signs_in(runtime: Runtime) -> None:
    with runtime.database.write() as session:
        user, password = users.create_admin(session, "root@example.org")
    assert users.sign_in(runtime, "root@example.org", password).id == user.id
    with pytest.raises(Conflict), runtime.database.write() as session:
        users.create_admin(session, "ROOT@example.org")
