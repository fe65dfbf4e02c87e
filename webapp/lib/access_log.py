"""What gunicorn logs: its own lines through our handlers, and a line a request that holds no secret.

Neither the query nor the Referer is written (an install's code comes in one), and a long piece of a path,
which may be a one-time link, is written as `…`.
"""

import logging
import re
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from webapp.lib import logs

log = logging.getLogger("access")

_LONG = 36
_LONG_PIECE = re.compile(rf"[^/]{{{_LONG + 1},}}")
_EVENT_ID = re.compile(r"[0-9a-f]{32}-[0-9]+")
_HEALTH = frozenset({"/healthz", "/readyz", "/metrics"})


def plain_path(path: str) -> str:
    """`path` without what may be a one-time secret: any piece longer than a UUID but an event's id."""
    if len(path) <= _LONG:
        return path
    return _LONG_PIECE.sub(lambda piece: piece[0] if _EVENT_ID.fullmatch(piece[0]) else "…", path)


class AccessLog(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Give it to gunicorn as its `logger_class`."""

    def setup(self, cfg: Any) -> None:
        """Hand every line of gunicorn's to the root handler; gunicorn speaks before the settings are read."""
        if not logging.getLogger().handlers:
            logs.configure()
        self.cfg = cfg
        self._access_log_enabled = bool(cfg.accesslog)
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        for logger in (self.error_log, self.access_log):
            logger.setLevel(self.loglevel)
            logger.propagate = True

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """One line, by named fields."""
        path = plain_path(environ["PATH_INFO"])
        if self._access_log_enabled and path not in _HEALTH:
            logs.tell(
                log,
                "request",
                {
                    "method": environ["REQUEST_METHOD"],
                    "path": path,
                    "status": int(str(resp.status).split(None, 1)[0]),
                    "milliseconds": round(request_time.total_seconds() * 1000),
                },
            )
