"""The checker: pure functions that hold what reached each destination against the history."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.history import History

#: How many ids a fault names.
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A destination's counters, and where it stands."""

    head: int
    origin: int
    cursor: int
    rewound: int = 0
    delivered: int
    filtered: int = 0
    dead: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A destination at the end: what its vendor really took, and what our own records say of it."""

    name: str
    user: str
    #: ids in the order in which the vendor took them, repeats included
    arrived: Sequence[str]
    ledger: Ledger
    #: ids of its dead letters
    dead: Collection[str] = ()
    #: prefix of the types it wants; empty: all
    wants: str = ""
    #: requests whose answer was lost or false, by the attempts on record and by the lies told
    lost_answers: int = 0
    #: … and how many events they carried at most
    lost_events: int = 0
    #: ids of which a lying vendor took later ones and not them
    passed_over: Collection[str] = ()
    leased: bool = False
    due: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found; `faults` is empty when every promise was kept."""

    faults: tuple[str, ...]
    events: int
    arrivals: int
    #: events that arrived again
    duplicates: int
    #: how often a batch, or a part of one, came again
    repeats: int
    dead: int


@dataclass
class _Found:
    faults: list[str] = field(default_factory=list)
    duplicates: int = 0
    repeats: int = 0


def judge(history: History, reached: Sequence[Reached]) -> Verdict:
    """Every acknowledged event is delivered, dead, expired or waiting, at each destination of its user.

    Nothing arrives that nobody sent to there; first arrivals are in the order of `seq`; events come again
    only as often, and only as many, as answers were lost; the ledger is exact; all is at rest.
    """
    found = _Found(faults=[*_answers(history), *_unexpected(history)])
    places = {ack.event_id: ack.seq for ack in history.acks}
    for one in reached:
        found.faults += [f"{one.name}: {fault}" for fault in _faults(history, places, one)]
        found.duplicates += len(one.arrived) - len(set(one.arrived))
        found.repeats += len(runs_of_repeats(places, one.arrived))
    return Verdict(
        faults=tuple(found.faults),
        events=history.count,
        arrivals=sum(len(one.arrived) for one in reached),
        duplicates=found.duplicates,
        repeats=found.repeats,
        dead=sum(len(one.dead) for one in reached),
    )


def lost(history: History, reached: Sequence[Reached]) -> int:
    """How many acknowledged events are neither at the vendor nor dead: not yet, or for ever."""
    return sum(len(_missing(history, one)) for one in reached)


def _faults(history: History, places: Mapping[str, int], one: Reached) -> Iterator[str]:
    first = list(dict.fromkeys(one.arrived))
    missing = _missing(history, one)
    waiting = sorted(event_id for event_id in missing if places[event_id] > one.ledger.cursor)
    gone = sorted(missing - set(waiting))
    if len(gone) > one.ledger.expired:
        yield f"{len(gone)} acknowledged and lost: {gone[:_SHOWN]}"
    if waiting:
        yield f"{len(waiting)} still wait: {waiting[:_SHOWN]}"
    yield from _invented(history, one, first)
    yield from _out_of_order(places, first, one.passed_over)
    yield from _repeated(places, one)
    yield from _ledger(one, first)
    if one.leased:
        yield "a lease is left"
    if one.due:
        yield "it is still due"


def _missing(history: History, one: Reached) -> set[str]:
    wanted = {
        event_id
        for event_id in history.acknowledged
        if history.sent[event_id].user == one.user and history.sent[event_id].type.startswith(one.wants)
    }
    return wanted - set(one.arrived) - set(one.dead)


def _invented(history: History, one: Reached, first: Sequence[str]) -> Iterator[str]:
    def is_known(event_id: str) -> bool:
        sent = history.sent.get(event_id)
        return sent is not None and sent.user == one.user and sent.type.startswith(one.wants)

    invented = sorted(event_id for event_id in first if not is_known(event_id))
    if invented:
        yield f"{len(invented)} arrived that nobody sent there: {invented[:_SHOWN]}"


def _out_of_order(
    places: Mapping[str, int], first: Sequence[str], passed_over: Collection[str]
) -> Iterator[str]:
    known = [event_id for event_id in first if event_id in places and event_id not in passed_over]
    highest, late = 0, []
    for event_id in known:
        if places[event_id] < highest:
            late.append(event_id)
        highest = max(highest, places[event_id])
    if late:
        yield f"{len(late)} arrived first after a later one: {late[:_SHOWN]}"


def _repeated(places: Mapping[str, int], one: Reached) -> Iterator[str]:
    runs = runs_of_repeats(places, one.arrived)
    if len(runs) > one.lost_answers:
        yield f"{len(runs)} repeats, {one.lost_answers} answers were lost: {runs[:_SHOWN]}"
    duplicates = len(one.arrived) - len(set(one.arrived))
    if duplicates > one.lost_events:
        yield f"{duplicates} events arrived again, lost answers explain {one.lost_events}"


def runs_of_repeats(places: Mapping[str, int], arrived: Sequence[str]) -> list[str]:
    """The first event of each run of arrivals seen before: one lost answer makes one run, in order."""
    seen: set[str] = set()
    runs: list[str] = []
    last: int | None = None
    for event_id in arrived:
        if event_id not in seen:
            last = None
        else:
            here = places.get(event_id, -1)
            if last is None or here <= last:
                runs.append(event_id)
            last = here
        seen.add(event_id)
    return runs


def _ledger(one: Reached, first: Sequence[str]) -> Iterator[str]:
    row = one.ledger
    settled = row.delivered + row.filtered + row.dead + row.expired
    if row.head - row.origin + row.rewound != settled + row.head - row.cursor:
        yield f"the ledger does not add up: {row}"
    if row.dead != len(one.dead):
        yield f"the ledger counts {row.dead} dead, there are {len(one.dead)} dead letters"
    took = sum(1 for event_id in first if event_id not in set(one.dead))
    waits = row.cursor < row.head
    if row.delivered > took or (row.delivered < took and not waits):
        yield f"the ledger counts {row.delivered} delivered, the vendor took {took}"


def _answers(history: History) -> Iterator[str]:
    """An event has one place for good, a place one event; what was sent after an answer comes behind it."""
    place_of: dict[str, tuple[str, int]] = {}
    event_at: dict[tuple[str, int], str] = {}
    first_try: dict[str, list[tuple[int, int]]] = {}
    for ack in history.acks:
        place = (ack.stream, ack.seq)
        if place_of.setdefault(ack.event_id, place) != place:
            yield f"{ack.event_id} was acknowledged at two places"
        if event_at.setdefault(place, ack.event_id) != ack.event_id:
            yield f"{ack.event_id} and {event_at[place]} were acknowledged at the same place"
        first_try.setdefault(ack.stream, []).append((ack.at, ack.seq))
    for stream, answered in first_try.items():
        yield from _behind(history, place_of, stream, answered)


def _behind(
    history: History,
    place_of: Mapping[str, tuple[str, int]],
    stream: str,
    answered: Sequence[tuple[int, int]],
) -> Iterator[str]:
    tried = sorted(
        (history.sent[event_id].at, seq) for event_id, (where, seq) in place_of.items() if where == stream
    )
    marks = sorted(answered)
    at, highest = 0, 0
    for try_at, seq in tried:
        while at < len(marks) and marks[at][0] <= try_at:
            highest = max(highest, marks[at][1])
            at += 1
        if seq < highest:
            yield f"seq {seq} of stream {stream} was sent after seq {highest} was acknowledged"
            return


def _unexpected(history: History) -> Iterator[str]:
    for status in sorted(set(history.unexpected)):
        yield f"a host app was answered {status}, {history.unexpected.count(status)} times"
