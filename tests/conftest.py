"""What every test may ask for: real databases, a real Redis, a real browser."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.services import chromium, oidc, postgres, redis

# What is asked is whether an answer is right; how long it takes depends on what else the machine is doing.
hypothesis.settings.register_profile(
    "hitchpost", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("hitchpost")


def pytest_configure() -> None:
    """A developer's own settings are not the tests'."""
    for name in list(os.environ):
        if name.startswith("HITCHPOST_") and not name.startswith("HITCHPOST_TEST_"):
            del os.environ[name]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes and sets print otherwise in each test process, which must all name a test alike: number them."""
    return argname if isinstance(val, bytes | set | frozenset) else None


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[postgres.Databases]:
    """The PostgreSQL server of this test process: the given one, or a cluster of its own."""
    with ExitStack() as stack:
        url = postgres.given_url()
        if url is None:
            cluster = postgres.Cluster(postgres.find_programs(), fsync=False)
            url = stack.enter_context(closing(cluster)).start().url
        yield stack.enter_context(closing(postgres.Databases(url)))


@pytest.fixture(scope="session")
def oidc_server() -> Iterator[oidc.OidcServer]:
    """The authorization server of this test process."""
    with closing(oidc.OidcServer(oidc.find_program())) as server:
        yield server.start()


@pytest.fixture
def postgres_database(
    postgres_databases: postgres.Databases,
) -> Iterator[Callable[..., str]]:
    """Call it for a fresh database's URL: empty, or a copy of what `prepare(url)` once left."""
    made: list[str] = []

    def create(prepare: Callable[[str], object] | None = None) -> str:
        made.append(postgres_databases.create(prepare))
        return made[-1]

    yield create
    for url in made:
        postgres_databases.drop(url)


@pytest.fixture
def postgres_url(postgres_database: Callable[..., str]) -> str:
    """An empty PostgreSQL database."""
    return postgres_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hitchpost.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def postgres_cluster() -> Iterator[Callable[[], postgres.Cluster]]:
    """Call it for a started PostgreSQL server that the test may stop, kill and start again."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(postgres.Cluster(postgres.find_programs()))).start()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The Redis of this test process: the given one, or a server of its own."""
    if given := redis.given_url():
        yield given
        return
    with closing(redis.RedisServer(redis.find_program())) as server:
        yield server.start().url


@pytest.fixture
def redis_server() -> Iterator[Callable[[], redis.RedisServer]]:
    """Call it for a started Redis server that the test may stop, kill and start again."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(redis.RedisServer(redis.find_program()))).start()


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The Chromium that the browser tests drive."""
    return chromium.find_program()


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """A running Chromium; one a module, since Playwright keeps an event loop in the test's thread."""
    with sync_playwright() as playwright, closing(chromium.launch(playwright, chromium_path)) as running:
        yield running
