"""Dead letters as a file: all that were asked for, oldest first, one JSON object a line (NDJSON)."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from webapp.core.queries.dead_letters import DeadLetterQuery, DeadLetterRow, read_dead_letters
from webapp.lib.database import Database
from webapp.lib.times import rfc3339

#: Bodies are up to 256,000 bytes each.
_BATCH_LETTERS = 50


def export_dead_letters(database: Database, query: DeadLetterQuery) -> Iterator[str]:
    """A line each; page by page, each in a short transaction of its own: a slow reader holds nothing up."""
    last = UUID(int=0)
    while True:
        with database.read() as session:
            letters = read_dead_letters(session, query, last, _BATCH_LETTERS)
        if not letters:
            return
        yield from (json.dumps(_line(letter), ensure_ascii=False) + "\n" for letter in letters)
        last = letters[-1].id


def _line(letter: DeadLetterRow) -> dict[str, Any]:
    return {
        "id": str(letter.id),
        "destination": str(letter.destination_id),
        "connection": str(letter.connection_id),
        "account": letter.account_key,
        "environment": letter.environment,
        "kind": letter.kind,
        "event": letter.event_id,
        "seq": letter.seq,
        "type": letter.type,
        "reason": letter.reason,
        "witness": letter.witness,
        "state": letter.state.value,
        "created_at": rfc3339(letter.created_at),
        "changed_at": rfc3339(letter.changed_at),
        "body": _body(letter.body or ""),
    }


def _body(text: str) -> Any:
    """What was to be sent, as JSON; as text what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
