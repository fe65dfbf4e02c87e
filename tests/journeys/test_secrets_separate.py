"""While a life goes on in the Procfile's processes, neither PostgreSQL, Redis nor any log holds a secret."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest
from redis import Redis

from tests import instances, servers, vendors
from tests.canaries import dump, dump_redis, found, readings
from tests.journeys.whole_life import WRONG_KEY, Life
from tests.waiting import wait_for
from webapp.models import CredentialKind
from webapp.sandbox import serve

pytestmark = pytest.mark.timeout(180)


@contextmanager
def _overheard(client: Redis) -> Iterator[list[str]]:
    """Every command that Redis takes meanwhile, with its values."""
    heard: list[str] = []
    with client.monitor() as monitor:  # type: ignore[no-untyped-call]  # redis-py's own

        def listen() -> None:
            for one in monitor.listen():
                heard.append(one["command"])
                if one["command"].endswith("heard enough"):
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield heard
        finally:
            client.echo("heard enough")
            listener.join(10)


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with closing(Redis.from_url(redis_url)) as opened:
        yield opened


@pytest.fixture
def life(tmp_path: Path, postgres_database: Callable[..., str], redis_url: str) -> Iterator[Life]:
    url = postgres_database(instances.migrate)
    with serve(port=0) as sandbox:
        addresses = vendors.addresses(sandbox.urls)
        instance = servers.Separate(tmp_path, url, redis_url, **addresses)
        sandbox.world.begin_with(redirect_url=f"{instance.url}/install/baselime/callback")
        with instances.running(url, **addresses) as runtime:
            instance.start()
            try:
                wait_for(lambda: servers.is_ready(instance.url), seconds=60)
                yield Life(instance, sandbox, runtime)
            finally:
                instance.stop()


def test_a_whole_life_leaves_no_secret_in_postgresql_redis_or_a_log(life: Life, client: Redis) -> None:
    places: dict[str, list[bytes]] = {"PostgreSQL": [], "Redis": []}

    def look() -> set[CredentialKind]:
        places["PostgreSQL"].append(dump(life.runtime))
        places["Redis"].append(dump_redis(client))
        return life.collect()

    with _overheard(client) as heard:
        life.begin()
        life.install()
        look()
        life.confirm()
        for name in ("last9", "librato"):
            life.paste(name)
            look()
            life.confirm()
        life.forward()
        life.send("first")
        look()
        life.refresh()
        with pytest.raises(HTTPError, match="401"):
            life.call("/events", [], WRONG_KEY)
        life.send(*(f"later-{number}" for number in range(20)))
        assert look() == set(CredentialKind)
    life.instance.stop()
    places["Redis"].append("\n".join(heard).encode())
    for name, program in life.instance.programs.items():
        places[name] = [program.log.read_bytes()]
    assert any("hitchpost.delivery" in command for command in heard)
    assert b"/install/baselime/callback" in places["web"][0]
    assert {name: found(life.secrets, b"\n".join(pieces)) for name, pieces in places.items()} == {
        name: [] for name in places
    }


def test_the_search_of_redis_finds_what_is_there(client: Redis) -> None:
    for reading in readings("canary-that-sings"):
        with _overheard(client) as heard:
            client.set("canary-string", reading)
            client.rpush("canary-list", reading)
            client.sadd("canary-set", reading)
            client.hset("canary-hash", "field", reading)
            client.zadd("canary-scores", {reading: 1})
            client.xadd("canary-stream", {"field": reading})
        everything = dump_redis(client)
        client.delete(*client.keys("canary-*"))
        assert everything.count(reading) == "\n".join(heard).encode().count(reading) == 6
