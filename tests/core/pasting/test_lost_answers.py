"""An annotation whose answer was lost is looked for before it is sent again, so that it has no twin."""

from uuid import UUID

import pytest
from sqlalchemy import update

from tests.vendors import Vendors, accept, attempts, connect, destination, drain, forward
from webapp.core import destinations
from webapp.core.audit import HITCHPOST
from webapp.core.runtime import Runtime
from webapp.core.streams.leases import lease_next
from webapp.lib.database import db_time
from webapp.models import Destination, UserSession

pytestmark = pytest.mark.parametrize("tables_url", ["sqlite"], indirect=True)

FOUND = "was there already, though the answer was lost: not sent again"


@pytest.fixture
def annotations(runtime: Runtime, ada: UserSession, vendors: Vendors) -> UUID:
    """A destination of annotations at Librato."""
    connection = connect(runtime, ada, "librato", vendors.pasted("librato"))
    return forward(runtime, connection.id, "librato.annotations", title="{type} {subject}")


def subjects(vendors: Vendors) -> list[str]:
    return [event["title"].rpartition(" ")[2] for event in vendors.taken("librato")]


def send(runtime: Runtime, *names: str) -> None:
    for name in names:
        accept(runtime, name, subject=name)


def test_what_arrived_is_found_and_not_sent_again(
    runtime: Runtime, vendors: Vendors, annotations: UUID
) -> None:
    vendors.fault("librato", "annotations", "drop_after", times=1)
    send(runtime, "a", "b")
    drain(runtime)
    assert destination(runtime, annotations).unsure
    drain(runtime, hastened=1)
    assert subjects(vendors) == ["a", "b"]
    row = destination(runtime, annotations)
    assert (row.delivered, row.unsure, row.due_at) == (2, False, None)
    assert [(outcome, words) for outcome, _, words in attempts(runtime, annotations)][1:] == [
        ("delivered", FOUND),
        ("delivered", None),
    ]


def test_what_did_not_arrive_is_sent(runtime: Runtime, vendors: Vendors, annotations: UUID) -> None:
    vendors.fault("librato", "annotations", "drop", times=1)
    send(runtime, "a", "b")
    drain(runtime, hastened=1)
    assert subjects(vendors) == ["a", "b"]


def test_while_nobody_can_look_nothing_is_sent(runtime: Runtime, vendors: Vendors, annotations: UUID) -> None:
    vendors.fault("librato", "annotations", "drop_after", times=1)
    send(runtime, "a")
    drain(runtime)
    vendors.fault("librato", "annotations", "status", status=503)
    drain(runtime, hastened=2)
    row = destination(runtime, annotations)
    assert (row.unsure, row.cursor_seq) == (True, 0)
    vendors.mend()
    drain(runtime, hastened=1)
    assert subjects(vendors) == ["a"]


def test_a_vendor_that_refuses_the_question_gets_the_event_again(
    runtime: Runtime, vendors: Vendors, annotations: UUID
) -> None:
    vendors.fault("librato", "annotations", "drop_after", times=1)
    send(runtime, "a")
    drain(runtime)
    vendors.fault("librato", "annotations", "status", status=405, times=1)
    drain(runtime, hastened=1)
    assert subjects(vendors) == ["a", "a"]


def test_a_process_that_died_between_requests_and_settling_leaves_no_twins(
    runtime: Runtime, vendors: Vendors, annotations: UUID
) -> None:
    send(runtime, "a", "b", "c")
    drain(runtime)
    # As a crash before the settle leaves it: taken by the vendor, and not known here.
    with runtime.database.write() as session:
        session.execute(
            update(Destination).values(cursor_seq=0, delivered=0, due_at=db_time(), witness=None),
            execution_options={"synchronize_session": False},
        )
        assert lease_next(session, "gone") is not None
    with runtime.database.write() as session:
        session.execute(
            update(Destination).values(due_at=db_time()), execution_options={"synchronize_session": False}
        )
    send(runtime, "d")
    drain(runtime)
    assert subjects(vendors) == ["a", "b", "c", "d"]
    row = destination(runtime, annotations)
    assert (row.cursor_seq, row.delivered, row.unsure) == (4, 4, False)


def test_what_is_rewound_is_sent_again_on_purpose(
    runtime: Runtime, vendors: Vendors, annotations: UUID
) -> None:
    send(runtime, "a")
    drain(runtime)
    vendors.fault("librato", "annotations", "drop", times=1)
    send(runtime, "b")
    drain(runtime)
    with runtime.database.write() as session:
        destinations.rewind(session, HITCHPOST, annotations, to_seq=1)
    drain(runtime)
    assert subjects(vendors) == ["a", "a", "b"]
