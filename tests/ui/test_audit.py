"""The audit as admins read it: narrowed by act, thing and day, and taken along as a file."""

import csv
import io
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.ui.world import World
from webapp.core.audit import HITCHPOST, Act, record
from webapp.core.queries import audit_export
from webapp.models import AuditLine

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


@pytest.fixture
def alice(world: World) -> FlaskClient:
    return world.client("alice")


@pytest.fixture
def days(world: World) -> None:
    """A line a day, at its very end, about what hangs from bob's connection."""
    with world.runtime.database.write() as session:
        for day in DAYS:
            at = datetime.fromisoformat(f"{day}T23:59:59.5").replace(tzinfo=UTC)
            connection_id = UUID(world.things["connection_id"])
            line = {"actor": "hitchpost", "act": "destination.held", "object": "destination:1"}
            session.add(AuditLine(at=at, connection_id=connection_id, detail=f"=held on {day}", **line))


def read_json(answer: TestResponse) -> list[dict[str, object]]:
    assert answer.content_type == "application/jsonl; charset=utf-8"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_the_audit_names_who_did_what_and_can_be_narrowed(world: World) -> None:
    client = world.client("alice")
    world.post(client, f"/admin/people/{world.users['dan']}/disable")
    page = client.get("/admin/audit", query_string={"act": "user.changed"}).text
    assert "alice@example.org" in page
    assert "dan@example.org" in page
    assert "disabled" in page
    assert "api_key.made</a>" not in page
    assert "No such lines" in client.get("/admin/audit?thing=user:nobody").text


@pytest.mark.usefixtures("days")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("since=2026-01-02&until=2026-01-02", DAYS[1:2]),
        ("until=2026-01-02", DAYS[:2]),
        ("since=2026-01-03&until=9999-12-31&act=destination.held", DAYS[2:]),
        ("thing=connection:<connection_id>&act=destination.held", DAYS),
        ("thing=connection:nonsense", ()),
        ("since=never&act=destination.held", DAYS),
    ],
)
def test_page_and_file_hold_the_lines_that_were_asked_for(
    world: World, alice: FlaskClient, asked: str, found: tuple[str, ...]
) -> None:
    asked = world.address(asked)
    page = alice.get(f"/admin/audit?{asked}").text
    assert [day for day in DAYS if f"held on {day}" in page] == list(found)
    lines = read_json(alice.get(f"/admin/audit/export?form=jsonl&{asked}"))
    assert [line["detail"] for line in lines] == [f"=held on {day}" for day in found]


@pytest.mark.usefixtures("days")
def test_the_links_to_the_files_keep_the_filter(alice: FlaskClient) -> None:
    page = alice.get("/admin/audit?since=2026-01-02&until=2026-01-02").text
    assert "/admin/audit/export?form=csv&amp;since=2026-01-02&amp;until=2026-01-02" in page


@pytest.mark.usefixtures("days")
def test_a_spreadsheet_gets_no_formula(alice: FlaskClient) -> None:
    answer = alice.get("/admin/audit/export?form=csv&act=destination.held")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["detail"] for row in rows] == [f"'=held on {day}" for day in DAYS]


def test_a_file_of_many_pages_has_every_line_once(
    world: World, alice: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "_BATCH_LINES", 7)
    with world.runtime.database.write() as session:
        for number in range(50):
            record(session, HITCHPOST, Act.REFRESHED, f"connection:{number}")
    lines = read_json(alice.get("/admin/audit/export?act=connection.refreshed"))
    assert [line["object"] for line in lines] == [f"connection:{number}" for number in range(50)]


def test_there_is_no_other_form(alice: FlaskClient) -> None:
    assert alice.get("/admin/audit/export?form=xml").status_code == 404
