"""What the tests of installs, connections, refresh and environments share: a vendor, and who knows it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.fake_vendor import CONSOLE, FakeHttp, FakeVendor, running_with
from tests.services import postgres
from webapp.core import installs, sessions, users
from webapp.core.installs import Browser, Callback
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.lib.database import Database
from webapp.lib.secret import Secret
from webapp.models import Base, Connection, Install, SessionKind, UserSession


def make_tables(url: str) -> None:
    """Fill an empty database with our tables."""
    with closing(Database(url)) as database:
        Base.metadata.create_all(database.engine)


@pytest.fixture
def vendor() -> FakeVendor:
    return FakeVendor()


@pytest.fixture
def inbox() -> FakeHttp:
    return FakeHttp()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, to copy."""
    path: Path = tmp_path_factory.mktemp("template") / "hitchpost.db"
    make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def tables_url(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> Iterator[str]:
    """A database with every table; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        copy = tmp_path / "hitchpost.db"
        copy.write_bytes(sqlite_template.read_bytes())
        yield f"sqlite:///{copy}"
        return
    databases: postgres.Databases = request.getfixturevalue("postgres_databases")
    url = databases.lend(make_tables)
    yield url
    databases.take_back(url)


@pytest.fixture
def runtime(tables_url: str, vendor: FakeVendor, inbox: FakeHttp) -> Iterator[Runtime]:
    """On SQLite and on PostgreSQL; strict proofs, as by default."""
    with running_with(vendor, inbox, tables_url) as made:
        yield made


@pytest.fixture
def sign_in(runtime: Runtime) -> Callable[[str], UserSession]:
    """Call it with a name for a fresh session of that person."""

    def open_session(name: str) -> UserSession:
        with runtime.database.write() as session:
            user = users.ensure_external(session, name)
            cookie = sessions.open(session, user.id, SessionKind.CONNECT)
            session.flush()
            found = sessions.find(session, cookie)
            assert found is not None
            return found

    return open_session


@pytest.fixture
def ada(sign_in: Callable[[str], UserSession]) -> UserSession:
    return sign_in("ada")


@pytest.fixture
def bob(sign_in: Callable[[str], UserSession]) -> UserSession:
    return sign_in("bob")


@pytest.fixture
def come_back(runtime: Runtime) -> Callable[..., installs.Received]:
    """Call it for a callback: with a session, and a Referer unless told otherwise."""

    def receive(
        code: str, who: UserSession | None = None, *, referer: str | None = CONSOLE
    ) -> installs.Received:
        return installs.receive_code(
            runtime,
            Callback(
                provider="baselime",
                code=Secret(code),
                user_session_id=who.id if who else None,
                referer_origin=referer,
            ),
        )

    return receive


@pytest.fixture
def asked_for(runtime: Runtime, come_back: Callable[..., installs.Received]) -> Callable[..., UUID]:
    """Call it for an install that this person began here and came back from: a solicited, pending grant."""

    def install(who: UserSession, code: str = "code-0001", *, connection_id: UUID | None = None) -> UUID:
        with runtime.database.write() as session:
            installs.begin(session, who, runtime.providers["baselime"], connection_id=connection_id)
        received: installs.Received = come_back(code, who)
        return received.install_id

    return install


@pytest.fixture
def connect(runtime: Runtime, asked_for: Callable[..., UUID]) -> Callable[..., Connection]:
    """Call it for a confirmed connection of this person."""

    def confirmed(
        who: UserSession, code: str = "code-0001", *, connection_id: UUID | None = None
    ) -> Connection:
        install_id = asked_for(who, code, connection_id=connection_id)
        page = installs.open_page(runtime, install_id, Browser(session=who))
        return installs.confirm(runtime, install_id, Browser(session=who), seal=page.seal)

    return confirmed


@pytest.fixture
def age_sign_in(runtime: Runtime) -> Callable[[UserSession, float], UserSession]:
    """Call it to make a session's last sign-in that many minutes old."""

    def age(who: UserSession, minutes: float) -> UserSession:
        with runtime.database.write() as session:
            row = session.scalars(select(UserSession).where(UserSession.id == who.id)).one()
            row.reauth_at = clock.now() - timedelta(minutes=minutes)
            return row

    return age


@pytest.fixture
def let_pass(runtime: Runtime) -> Callable[[UUID], None]:
    """Call it to bring an install past its time."""

    def expire(install_id: UUID) -> None:
        with runtime.database.write() as session:
            session.get_one(Install, install_id).expires_at = clock.now() - timedelta(minutes=1)

    return expire


@pytest.fixture
def sign_out(runtime: Runtime) -> Callable[[UserSession], None]:
    """Call it to end a session."""

    def close(who: UserSession) -> None:
        with runtime.database.write() as session:
            sessions.close(session, who.id)

    return close
