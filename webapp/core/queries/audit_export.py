"""The audit as a file: all lines that were asked for, oldest first, as JSON lines or as CSV."""

import csv
import io
import json
from collections.abc import Iterator

from webapp.core.queries.audit import AuditFilter, narrowed
from webapp.lib.database import Database
from webapp.models import AuditLine

_BATCH_LINES = 1000
#: A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")

Row = dict[str, str | int | None]


def export_json(database: Database, which: AuditFilter) -> Iterator[str]:
    """One JSON object a line, exactly as it is kept."""
    for row in _rows(database, which):
        yield json.dumps(row) + "\n"


def export_csv(database: Database, which: AuditFilter) -> Iterator[str]:
    """A header and one line each, for spreadsheets: what would be a formula there gets a ' in front."""
    yield _csv_line(list(_COLUMNS))
    for row in _rows(database, which):
        yield _csv_line([_plain(row[name]) for name in _COLUMNS])


_COLUMNS = ("id", "at", "actor", "act", "object", "connection_id", "detail", "chain_no", "mac")


def _rows(database: Database, which: AuditFilter) -> Iterator[Row]:
    """Page by page, each in a short transaction of its own: a slow reader holds nothing up."""
    query = narrowed(which).order_by(AuditLine.id).limit(_BATCH_LINES)
    last = 0
    while True:
        with database.read() as session:
            lines = session.scalars(query.where(AuditLine.id > last)).all()
        if not lines:
            return
        yield from map(_row, lines)
        last = lines[-1].id


def _row(line: AuditLine) -> Row:
    return {
        "id": line.id,
        "at": line.at.isoformat(),
        "actor": line.actor,
        "act": line.act,
        "object": line.object,
        "connection_id": str(line.connection_id) if line.connection_id else None,
        "detail": line.detail,
        "chain_no": line.chain_no,
        "mac": line.mac.hex() if line.mac else None,
    }


def _plain(value: str | int | None) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in _FORMULA else text


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
