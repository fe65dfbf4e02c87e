"""Faults of PostgreSQL and Redis: killed, stopped, emptied."""

import os
import random
import signal
from contextlib import suppress
from typing import ClassVar

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tests.faults.stage import Stage


class KillPostgres:
    """kill -9 of the postmaster, as by a power cut; its data stay."""

    lasts: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        assert stage.cluster is not None
        self._stage, self._chance, self._cluster = stage, chance, stage.cluster

    def strike(self) -> str:
        self._cluster.stop(signal.SIGKILL)
        return "kill -9 of PostgreSQL"

    def mend(self) -> None:
        """The stage starts it again."""


class StopPostgres(KillPostgres):
    """A restart: at once, with every transaction cut off, or politely."""

    def strike(self) -> str:
        how = self._chance.choice((signal.SIGQUIT, signal.SIGINT))
        self._cluster.stop(how)
        return f"{how.name} of PostgreSQL"


class KillBackend(KillPostgres):
    """kill -9 of one backend: PostgreSQL ends them all and recovers by itself."""

    def strike(self) -> str:
        with suppress(SQLAlchemyError, ProcessLookupError), self._stage.runtime.database.read() as session:
            ours = text("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
            os.kill(self._chance.choice(list(session.scalars(ours))), signal.SIGKILL)
        return "kill -9 of a backend of PostgreSQL"


class KillRedis:
    """kill -9, and for a while there is none; it comes back empty."""

    lasts: ClassVar[tuple[float, float]] = (0.0, 3.0)

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        assert stage.broker is not None
        self._broker = stage.broker

    def strike(self) -> str:
        self._broker.stop(signal.SIGKILL)
        return "kill -9 of Redis"

    def mend(self) -> None:
        """The stage starts it again."""


class FlushRedis(KillRedis):
    """FLUSHALL, again and again."""

    lasts: ClassVar[tuple[float, float]] = (0.0, 0.2)

    def strike(self) -> str:
        with suppress(RedisError), Redis.from_url(self._broker.url) as client:
            for _ in range(50):
                client.flushall()
        return "50 × FLUSHALL"
