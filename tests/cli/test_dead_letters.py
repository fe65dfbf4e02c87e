"""Dead letters at the command line: listed, taken along, and sent again one or all."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from tests import instances, seeding
from webapp.cli.dead_letters import dead_letters
from webapp.core.queries.ledgers import count_wrong
from webapp.core.runtime import Runtime
from webapp.lib import clock
from webapp.models import AuditLine, DeadLetter, DeadLetterState, Destination

Call = Callable[..., Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hitchpost.db'}"


@pytest.fixture
def runtime(url: str) -> Iterator[Runtime]:
    """An instance with two destinations: of the first two events died, of the second one."""
    with instances.running(url) as runtime:
        for name, count in (("u1", 2), ("u2", 1)):
            made = seeding.attach(runtime, name, f"w-{name}", "key")
            with runtime.database.write() as session:
                destination = session.get_one(Destination, made.destination_id)
                destination.dead = destination.rewound = count
                session.add_all(
                    DeadLetter(
                        destination_id=destination.id,
                        seq=seq,
                        type="deployment",
                        reason="too odd",
                        body=b'{"id":"deploy-%d","source":"app"}' % seq,
                    )
                    for seq in range(1, count + 1)
                )
        yield runtime


@pytest.fixture
def call(runtime: Runtime, url: str, monkeypatch: pytest.MonkeyPatch) -> Call:
    for name, value in instances.environment(url).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(dead_letters, [str(one) for one in arguments])


def letters(runtime: Runtime) -> list[DeadLetter]:
    """Oldest first."""
    with runtime.database.read() as session:
        query = select(DeadLetter).join(Destination).order_by(Destination.id, DeadLetter.seq)
        return [*session.scalars(query)]


def states(runtime: Runtime) -> list[str]:
    return [letter.state.value for letter in letters(runtime)]


def test_they_are_listed_a_line_each_and_counted(runtime: Runtime, call: Call) -> None:
    lines = call("list", "--user", "u1").output.splitlines()
    assert lines[-1] == "2 in all"
    assert {line.split("  ")[2] for line in lines[:-1]} == {str(one.id) for one in letters(runtime)[:2]}
    assert all("deployment no. " in line and line.endswith("too odd") for line in lines[:-1])
    assert call("list", "--limit", 1).output.splitlines()[-1] == "1 of 3, the newest first"


@pytest.mark.parametrize(
    ("choice", "count"),
    [
        (("--event", "deploy-2"), 1),
        (("--event", "deploy-1"), 2),
        (("--search", "ODD"), 3),
        (("--type", "other"), 0),
        (("--state", "replayed"), 0),
        (("--state", "any"), 3),
        (("--since", "2020-01-01"), 3),
        (("--until", "2020-01-01T12:00"), 0),
        (("--connection", uuid4()), 0),
    ],
)
def test_what_is_asked_for_is_listed_and_exported_alike(
    call: Call, choice: tuple[str, ...], count: int
) -> None:
    assert call("list", *choice).output.splitlines()[-1] == f"{count} in all"
    exported = [json.loads(line) for line in call("export", *choice).output.splitlines()]
    assert len(exported) == count
    assert all(line["body"]["source"] == "app" for line in exported)


def test_one_is_sent_again_once_and_the_audit_says_so(runtime: Runtime, call: Call) -> None:
    first, second, _ = (letter.id for letter in letters(runtime))
    done = call("replay", first)
    assert (done.exit_code, done.output) == (0, "1 dead letter is sent again.\n")
    assert states(runtime) == ["queued", "open", "open"]
    again = call("replay", first, second)
    assert (again.exit_code, again.output.splitlines()[0]) == (1, "1 dead letter is sent again.")
    assert "1 not: no longer open, or the destination has ended." in again.output
    with runtime.database.read() as session:
        lines = session.execute(
            select(AuditLine.actor, AuditLine.detail).where(AuditLine.act == "dead_letters.replayed")
        ).all()
        assert count_wrong(session) == 0
    assert lines == [("hitchpost", "1 dead letters sent again")] * 2


def test_all_of_a_destination_are_sent_again(runtime: Runtime, call: Call) -> None:
    done = call("replay", "--destination", letters(runtime)[0].destination_id)
    assert (done.exit_code, done.output) == (0, "2 dead letters are sent again.\n")
    assert states(runtime) == ["queued", "queued", "open"]


def test_of_a_destination_that_has_ended_nothing_is_sent_again(runtime: Runtime, call: Call) -> None:
    with runtime.database.write() as session:
        session.execute(update(Destination).values(closed_at=clock.now(), due_at=None))
    assert call("replay", letters(runtime)[0].id).exit_code == 1
    assert {*states(runtime)} == {DeadLetterState.OPEN.value}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay",), "Name dead letters by their ids, or give --destination."),
        (("replay", UUID(int=1), "--destination", UUID(int=2)), "or give --destination."),
        (("replay", "soon"), "is not a valid UUID"),
        (("replay", UUID(int=1)), "There is no dead letter 00000000-0000-0000-0000-000000000001;"),
        (("replay", "--destination", UUID(int=1)), "There is no such destination."),
        (("list", "--user", "nobody"), "Nobody here is called nobody"),
        (("list", "--limit", 201), "201 is not in the range 1<=x<=200"),
        (("list", "--since", "soon"), "does not match the formats"),
        (("list", "--event", "\udcff"), "has characters that cannot be printed."),
    ],
)
def test_what_cannot_be_done_is_said(
    runtime: Runtime, call: Call, arguments: tuple[str, ...], words: str
) -> None:
    done = call(*arguments)
    assert done.exit_code != 0
    assert words in done.output + str(done.exception)
    assert {*states(runtime)} == {"open"}
