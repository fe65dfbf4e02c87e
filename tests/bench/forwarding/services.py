"""The servers that rows share: PostgreSQL and Redis, with the ids of their processes."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from tests.services import postgres, redis


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Where they are."""

    databases: postgres.Databases
    postgres_pid: int
    broker_url: str
    redis_pid: int


@contextmanager
def running() -> Iterator[Services]:
    """Servers of our own."""
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(postgres.Cluster(postgres.find_programs()))).start()
        server = stack.enter_context(closing(redis.RedisServer(redis.find_program()))).start()
        databases = stack.enter_context(closing(postgres.Databases(cluster.url)))
        yield Services(
            databases=databases,
            postgres_pid=cluster.pid,
            broker_url=server.url,
            redis_pid=server.pid,
        )
