"""How `hitchpost send` gets its events through: again while that can help, and its status when it ends."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from webapp.errors import VendorUnavailable
from webapp.lib import retry_after
from webapp.lib.backoff import full_jitter
from webapp.lib.http import Http, Request, Response

#: of a request
_MOST_EVENTS, _MOST_BYTES = 1_000, 5_500_000
STORED, REFUSED, OUT_OF_REACH = 0, 1, 3
_ACCEPTED = 202
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_BASE_SECONDS, _CAP_SECONDS = 1.0, 15.0
_WORDS_CHARACTERS = 500


def deliver(url: str, key: str, events: Sequence[dict[str, Any]], *, seconds: float) -> int:
    """Send them in their order, trying again for up to `seconds` in all; the status to end with."""
    # The instance is one of our own, wherever it is.
    http = Http(allow_private=True)
    end = time.monotonic() + seconds
    try:
        for body in _bodies(events):
            status = _deliver_one(http, _request(url, key, body), end)
            if status != STORED:
                return status
    finally:
        http.close()
    return STORED


def _deliver_one(http: Http, request: Request, end: float) -> int:
    failures = 0
    while True:
        wait: float | None = None
        try:
            answer = http.send(request)
        except VendorUnavailable as error:
            said, wait = str(error), error.retry_after
        else:
            if answer.status not in _AGAIN:
                return _told(answer)
            said, wait = _words(answer), retry_after.read(answer.headers.get("retry-after"))
        failures += 1
        wait = max(wait or 0.0, full_jitter(failures, base=_BASE_SECONDS, cap=_CAP_SECONDS))
        if time.monotonic() + wait > end:
            click.echo(f"Not sent: {said}.", err=True)
            return OUT_OF_REACH
        click.echo(f"{said}; again in {wait:.1f} s", err=True)
        pause(wait)


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def _bodies(events: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """What the requests hold: one event, or an array of as many as fit."""
    batch: list[bytes] = []
    size = 0
    for event in events:
        item = json.dumps(event, ensure_ascii=False).encode()
        if batch and (len(batch) == _MOST_EVENTS or size + len(item) > _MOST_BYTES):
            yield _joined(batch)
            batch, size = [], 0
        batch.append(item)
        size += len(item) + 1
    yield _joined(batch)


def _joined(batch: Sequence[bytes]) -> bytes:
    return batch[0] if len(batch) == 1 else b"[" + b",".join(batch) + b"]"


def _request(url: str, key: str, body: bytes) -> Request:
    return Request(
        method="POST",
        url=f"{url.rstrip('/')}/api/v1/events",
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
        body=body,
    )


def _told(answer: Response) -> int:
    """Say what the answer says; the status it means."""
    if answer.status == _ACCEPTED:
        click.echo(answer.body.decode(errors="replace").strip())
        return STORED
    click.echo(f"Refused: {_words(answer)}", err=True)
    if 300 <= answer.status < 400:
        click.echo("It leads elsewhere: give the final address as --url or HITCHPOST_URL.", err=True)
    return REFUSED


def _words(answer: Response) -> str:
    """The status and, of a problem (RFC 9457), what it says and each fault's place."""
    try:
        problem = json.loads(answer.body)
        lines = [f"{answer.status} {problem['title']}: {problem['detail']}"]
        lines += [
            f"  {fault['pointer'] or 'the body'} {fault['detail']}" for fault in problem.get("errors", ())
        ]
    except (ValueError, KeyError, TypeError):
        return f"{answer.status} {answer.body[:_WORDS_CHARACTERS].decode(errors='replace').strip()}".strip()
    return "\n".join(lines)
