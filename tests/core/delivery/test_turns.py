"""Turns: what waits is sent in order, and the ledger knows it."""

from tests.forwarding import Yard


def test_events_arrive_in_order_once_and_the_destination_rests(yard: Yard) -> None:
    destination_id = yard.destination()
    yard.accept("a", "b")
    yard.accept("c")
    assert yard.drain() == 1
    assert yard.inbox.ids == ["a", "b", "c"]
    row = yard.row(destination_id)
    assert (row.cursor_seq, row.delivered, row.due_at, row.lease_token) == (3, 3, None, None)
    yard.assert_ledgers_are_exact()
