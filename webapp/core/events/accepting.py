"""Accepting events: check all, store all or none, and wake whoever forwards them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy.exc import SQLAlchemyError

from webapp.core.events import limits
from webapp.core.events.backlogs import Load
from webapp.core.events.cloudevents import read_cloudevent
from webapp.core.events.drafts import Draft
from webapp.core.events.forms import EventForm, read_items
from webapp.core.events.group_commit import GroupCommit
from webapp.core.events.native import read_native
from webapp.core.events.owners import find_streams, forget_streams
from webapp.core.events.storing import MOST_EVENTS, Batch, Stored, Storing, public_id
from webapp.core.runtime import Bell, Runtime
from webapp.errors import BacklogFull, Fault, NotFound, Overloaded
from webapp.lib import clock
from webapp.lib.database import Database, is_unavailable

_BUSY = "The database cannot take events at this moment; nothing was stored. Send the same request again."
#: A database's group, as long as the database lives.
_groups: WeakKeyDictionary[Database, GroupCommit[Batch, Stored]] = WeakKeyDictionary()


class Accepted(NamedTuple):
    """What an accepted request came to; `ids` in the order of its events, known ones under their first id."""

    accepted: int
    duplicates: int
    ids: tuple[str, ...]
    #: how full the backlog is, if it nears its cap: 1.0 is all of it
    crowded: float = 0.0


def accept(runtime: Runtime, payload: bytes, *, form: EventForm, only_user: UUID | None) -> Accepted:
    """Store the events of a request, all or none; once this returns they are committed.

    `only_user` is the user that the sender's API key is bound to. An event with the user, source, id and
    content of a known one is a duplicate. Raises Invalid (a Fault for every bad item), IdentityConflict
    when a known identity comes with other content, BacklogFull or EventsTooFast at a limit of the user,
    Overloaded when the database is busy or full.
    """
    drafts, faults = _read(payload, form, clock.now())
    return accept_drafts(runtime, drafts, only_user=only_user, faults=faults)


def accept_drafts(
    runtime: Runtime, drafts: Sequence[Draft], *, only_user: UUID | None, faults: Sequence[Fault] = ()
) -> Accepted:
    """As `accept`, from where every form is the same; `faults` are those of items that made no draft."""
    try:
        stored = _submit(runtime, drafts, only_user, faults)
    except BacklogFull as error:
        limits.of(runtime).note_full(error)
        raise
    except SQLAlchemyError as error:
        if is_unavailable(error):
            raise Overloaded(_BUSY) from None
        raise
    if stored.woken:
        runtime.wake(Bell.DELIVERY)
    ids = tuple(public_id(stream, seq) for stream, seq in stored.places)
    return Accepted(
        accepted=len(ids) - stored.duplicates,
        duplicates=stored.duplicates,
        ids=ids,
        crowded=stored.crowded,
    )


def _submit(
    runtime: Runtime, drafts: Sequence[Draft], only_user: UUID | None, faults: Sequence[Fault]
) -> Stored:
    streams = find_streams(runtime, drafts, only_user, faults)
    limits.of(runtime).check(streams)
    try:
        return _group(runtime).submit(Batch(drafts, streams))
    except NotFound:  # a user was removed meanwhile: now it will be said whose
        forget_streams(runtime.database)
        return _group(runtime).submit(Batch(drafts, find_streams(runtime, drafts, only_user, faults)))


def _read(payload: bytes, form: EventForm, now: datetime) -> tuple[Sequence[Draft], Sequence[Fault]]:
    """What of a request can be stored as far as the request itself tells, and the faults of the rest."""
    read = read_native if form is EventForm.NATIVE else read_cloudevent
    items, faults = read_items(payload, form)
    drafts: list[Draft] = []
    faults = list(faults)
    for item in items:
        made = read(item, now)
        if isinstance(made, Draft):
            drafts.append(made)
        else:
            faults += made
    return drafts, faults


def _group(runtime: Runtime) -> GroupCommit[Batch, Stored]:
    found = _groups.get(runtime.database)
    if found is not None:
        return found
    most = Load(runtime.settings.backlog_events, runtime.settings.backlog_bytes)
    made: GroupCommit[Batch, Stored] = GroupCommit(
        Storing(runtime.database, most), weigh=lambda batch: len(batch.drafts), most=MOST_EVENTS
    )
    return _groups.setdefault(runtime.database, made)
