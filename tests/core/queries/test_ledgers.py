"""Both identities of the ledger: whoever breaks one is counted once, and named with what does not add up."""

from typing import Any

import pytest

from tests.core.queries.conftest import Made, make, store
from webapp.core.queries.ledgers import Books, count_wrong, find_wrong, read_books
from webapp.lib.database import Database
from webapp.models import DeadLetter, DeadLetterState

STATES = [*DeadLetterState, DeadLetterState.OPEN]


def keep(database: Database, **wrong: Any) -> tuple[Made, Made]:
    """Two destinations; the second has a dead letter of each state and two open, and counters as told."""
    sound, other = make("ada", cursor=4), make("eve", head=9, cursor=8)
    counters = {"delivered": 1, "filtered": 1, "expired": 1, "dead": 6, "queued": 1, "rewound": 1, **wrong}
    for name, value in counters.items():
        setattr(other.destination, name, value)
    with database.write() as session:
        store(session, sound, other)
        session.add_all(
            DeadLetter(
                destination_id=other.destination.id, seq=seq, type="t", body=b"{}", reason="no", state=state
            )
            for seq, state in enumerate(STATES)
        )
    return sound, other


def test_ledgers_that_add_up_are_nobodys_fault(database: Database) -> None:
    sound, other = keep(database)
    with database.read() as session:
        assert (count_wrong(session), [*find_wrong(session)]) == (0, [])
        assert read_books(session, sound.destination.id) == Books(dead={}, exact=True)
        divided = {state: STATES.count(state) for state in DeadLetterState}
        assert read_books(session, other.destination.id) == Books(dead=divided, exact=True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"delivered": 2}, ["9 events were passed, 10 are settled"]),
        (
            {"dead": 7, "rewound": 2},
            ["7 died and 1 are to be replayed, there are 6 dead letters and 1 to be"],
        ),
        ({"queued": 2}, ["6 died and 2 are to be replayed, there are 6 dead letters and 1 to be"]),
        ({"dead": 5}, ["9 events were passed, 8 are settled", "5 died and 1 are to be replayed"]),
    ],
)
def test_either_identity_that_does_not_hold_is_found(
    database: Database, wrong: dict[str, int], words: list[str]
) -> None:
    sound, other = keep(database, **wrong)
    with database.read() as session:
        assert count_wrong(session) == 1
        faults = [*find_wrong(session)]
        assert read_books(session, sound.destination.id).exact
        assert not read_books(session, other.destination.id).exact
    assert {fault.destination_id for fault in faults} == {other.destination.id}
    assert len(faults) == len(words)
    assert all(part in fault.words for part, fault in zip(words, faults, strict=True))
