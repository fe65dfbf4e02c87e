"""Logs: one line a happening, by named fields, and nothing secret in any of them.

Three nets, one behind the other: our own lines may hold only fields of the list below; chatty libraries are
heard from WARNING up; and whatever reaches a handler is searched for what looks like a secret.

A line is written before its teller goes on, but for those of `tell`: these are gathered and written together,
after at most a twentieth of a second, with the next other line, or at the end. A process that is killed
takes along what it had gathered.
"""

import json
import logging
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

#: The fields that a line may hold. Only `words`, capped, may carry what a vendor or a browser said.
FIELDS = frozenset(
    {
        *("event", "level", "logger", "timestamp", "exception"),
        *(
            "account",
            "anchor",
            "at",
            "bell",
            "connection_id",
            "count",
            "credential_id",
            "destination_id",
            "environment_id",
        ),
        *("error", "events", "failures", "host", "install_id", "kind", "limit", "milliseconds", "method"),
        *("outcome", "path", "pid", "port", "process_id", "provider", "reason", "request_id", "requests"),
        *(
            "retry_after",
            "route",
            "scope",
            "seconds",
            "seq",
            "setting",
            "state",
            "status",
            "stream_id",
            "task",
        ),
        *("thread", "user_id", "version", "words"),
    }
)
_WORDS = 300
#: Lines of `tell` wait so long for others.
_GATHERED_SECONDS = 0.05
_PLACES = 4

_QUIET = ("alembic", "authlib", "celery", "h2", "httpcore", "httpx", "httpx2", "kombu", "urllib3", "werkzeug")

_NAMES = (
    "token",
    "secret",
    "password",
    "passwd",
    "api_key",
    "api-key",
    "apikey",
    "code",
    "cookie",
    "authorization",
)
#: Of each: what a text holds, in small letters, if the pattern can be found in it; the pattern; its mask.
_MASKS = tuple(
    (needles, re.compile(pattern, re.IGNORECASE), replacement)
    for needles, pattern, replacement in (
        (("://",), r"(://[^\s/:@\"']*:)[^\s/@\"']+@", r"\1***@"),
        (("hp_",), r"\b(hp_[a-z0-9]{1,16})_[\w-]{8,}", r"\1_***"),
        (("eyj",), r"\beyJ[\w-]{5,}\.[\w-]{5,}(\.[\w-]*)?", "***"),
        (("bearer", "basic", "apikey"), r"\b(bearer|basic|apikey)(\s+)[\w.~+/=-]{8,}", r"\1\2***"),
        (
            _NAMES,
            rf"\b([\w-]*(?:{'|'.join(_NAMES)})[\\\"']*\s*[=:]\s*[\\\"']*)(?!\*)[^\s\\\"'&,;<>{{}}()\[\]]{{4,}}",
            r"\1***",
        ),
        (("?",), r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*", r"\1?***"),
    )
)


def redact(text: str) -> str:
    """`text` with everything that looks like a secret, and every query string, replaced by `***`."""
    small = text.casefold()  # nearly every line holds none of it, and a word is found faster than a pattern
    for needles, pattern, replacement in _MASKS:
        if any(map(small.__contains__, needles)):
            text = pattern.sub(replacement, text)
    return text


def configure(form: str = "text", *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send every line, ours and the libraries', to `stream` (standard error) as `text` or `json`."""
    handler = _Together(stream or sys.stderr, form)
    # No line names a thread or a process, and asking for them costs as much as the rest of a record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*_shared(), _allowlisted, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a room: `log = logs.get(__name__)`; then `log.info("refreshed", connection_id=…)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def tell(logger: logging.Logger, event: str, fields: Mapping[str, str | int]) -> None:
    """What `logger` of the library's would tell at INFO by those fields, for a line that comes very often.

    It looks as any other line, but is not passed from processor to processor, and not written at once: each
    costs more than a request. The fields are to be among FIELDS.
    """
    if logger.isEnabledFor(logging.INFO):
        line = _Plain(time.time(), logger.name, event, fields)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, _Together):
                handler.gather(line)


def where_of(error: BaseException) -> str:
    """The last places that `error` passed, as `file:line`; its words and variables may hold a secret."""
    places = []
    step = error.__traceback__
    while step is not None:
        places.append(f"{step.tb_frame.f_code.co_filename.rpartition('/')[2]}:{step.tb_lineno}")
        step = step.tb_next
    return " ".join(places[-_PLACES:])


class _Plain(NamedTuple):
    """A line of `tell`."""

    #: Unix seconds
    created: float
    logger: str
    event: str
    fields: Mapping[str, str | int]

    @property
    def timestamp(self) -> str:
        moment = datetime.fromtimestamp(self.created, UTC).isoformat(timespec="microseconds")
        return moment.removesuffix("+00:00") + "Z"

    def as_json(self) -> str:
        shared = {"event": self.event, "level": "info", "logger": self.logger, "timestamp": self.timestamp}
        return json.dumps({**self.fields, **shared})

    def as_text(self) -> str:
        told = " ".join(f"{name}={_shown(self.fields[name])}" for name in sorted(self.fields))
        return f"{self.timestamp} [info     ] {self.event:<30} [{self.logger}] {told}"


@lru_cache(maxsize=1_000)
def _shown(value: str | int) -> str:
    plain = not isinstance(value, str) or (value.isprintable() and not _QUOTED.intersection(value))
    return str(value) if plain else repr(value)


#: A text with one of these is shown in quotes (as structlog's ConsoleRenderer does).
_QUOTED = frozenset(" \t=\r\n\"'")


class _Together(logging.StreamHandler[TextIO]):
    """Writes lines in their order, and nobody waits for another's: whoever writes takes along what came."""

    def __init__(self, stream: TextIO, form: str) -> None:
        super().__init__(stream)
        self.setFormatter(_Redacting(form))
        write = _Plain.as_json if form == "json" else _Plain.as_text
        self._form: Callable[[_Plain], str] = lambda line: redact(write(line))
        #: as they are to be written, and those of `tell` as they came
        self._lines: deque[str | _Plain] = deque()
        self._pen = threading.Lock()
        self._clerk = _Clerk(self)

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the line, or leave it to the one who writes at this moment or will soon."""
        kept = self.filter(record)
        if kept:
            self.emit(record)
        return bool(kept)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record) + self.terminator)
            self.flush()
        except Exception:  # noqa: BLE001 - as logging does: a line that fails ends nothing
            self.handleError(record)

    def gather(self, line: _Plain) -> None:
        """Write it soon, with others."""
        self._lines.append(line)
        if self._clerk.pid != os.getpid():  # a forked process has its parent's, but not the thread
            self._clerk = _Clerk(self)
        self._clerk.call()

    def flush(self) -> None:
        """Write every line that waits; logging asks for it at the end of the process, too."""
        # Looked at again afterwards: a line may have come after the last was taken.
        while self._lines and self._pen.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._pen.release()

    def _write(self) -> None:
        taken = [self._lines.popleft() for _ in range(len(self._lines))]
        self.stream.write(
            "".join(line if isinstance(line, str) else self._form(line) + self.terminator for line in taken)
        )
        super().flush()


#: What `logging` says has failed.
_UNWRITTEN = logging.LogRecord("log", logging.INFO, __file__, 0, "gathered lines", None, None)


class _Clerk:
    """Writes what was gathered a moment after the first of it came, on a thread that begins with that."""

    def __init__(self, handler: _Together) -> None:
        self.pid = os.getpid()
        self._handler = handler
        self._start = threading.Lock()
        self._called = threading.Event()

    def call(self) -> None:
        """Have everything written soon. Most calls find that another has been made."""
        if self._called.is_set():
            return
        self._called.set()
        if self._start.acquire(blocking=False):  # and kept: there is one thread
            try:
                threading.Thread(target=self._work, name="log", daemon=True).start()
            except RuntimeError:  # there are too many; or the process ends, and `flush` comes
                self._called.clear()
                self._start.release()

    def _work(self) -> None:
        while self._called.wait():
            time.sleep(_GATHERED_SECONDS)
            self._called.clear()  # before the lines are taken: one that comes after it calls again
            try:
                self._handler.flush()
            except Exception:  # noqa: BLE001 - as in emit
                self._handler.handleError(_UNWRITTEN)


class _Redacting(structlog.stdlib.ProcessorFormatter):
    """Renders a line and hides what slipped through."""

    def __init__(self, form: str) -> None:
        rendering: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
        if form == "json":
            rendering += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        else:
            rendering += [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_plain_traceback)]
        super().__init__(processors=rendering, foreign_pre_chain=_shared())

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _plain_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """No local variables: they may be secrets."""
    structlog.dev.plain_traceback(stream, exc_info)


def _shared() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _allowlisted(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> EventDict:
    """Leave out unknown fields and say so: a field is added to FIELDS by thought, not by accident."""
    kept = {name: value for name, value in event.items() if name in FIELDS or name.startswith("_")}
    if left := sorted(event.keys() - kept.keys() - {"exc_info", "stack_info"}):
        kept["words"] = f"left out: {', '.join(left)}"
    if "exc_info" in event:
        kept["exc_info"] = event["exc_info"]
    if isinstance(kept.get("words"), str):
        kept["words"] = kept["words"][:_WORDS]
    return kept
