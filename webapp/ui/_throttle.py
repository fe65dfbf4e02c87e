"""Throttles: how often one address, or one name from one address, may try something that guessers try."""

import math
import time
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app, request
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from webapp.errors import Overloaded
from webapp.settings import Settings

_NAME = "hitchpost-throttle"
#: After Redis failed, how long this process counts by itself before it asks Redis again, in seconds.
_ALONE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Rule:
    """At most so many tries in a moving window: `10 per 5 minutes`. `name` keeps rules apart."""

    name: str
    limit: str


class Throttle:
    """Counts tries: in Redis when there is one, so that every web process counts together; else in memory."""

    def __init__(self, settings: Settings) -> None:
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._shared = None if settings.embedded else _shared(settings.broker_url.get_secret_value())
        self._alone_until = 0.0

    def count(self, rule: Rule, *who: str) -> None:
        """Count a try of `who`. Raises Overloaded, with the seconds to wait, when there were too many."""
        item = parse(rule.limit)
        if self._shared is not None and time.monotonic() >= self._alone_until:
            try:
                return _count(self._shared, item, rule, who)
            except StorageError:
                # Without Redis each process counts alone: looser by their number, but never unlimited.
                self._alone_until = time.monotonic() + _ALONE_SECONDS
        return _count(self._own, item, rule, who)


def install_throttle(app: Flask, settings: Settings) -> None:
    """Give `app` its own counts."""
    app.extensions[_NAME] = Throttle(settings)


def count_try(rule: Rule, *who: str) -> None:
    """Count a try from this request's address, and of `who` (an account) if given. Raises Overloaded."""
    throttle = cast("Throttle", current_app.extensions[_NAME])
    throttle.count(rule, request.remote_addr or "unknown", *who)


def count_everybodys_try(rule: Rule) -> None:
    """Count a try of all addresses together: a crowd of addresses is held back too. Raises Overloaded."""
    cast("Throttle", current_app.extensions[_NAME]).count(rule, "everybody")


def _shared(url: str) -> MovingWindowRateLimiter:
    storage = RedisStorage(
        url, wrap_exceptions=True, key_prefix="hitchpost", socket_timeout=1.0, socket_connect_timeout=1.0
    )
    return MovingWindowRateLimiter(storage)


def _count(limiter: MovingWindowRateLimiter, item: RateLimitItem, rule: Rule, who: tuple[str, ...]) -> None:
    if limiter.hit(item, rule.name, *who):
        return
    wait = max(1.0, math.ceil(limiter.get_window_stats(item, rule.name, *who).reset_time - time.time()))
    message = f"There were too many tries from here. Wait {_words(wait)}, then try again."
    raise Overloaded(message, retry_after=wait)


def _words(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{math.ceil(seconds / 60)} minutes"
