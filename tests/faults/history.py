"""What was asked, what was acknowledged, what arrived; and the checker that holds one against the other."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class History:
    """Events by user, in the order of their sending; safe to add to from many threads."""

    tried: dict[str, list[str]] = field(default_factory=dict)
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_try(self, user: str, event_id: str) -> None:
        """An event is about to be sent for the first time."""
        with self._lock:
            self.tried.setdefault(user, []).append(event_id)

    def note_acknowledged(self, user: str, event_id: str) -> None:
        """A 202 came for it."""
        with self._lock:
            self.acknowledged.setdefault(user, []).append(event_id)

    @property
    def count(self) -> int:
        """Events acknowledged so far."""
        with self._lock:
            return sum(map(len, self.acknowledged.values()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found; `faults` is empty when every promise was kept."""

    faults: tuple[str, ...]
    events: int
    #: how often a batch, or a part of one, came again
    repeats: int


def judge(history: History, arrivals: Mapping[str, Sequence[str]], explained: Mapping[str, int]) -> Verdict:
    """Hold the arrivals of each user, in order, against the history.

    No acknowledged event is lost; first arrivals are in the order of sending; nothing arrives that nobody
    sent; and a batch comes again only as often as answers were lost, by the attempts on record (`explained`).
    """
    faults: list[str] = []
    repeats = 0
    for user in sorted(history.tried.keys() | arrivals.keys()):
        arrived = list(arrivals.get(user, ()))
        first = list(dict.fromkeys(arrived))
        tried = history.tried.get(user, [])
        faults += _lost(user, history.acknowledged.get(user, []), first)
        faults += _invented(user, tried, first)
        faults += _out_of_order(user, tried, first)
        again = _repeats(tried, arrived)
        if again > explained.get(user, 0):
            faults.append(f"{user}: {again} repeats, the attempts explain {explained.get(user, 0)}")
        repeats += again
    return Verdict(tuple(faults), history.count, repeats)


def _lost(user: str, acknowledged: Sequence[str], first: Sequence[str]) -> list[str]:
    lost = sorted(set(acknowledged) - set(first))
    return [f"{user}: {len(lost)} acknowledged and lost: {lost[:5]}"] if lost else []


def _invented(user: str, tried: Sequence[str], first: Sequence[str]) -> list[str]:
    invented = sorted(set(first) - set(tried))
    return [f"{user}: {len(invented)} arrived that nobody sent: {invented[:5]}"] if invented else []


def _repeats(tried: Sequence[str], arrived: Sequence[str]) -> int:
    """Runs of arrivals seen before: one lost answer makes one run, in the order of sending."""
    place = {event_id: n for n, event_id in enumerate(tried)}
    seen: set[str] = set()
    runs, last = 0, None
    for event_id in arrived:
        if event_id not in seen:
            last = None
        else:
            here = place.get(event_id, -1)
            runs += last is None or here <= last
            last = here
        seen.add(event_id)
    return runs


def _out_of_order(user: str, tried: Sequence[str], first: Sequence[str]) -> list[str]:
    place = {event_id: n for n, event_id in enumerate(tried)}
    order = [place[event_id] for event_id in first if event_id in place]
    late = [first[n] for n in range(1, len(order)) if order[n] < order[n - 1]]
    return [f"{user}: {len(late)} arrived first after a later one: {late[:5]}"] if late else []
