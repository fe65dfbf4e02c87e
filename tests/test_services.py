"""The services under the tests keep their own promises."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser
from pytest_httpserver import HTTPServer
from redis import Redis
from sqlalchemy import create_engine, text

from tests.services.postgres import Cluster, Databases
from tests.services.redis import RedisServer


def test_a_test_gets_an_empty_database_of_either_kind(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE rooms (name TEXT)"))
    engine.dispose()


def test_postgresql_keeps_what_it_acknowledged_through_a_kill(
    postgres_cluster: Callable[[], Cluster],
) -> None:
    server = postgres_cluster()
    with psycopg.connect(server.url, autocommit=True) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        connection.execute("CREATE TABLE rooms AS SELECT 'core' AS name")
        server.stop(signal.SIGKILL)
    server.start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT name FROM rooms").fetchall() == [("core",)]


def test_a_prepared_database_is_filled_once_and_copied(postgres_database: Callable[..., str]) -> None:
    filled: list[str] = []

    def prepare(url: str) -> None:
        filled.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE rooms AS SELECT 'core' AS name")

    first, second = postgres_database(prepare), postgres_database(prepare)
    with psycopg.connect(first) as connection:
        connection.execute("DELETE FROM rooms")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT name FROM rooms").fetchall() == [("core",)]
    assert len(filled) == 1


def test_redis_comes_back_empty_at_the_same_address(redis_server: Callable[[], RedisServer]) -> None:
    server = redis_server()
    with Redis.from_url(server.url) as client:
        client.set("bell", "rung")
        server.stop(signal.SIGKILL)
        server.start()
        assert client.get("bell") is None


def test_redis_asks_for_its_password(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.ping()


@pytest.mark.browser
def test_a_real_browser_opens_a_page(browser: Browser, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/").respond_with_data("<title>Hitchpost</title>", content_type="text/html")
    page = browser.new_page()
    page.goto(httpserver.url_for("/"))
    assert page.title() == "Hitchpost"
    page.screenshot(path=tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 0


def test_a_test_cannot_leave_this_machine() -> None:
    with socket.socket() as outside, pytest.raises(UserWarning, match=r"192\.0\.2\.1"):
        outside.connect(("192.0.2.1", 80))


def test_a_lent_database_comes_back_empty_or_not_at_all(postgres_databases: Databases) -> None:
    def prepare(url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE rooms (id INT GENERATED ALWAYS AS IDENTITY, name TEXT)")

    first = postgres_databases.lend(prepare)
    with psycopg.connect(first) as left_open:
        left_open.execute("INSERT INTO rooms (name) VALUES ('core')")
        left_open.commit()
        postgres_databases.take_back(first)
    second = postgres_databases.lend(prepare)
    with psycopg.connect(second) as connection:
        added = connection.execute("INSERT INTO rooms (name) VALUES ('ui') RETURNING *").fetchall()
        connection.execute("ALTER TABLE rooms ADD floor INT")
    postgres_databases.take_back(second)
    third = postgres_databases.lend(prepare)
    postgres_databases.take_back(third)
    assert (first == second, added, third == second) == (True, [(1, "ui")], False)
