"""Annotation streams and their events (api-docs, Annotations)."""

import re
import threading
from dataclasses import dataclass, field

from webapp.sandbox.librato.refusals import RefusedError

NAME = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
"""Chosen: no grammar of stream names and sources is documented; this is the one of metric names."""

TITLE_LENGTH = 255
"""Chosen: no limit is documented; this is where librato-ts cuts."""

TEXTS = ("title", "description", "source")
TIMES = ("start_time", "end_time")

Link = dict[str, str]


@dataclass
class Annotation:
    """One event on a stream; times are Unix seconds."""

    id: int
    title: str
    start_time: int
    end_time: int | None = None
    description: str | None = None
    source: str | None = None
    links: list[Link] = field(default_factory=list)

    def as_body(self) -> dict[str, object]:
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "source": self.source,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "links": self.links,
        }


@dataclass(eq=False)
class Stream:
    """Annotations under one name."""

    name: str
    display_name: str
    events: dict[int, Annotation] = field(default_factory=dict)

    def as_row(self) -> dict[str, object]:
        return {"name": self.name, "display_name": self.display_name}


class Streams:
    """The account's annotation streams, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        with self._lock:
            self._streams: dict[str, Stream] = {}
            self._next = 123

    def all(self) -> list[Stream]:
        with self._lock:
            return list(self._streams.values())

    def get(self, name: str) -> Stream | None:
        with self._lock:
            return self._streams.get(name)

    def add(self, name: str, wanted: dict[str, object], now: int) -> Annotation:
        """Add an event; the first one makes its stream."""
        with self._lock:
            stream = self._streams.setdefault(name, Stream(name, name))
            added = Annotation(**{"id": self._next, "start_time": now, **wanted})  # type: ignore[arg-type]  # read by `checked`
            stream.events[added.id] = added
            self._next += 1
            return added

    def events(self, stream: Stream) -> list[Annotation]:
        """Return a stream's events by start, oldest first."""
        with self._lock:
            return sorted(stream.events.values(), key=lambda one: one.start_time)

    def remove(self, name: str) -> None:
        with self._lock:
            self._streams.pop(name, None)

    def remove_event(self, stream: Stream, id: int) -> None:
        with self._lock:
            stream.events.pop(id, None)


def checked(asked: dict[str, object], known: Annotation | None = None) -> dict[str, object]:
    """Return the fields of an annotation as they are kept, or refuse all that is wrong at once.

    Chosen: one text, "is not present", is documented; unknown parameters, the grammar of a source and
    an end before the start are not. With `known`, only what is asked changes.
    """
    faults: dict[str, str] = dict.fromkeys(set(asked) - _PARAMS, "is not a known parameter")
    kept: dict[str, object] = {}
    for name in sorted(_PARAMS & set(asked)):
        if asked[name] is None and name != "title":
            kept[name] = [] if name == "links" else None
            continue
        try:
            kept[name] = _read(name, asked[name])
        except ValueError as fault:
            faults[name] = str(fault)
    if known is None and "title" not in asked:
        faults["title"] = "is not present"
    _check_order(kept, known, faults)
    if faults:
        raise RefusedError(400, {"errors": {"params": {name: [text] for name, text in faults.items()}}})
    return {name: value for name, value in kept.items() if value is not None or known is not None}


_PARAMS = {*TEXTS, *TIMES, "links"}


def _check_order(kept: dict[str, object], known: Annotation | None, faults: dict[str, str]) -> None:
    start = kept.get("start_time", known and known.start_time)
    end = kept.get("end_time", known and known.end_time)
    if isinstance(start, int) and isinstance(end, int) and end < start:
        faults["end_time"] = "is before start_time"


def _read(name: str, value: object) -> object:
    if name in TIMES:
        return seconds(value)
    if name == "links":
        return _links(value)
    if not isinstance(value, str):
        raise ValueError("is not a string")  # noqa: TRY004 — becomes an answer, not a crash
    if name == "title" and not value.strip():
        raise ValueError("is not present")
    if name == "title" and len(value) > TITLE_LENGTH:
        raise ValueError("is too long")
    if name == "source" and not NAME.fullmatch(value):
        raise ValueError("is not a valid source name")
    return value


def seconds(value: object) -> int:
    """Read Unix seconds, from JSON or from a form."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}", value):
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**12:
        return int(value)
    raise ValueError("is not a number")


def _links(value: object) -> list[Link]:
    if not isinstance(value, list):
        raise ValueError("is not a list")  # noqa: TRY004 — becomes an answer, not a crash
    links = [link(one) for one in value]
    if len({one["rel"] for one in links}) < len(links):
        raise ValueError("rel is not unique")
    return links


def link(value: object) -> Link:
    """Read one link: `rel` and `href`, and perhaps a `label`."""
    if not isinstance(value, dict) or set(value) - {"rel", "href", "label"}:
        raise ValueError("has only rel, href and label")
    for name in ("rel", "href"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise ValueError(f"{name} is not present")
    return {name: str(text) for name, text in value.items() if text is not None}
