"""Sending: errands leave one after another, with no transaction open meanwhile."""

from collections.abc import Callable, Mapping

from webapp.core import restores
from webapp.core.notices import endpoint, leases, letters, watch, webhooks
from webapp.core.notices.leases import Answer
from webapp.core.runtime import Runtime
from webapp.errors import NotMailed
from webapp.lib import logs
from webapp.models import Errand, Way

log = logs.get(__name__)


def sweep(runtime: Runtime, *, limit: int = 50) -> int:
    """Look at incidents, then send what is due; how many. Any number of sweeps may run at once."""
    if restores.is_held(runtime):
        return 0
    watch.look(runtime)
    with runtime.database.read() as session:
        if not leases.any_due(session):
            return 0
    closed = _closed_ways(runtime)
    done = 0
    while done < limit and (errand := leases.take_due(runtime, without=closed)) is not None:
        answer = carry(runtime, errand)
        if answer.status == webhooks.GONE and errand.way is Way.WEBHOOK:
            with runtime.database.write() as session:
                endpoint.shut(session, runtime.settings)
        leases.settle(runtime, errand, answer)
        if answer.way_is_blocked:
            # One deadline a sweep: a dead mail server is not to keep the webhooks waiting, nor the reverse.
            closed |= {errand.way}
        done += 1
    return done


def carry(runtime: Runtime, errand: Errand) -> Answer:
    """One try."""
    try:
        return _CARRIERS[errand.way](runtime, errand)
    except Exception as error:  # noqa: BLE001 - one errand must not keep all behind it from leaving
        log.error("an errand failed in our own code", error=type(error).__name__, at=logs.where_of(error))
        return Answer(words=f"our own code failed at it ({type(error).__name__})")


def ways_set_up(runtime: Runtime) -> frozenset[Way]:
    """The ways that this instance has."""
    there = {Way.MAIL: runtime.mailer is not None, Way.WEBHOOK: bool(runtime.settings.webhook_url)}
    return frozenset(way for way, is_there in there.items() if is_there)


def _closed_ways(runtime: Runtime) -> frozenset[Way]:
    missing = frozenset(Way) - ways_set_up(runtime)
    with runtime.database.write() as session:
        gone = endpoint.is_shut(session, runtime.settings)
        leases.set_aside(session, missing)
        leases.hold_back(session)
        if gone:
            leases.give_up_old(session, Way.WEBHOOK)
    return missing | ({Way.WEBHOOK} if gone else frozenset())


def _mail(runtime: Runtime, errand: Errand) -> Answer:
    letter = letters.write(runtime, errand)
    if letter is None or runtime.mailer is None:
        return Answer(final=True, words="there is nothing to tell them any more")
    try:
        return Answer(sent=True, status=250, words=runtime.mailer.send(letter))
    except NotMailed as error:
        words = f"{error}; it may have arrived" if error.unsure else str(error)
        return Answer(status=error.code, words=words, final=error.final, way_is_blocked=not error.final)


_CARRIERS: Mapping[Way, Callable[[Runtime, Errand], Answer]] = {Way.MAIL: _mail, Way.WEBHOOK: webhooks.send}
