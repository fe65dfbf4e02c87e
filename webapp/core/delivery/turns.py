"""A turn: one destination, under its lease, for a second or five batches; then others have theirs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from webapp.core import environments
from webapp.core.delivery import hosts, telling, witnesses
from webapp.core.delivery.aiming import NoAim, take_aim
from webapp.core.delivery.holding import TURN_BATCHES, Holder
from webapp.core.delivery.policy import Step, Verdict, has_failed_too_long, judge
from webapp.core.delivery.replaying import replay
from webapp.core.delivery.sending import Answer
from webapp.core.events.drafts import MAX_EVENT_BYTES
from webapp.core.runtime import Runtime
from webapp.core.streams.attempts import expiry
from webapp.core.streams.filters import both
from webapp.core.streams.leases import Lease
from webapp.core.streams.pages import MOST_ROWS, Gap, Page, read_page
from webapp.core.streams.settling import Next, Settlement, settle
from webapp.core.streams.shaping import shape_of, shape_page
from webapp.errors import Fenced
from webapp.lib import logs
from webapp.lib.backoff import full_jitter
from webapp.lib.database import db_time
from webapp.models import AttemptOutcome, CredentialKind, Hold
from webapp.providers.receiving import DestinationKind, OutgoingEvent

log = logs.get(__name__)

#: How many events in a row may be refused before a destination is found guilty and not they.
_PROBES = 4
#: Longer than a refresh and a fresh list of keys take.
_KEY_SECONDS = 60.0
_GAP_SECONDS = 900.0
#: read at once: of a vendor of single events, and where what is read may not all be sent
_FEW_ROWS, _SOME_ROWS = 50, 500


def take_turn(runtime: Runtime, lease: Lease) -> int:
    """Serve a destination that was leased, and give the lease back; how many requests were made."""
    holder = None
    try:
        holder = Holder(runtime, lease, take_aim(runtime, lease))
        Turn(holder).run()
    except NoAim as error:
        _give_up(runtime, lease, error)
    except Fenced:
        log.info("fenced", destination_id=str(lease.destination_id))
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 - one destination must not end the turns of all others
        place = logs.where_of(error)
        log.error(
            "a turn failed in our own code",
            destination_id=str(lease.destination_id),
            error=type(error).__name__,
            at=place,
        )
        with suppress(Fenced):
            words = f"our own code failed here ({type(error).__name__})"
            _give_up(runtime, holder.lease if holder else lease, NoAim(words, for_good=False))
    return holder.requests if holder else 0


class Turn:
    """What is decided in a turn; its Holder does it."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        lease = holder.lease
        self._shape = shape_of(lease.settings, lease.exempt_seq, most_bytes=MAX_EVENT_BYTES)
        self._asked_for_key = False

    def run(self) -> None:
        """Replay what is queued, then read the stream on until the turn is over or nothing waits."""
        if hosts.is_forsaken(self._holder.runtime, self._holder.lease):
            self._holder.give_up(self._holder.lease.reason or "its host does not answer")
            return
        if self._holder.lease.queued:
            replay(self._holder, self._shape, self._find_key)
            self._holder.begin()
        while self._holder.kept:
            page = self._read()
            if page is not None:
                self._walk(page)

    def _read(self) -> Page | None:
        lease, kind = self._holder.lease, self._holder.aim.kind
        try:
            with self._holder.runtime.database.read() as session:
                page = read_page(
                    session,
                    lease.stream_id,
                    lease.cursor_seq,
                    rows=self._rows(kind),
                    wants=both(kind.carries, self._shape.wants),
                    freshness=self._shape.freshness,
                    most_bytes=kind.batch_bytes,
                )
        except Gap as error:
            words = str(error)
            log.error("gap", destination_id=str(lease.destination_id), reason=words)
            changes = {"reason": words, "failures": lease.failures + 1}
            self._holder.settle(
                Next.WAIT, changes, wait=_GAP_SECONDS, also=lambda session: telling.gap(session, lease, words)
            )
            return None
        return shape_page(page, self._shape)

    def _rows(self, kind: DestinationKind) -> int:
        """How many rows to read: those that cost no body are read on for long, to be passed over at once."""
        # A kind of one signal passes over most of a stream; any other over what comes by OTLP.
        if self._shape.wants is not None or kind.otlp_signal:
            return MOST_ROWS
        whole = self._shape.is_plain and self._shape.freshness is None
        if not whole:
            return max(kind.batch_events, _SOME_ROWS)
        # Whoever was through with the first of a turn takes the rest of it, too.
        return max(kind.batch_events, _FEW_ROWS * (TURN_BATCHES - 1) if self._holder.requests else _FEW_ROWS)

    def _walk(self, page: Page) -> None:
        holder, at = self._holder, 0
        if page.late:
            self._pass_to(page, page.reach(0))
        while holder.kept and at < len(page.wanted):
            if holder.is_over:
                holder.settle(Next.YIELD)
                return
            end = None if holder.lease.batch_limit is None else at + holder.lease.batch_limit
            events = page.sendable(at, end)
            if events:
                at += self._act(page, at, holder.send(events))
            elif at in page.faults:
                self._pass_to(
                    page, page.reach(at + 1), events=page.stored[at : at + 1], dead={0: page.faults[at]}
                )
                at += 1
            else:  # too late since it was read: the next reading passes over it
                holder.settle(Next.GO_ON)
                return
        if holder.kept:
            self._pass_to(page, page.last_seq)
            if page.last_seq >= page.head_seq:
                holder.settle(Next.REST)
            else:
                holder.settle(Next.YIELD if holder.is_over else Next.GO_ON)

    def _act(self, page: Page, at: int, answer: Answer) -> int:
        """Do what an answer to the events from `at` on calls for; how many of them are done with."""
        holder, kind = self._holder, self._holder.aim.kind
        if not answer.asked:
            self._pass_to(page, page.reach(at + len(answer.events)))
            return len(answer.events)
        verdict = judge(
            answer,
            witnessed=holder.witnessed,
            failures=holder.lease.failures,
            batch_limit=holder.lease.batch_limit,
            batch_events=kind.batch_events,
        )
        holder.tally.note(answer.run(verdict.outcome))
        self._pass(page, at, verdict)
        match verdict.step:
            case Step.GO_ON:
                self._go_on(page, at, verdict)
            case Step.SPLIT:
                holder.settle(Next.GO_ON, {"batch_limit": verdict.batch_limit})
            case Step.FIND_KEY:
                self._find_key(answer)
            case Step.SUSPECT:
                return self._suspect(page, at, answer)
            case Step.WAIT if (since := self._alone_since(answer)) is not None:
                return self._part(page, at, answer, since)
            case Step.WAIT:
                refused = verdict.outcome is AttemptOutcome.REJECTED
                holder.wait(answer, verdict.batch_limit, suspect=refused)
        return verdict.settled

    def _pass(self, page: Page, at: int, verdict: Verdict) -> None:
        done = at + verdict.settled
        if done > at:
            witness = witnesses.beside(verdict, self._holder) if verdict.dead else ""
            self._pass_to(
                page, page.reach(done), events=page.stored[at:done], dead=verdict.dead, witness=witness
            )

    def _pass_to(
        self,
        page: Page,
        to_seq: int,
        *,
        events: Sequence[OutgoingEvent] = (),
        dead: Mapping[int, str] | None = None,
        witness: str = witnesses.OURSELVES,
    ) -> None:
        """Move on in the page; what came too late on the way is an Attempt of its own."""
        tally = self._holder.tally
        late = [seq for seq in page.late if tally.to_seq < seq <= to_seq]
        if late:
            limit = self._holder.lease.settings["fresh_for"]
            tally.note(expiry(late, f"not sent: accepted more than {limit} before"))
        tally.pass_to(to_seq, events=events, dead=dead, witness=witness, expired=len(late))

    def _go_on(self, page: Page, at: int, verdict: Verdict) -> None:
        """Settle at once, but for a vendor of single events that took one, and for the end of a page."""
        holder = self._holder
        changed = verdict.batch_limit != holder.lease.batch_limit
        single = holder.aim.kind.batch_events == 1 and not verdict.dead and not holder.tally.is_full
        if changed or (not single and at + verdict.settled < len(page.wanted)):
            holder.settle(Next.GO_ON, {"batch_limit": verdict.batch_limit} if changed else {})

    def _find_key(self, answer: Answer) -> None:
        """Once a turn: if another key is here, go on with it, else stand still."""
        holder = self._holder
        holder.settle(Next.GO_ON)
        if not holder.kept:
            return
        if not self._asked_for_key:
            self._asked_for_key = True
            holder.renew(_KEY_SECONDS)
            if self._other_key():
                holder.renew()
                holder.aim = take_aim(holder.runtime, holder.lease)
                return
        holder.stop(Hold.KEY_REFUSED, answer.reading.words)

    def _other_key(self) -> bool:
        """Whether something else than what was refused is here to send with."""
        aim, runtime = self._holder.aim, self._holder.runtime
        if aim.kind.credential_kind == CredentialKind.INGEST_KEY:
            return environments.after_key_refused(runtime, aim.environment_id, aim.generation)
        return environments.after_access_refused(runtime, aim.credential_id, aim.generation)

    def _suspect(self, page: Page, at: int, answer: Answer) -> int:
        """A lone event is refused, and nothing shows that this destination takes any: try the ones behind it.

        The first that is taken is the witness: those before it are dead letters. (Their order is kept: none
        of them arrived.) If none is taken, the destination is at fault, and all of them stay.
        """
        holder, reasons = self._holder, {0: answer.reading.words}
        for ahead in range(1, _PROBES + 1):
            probed = page.sendable(at + ahead, at + ahead + 1)
            probe = holder.send(probed) if probed else None
            if probe is None or not probe.asked:
                break
            verdict = judge(probe, witnessed=False, failures=0, batch_limit=None, batch_events=1)
            holder.tally.note(probe.run(verdict.outcome))
            if verdict.taken:
                tried = page.stored[at : at + ahead + 1]
                witness = witnesses.behind(tried[-1])
                self._pass_to(page, page.reach(at + ahead + 1), events=tried, dead=reasons, witness=witness)
                holder.settle(Next.GO_ON, {"batch_limit": None})
                return len(tried)
            if verdict.step is Step.WAIT:  # a wish to wait, or silence, is this answer's
                holder.wait(probe, holder.lease.batch_limit, suspect=True)
                return 0
            if verdict.step is not Step.SUSPECT:
                break
            reasons[ahead] = probe.reading.words
        holder.wait(answer, holder.lease.batch_limit, suspect=True)
        return 0

    def _alone_since(self, answer: Answer) -> datetime | None:
        """Since when one event alone fails, if so often that it, and not the vendor, may be at fault."""
        holder = self._holder
        if len(answer.events) > 1 or not answer.may_blame_events:
            return None
        with holder.runtime.database.read() as session:
            return witnesses.failed_alone_since(session, holder.lease, answer)

    def _part(self, page: Page, at: int, answer: Answer, since: datetime) -> int:
        """Park an event that the vendor fails over, if meanwhile others get through, or those behind it."""
        holder = self._holder
        with holder.runtime.database.read() as session:
            if not witnesses.others_succeed(session, holder.lease, since):
                return self._suspect(page, at, answer)
        parked, dead = page.stored[at : at + 1], {0: answer.reading.words}
        self._pass_to(page, page.reach(at + 1), events=parked, dead=dead, witness=witnesses.elsewhere(since))
        holder.settle(Next.GO_ON, {"batch_limit": None})
        return 1


def _give_up(runtime: Runtime, lease: Lease, error: NoAim) -> None:
    """Nothing can be sent: stand still when only a person can mend it, else try again later."""
    failures, words = lease.failures + 1, str(error)
    hold = Hold.KEY_REFUSED if error.for_good else None
    if hold is None and has_failed_too_long(lease.failing_since, lease.taken_at):
        hold, words = Hold.FAILING, f"Nothing was taken for 72 hours: {words}"
    made = Settlement(
        to_seq=lease.cursor_seq,
        next=Next.STOP if hold else Next.WAIT,
        hold=hold,
        wait=full_jitter(failures, base=_KEY_SECONDS, cap=_GAP_SECONDS),
        changes={"reason": words, "failures": failures, "failing_since": lease.failing_since or db_time()},
    )
    with runtime.database.write() as session:
        settle(session, lease, made)
        if hold:
            telling.held(session, lease, hold, words, ours=hold is Hold.FAILING)
        else:
            telling.troubled(session, lease, words, of_vendor=False)
