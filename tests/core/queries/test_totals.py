"""Totals: what became of events at all destinations of a kind, those that were closed among them."""

from tests.forwarding import ACTOR, Yard, postgres_yard_url, sqlite_yard_url, yard
from webapp.core import connections
from webapp.core.queries.totals import read_totals

__all__ = ["postgres_yard_url", "sqlite_yard_url", "yard"]


def test_nothing_waits_at_a_closed_destination_and_what_it_took_still_counts(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a")
    yard.drain()
    connections.disconnect(yard.runtime, ACTOR, yard.connection(destination_id).id)
    yard.accept("b", "c")
    with yard.runtime.database.read() as session:
        totals = read_totals(session)
    ledger = totals.by_kind["baselime.events"]
    assert (totals.accepted, ledger.delivered, ledger.waiting) == (3, 1, 0)
