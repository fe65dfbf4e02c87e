"""A standard vendor's answer is tied by state, PKCE and issuer to the session that asked for it."""

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.authorization_servers import EVENTS_URL, Servers, entry, running_with
from webapp.core import connections, installs, refresh
from webapp.core.audit import HITCHPOST
from webapp.core.installs import Answer, Browser, Callback, Ending, Unasked
from webapp.core.runtime import Runtime
from webapp.errors import VendorAnswerInvalid
from webapp.lib.secret import Secret
from webapp.models import Connection, Credential, Install, InstallState, UserSession

NORTH, SOUTH = "https://north.vendor.test", "https://south.vendor.test"


@pytest.fixture
def servers() -> Servers:
    return Servers(NORTH, SOUTH)


@pytest.fixture
def runtime(tables_url: str, servers: Servers) -> Iterator[Runtime]:
    """Two standard vendors, on SQLite and on PostgreSQL."""
    vendors = {"north": entry(NORTH, events_url=EVENTS_URL), "south": entry(SOUTH, title="Southwind")}
    with running_with(servers, vendors, tables_url) as made:
        yield made


class Stage:
    """Two vendors, and what a person does between them and us."""

    def __init__(self, runtime: Runtime, servers: Servers) -> None:
        self.runtime, self.servers = runtime, servers
        self.north, self.south = servers[NORTH], servers[SOUTH]

    def ask(self, who: UserSession, name: str = "north", connection_id: UUID | None = None) -> str:
        """The address that a person is sent to."""
        provider = self.runtime.providers[name]
        return installs.ask(self.runtime, who, provider, connection_id=connection_id).address

    def agree(self, who: UserSession, connection_id: UUID | None = None) -> dict[str, str]:
        """What the northern vendor's redirect brings after a person agreed."""
        return self.north.agree(self.ask(who, connection_id=connection_id))

    def bring(self, who: UserSession | None, answer: Mapping[str, str], name: str = "north") -> UUID:
        """The install that an answer belongs to."""
        state = answer.get("state")
        callback = Callback(
            provider=name,
            code=Secret(answer["code"]),
            user_session_id=who.id if who else None,
            answer=Answer(state=Secret(state) if state else None, issuer=answer.get("iss")),
        )
        return installs.receive_code(self.runtime, callback).install_id

    def unasked(self, who: UserSession | None, answer: Mapping[str, str], name: str = "north") -> None:
        """It is nobody's, and no vendor hears of it."""
        before = len(self.servers.asked)
        with pytest.raises(Unasked):
            self.bring(who, answer, name)
        assert len(self.servers.asked) == before

    def connect(self, who: UserSession) -> Connection:
        """A confirmed connection of this person."""
        install_id = self.bring(who, self.agree(who))
        page = installs.open_page(self.runtime, install_id, Browser(session=who))
        return installs.confirm(self.runtime, install_id, Browser(session=who), seal=page.seal)

    def newest(self) -> Install:
        """The row of the newest attempt."""
        with self.runtime.database.read() as session:
            return session.scalars(select(Install).order_by(Install.id.desc()).limit(1)).one()


@pytest.fixture
def stage(runtime: Runtime, servers: Servers) -> Stage:
    return Stage(runtime, servers)


def test_the_request_carries_state_pkce_and_the_vendors_own_redirect_address(
    stage: Stage, ada: UserSession
) -> None:
    address = stage.ask(ada)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert address.startswith(f"{NORTH}/authorize?")
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/install/north/callback"
    assert (asked["scope"], asked["prompt"]) == ("openid offline_access", "consent")
    assert len(asked["state"]) == len(asked["code_challenge"]) == 43
    assert "client-secret-canary" not in address
    kept = stage.newest()
    assert asked["state"].encode() not in (kept.state_digest or b"") + (kept.sealed or b"")


def test_an_answer_that_fits_is_traded_once_and_shows_whose_it_is(stage: Stage, ada: UserSession) -> None:
    install_id = stage.bring(ada, stage.agree(ada))
    page = installs.open_page(stage.runtime, install_id, Browser(session=ada))
    assert [(one.account_key, one.label) for one in page.workspaces] == [("ada-at-vendor", "ada@vendor.test")]
    assert page.may_confirm
    assert not page.needs_proof
    assert page.of_accounts
    assert stage.north.counts["/token"] == stage.north.counts["/me"] == 1
    assert not stage.south.counts


@pytest.mark.parametrize(
    "changed",
    [
        {"state": ""},
        {"state": "A" * 43},
        {"state": "ä"},
        {"iss": SOUTH},
        {"iss": f"{NORTH}/"},
        {"iss": ""},
    ],
)
def test_what_does_not_fit_is_sent_nowhere_and_the_intent_waits_on(
    stage: Stage, ada: UserSession, changed: dict[str, str]
) -> None:
    answer = stage.agree(ada)
    stage.unasked(ada, answer | changed)
    assert stage.newest().state is InstallState.INTENT
    assert stage.bring(ada, answer) == stage.newest().id


def test_an_issuer_that_announces_to_name_itself_must(stage: Stage, ada: UserSession) -> None:
    answer = stage.agree(ada)
    del answer["iss"]
    stage.unasked(ada, answer)


def test_an_issuer_that_does_not_announce_it_may_leave_it_out(stage: Stage, ada: UserSession) -> None:
    stage.north.overrides["authorization_response_iss_parameter_supported"] = None
    answer = stage.agree(ada)
    del answer["iss"]
    assert stage.bring(ada, answer)


def test_a_state_is_used_once(stage: Stage, ada: UserSession) -> None:
    answer = stage.agree(ada)
    stage.bring(ada, answer)
    stage.unasked(ada, answer | {"code": "another-code"})


def test_the_same_answer_again_lands_on_the_same_install(stage: Stage, ada: UserSession) -> None:
    answer = stage.agree(ada)
    assert stage.bring(ada, answer) == stage.bring(ada, answer)
    assert stage.north.counts["/token"] == 1


def test_another_sessions_state_is_nobodys(stage: Stage, ada: UserSession, bob: UserSession) -> None:
    hers, his = stage.agree(ada), stage.agree(bob)
    stage.unasked(ada, his)
    stage.unasked(bob, hers)
    stage.unasked(None, hers)


def test_an_answer_after_the_intent_is_over_is_nobodys(
    stage: Stage, ada: UserSession, let_pass: Callable[[UUID], None]
) -> None:
    answer = stage.agree(ada)
    let_pass(stage.newest().id)
    stage.unasked(ada, answer)


def test_only_the_latest_request_of_a_session_is_waited_for(stage: Stage, ada: UserSession) -> None:
    older, newer = (stage.agree(ada) for _ in range(2))
    stage.unasked(ada, older)
    assert stage.bring(ada, newer)


def test_a_code_of_one_vendor_on_the_path_of_another_reaches_neither(stage: Stage, ada: UserSession) -> None:
    answer = stage.agree(ada)
    stage.unasked(ada, answer, "south")
    stage.ask(ada, "south")
    stage.unasked(ada, answer, "south")
    stage.unasked(ada, answer)


def test_a_refusal_needs_the_state_too(stage: Stage, ada: UserSession) -> None:
    state = stage.agree(ada)["state"]

    def refuse(answer: Answer) -> UUID | None:
        with stage.runtime.database.write() as session:
            return installs.receive_refusal(
                session,
                stage.runtime.providers["north"],
                ada,
                "access_denied",
                vault=stage.runtime.vault,
                answer=answer,
            )

    with pytest.raises(Unasked):
        refuse(Answer(state=Secret("A" * 43), issuer=NORTH))
    assert stage.newest().state is InstallState.INTENT
    assert refuse(Answer(state=Secret(state), issuer=NORTH)) == stage.newest().id
    assert (stage.newest().ending, stage.newest().sealed) == (Ending.DECLINED, None)


def test_a_vendor_that_cannot_be_asked_leaves_no_intent(stage: Stage, ada: UserSession) -> None:
    stage.north.overrides["issuer"] = SOUTH
    with pytest.raises(VendorAnswerInvalid, match="not the one that is configured"):
        stage.ask(ada)
    with stage.runtime.database.read() as session:
        assert session.scalars(select(Install)).all() == []


def test_every_rotation_is_kept_and_a_disconnect_ends_the_newest(stage: Stage, ada: UserSession) -> None:
    connection = stage.connect(ada)
    assert connection.label == "ada@vendor.test"
    for _ in range(5):
        refresh.fresh_access(stage.runtime, connection.id, min_ttl=3_500)
        with stage.runtime.database.write() as session:
            session.execute(update(Credential).values(refresh_at=Credential.issued_at))
        assert refresh.sweep(stage.runtime) == 1
    assert stage.north.counts["families ended"] == 0
    assert stage.north.counts["/token"] >= 6
    newest = stage.north.live - stage.north.spent
    connections.disconnect(stage.runtime, HITCHPOST, connection.id)
    last = [form["token"] for form in stage.north.forms if "token" in form]
    assert last[0].startswith("refresh-canary-")
    assert last[1].startswith("access-canary-")
    assert set(last) <= newest
    assert not stage.north.live & set(last)


def test_an_account_that_is_connected_by_somebody_else_is_not_taken(
    stage: Stage, ada: UserSession, bob: UserSession
) -> None:
    stage.connect(ada)
    install_id = stage.bring(bob, stage.agree(bob))
    assert stage.newest().id == install_id
    installs.open_page(stage.runtime, install_id, Browser(session=bob))
    assert stage.newest().ending == Ending.HELD_ELSEWHERE


def test_a_reconnect_to_another_account_is_refused(stage: Stage, ada: UserSession) -> None:
    connection = stage.connect(ada)
    stage.north.sub = "somebody-else"
    install_id = stage.bring(ada, stage.agree(ada, connection.id))
    installs.open_page(stage.runtime, install_id, Browser(session=ada))
    assert stage.newest().ending == Ending.OTHER_ACCOUNT
