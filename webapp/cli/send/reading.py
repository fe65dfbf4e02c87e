"""What `hitchpost send` is given: a key from the environment, data from options, events from stdin."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from webapp.errors import Invalid
from webapp.lib import strict_json

_KEY = "HITCHPOST_API_KEY"
#: Of a file or of stdin.
MAX_BYTES = 100_000_000


def api_key() -> str:
    """The API key. Raises UsageError when the environment has none that a header can carry."""
    key, path = os.environ.get(_KEY), os.environ.get(f"{_KEY}_FILE")
    if not key and path:
        try:
            key = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{_KEY}_FILE cannot be read: {type(error).__name__}.") from None
    key = (key or "").strip()
    if not key:
        raise click.UsageError(f"Set {_KEY}, or {_KEY}_FILE, to an API key with the scope events:write.")
    if not (key.isascii() and key.isprintable()):
        raise click.UsageError(f"{_KEY} holds something that no API key holds.")
    return key


def data_of(given: Sequence[str]) -> dict[str, Any]:
    """The options `--data` as one object, the later before the earlier."""
    data: dict[str, Any] = {}
    for text in given:
        data |= _part(text)
    return data


def events_of(stream: BinaryIO) -> Sequence[dict[str, Any]]:
    """The events of a JSON document or of one document a line. Raises UsageError."""
    body = _read(stream, "stdin")
    if not body.strip():
        raise click.UsageError("stdin holds no event: give --type, or events as JSON.")
    values = _lines(body) if _is_ndjson(body) else [_parse(body, "stdin")]
    events = [event for value in values for event in (value if isinstance(value, list) else [value])]
    if not events:
        raise click.UsageError("stdin holds no event: its array is empty.")
    if not all(isinstance(event, dict) for event in events):
        raise click.UsageError("stdin holds something else than events: each is a JSON object.")
    return events


def _part(text: str) -> dict[str, Any]:
    if text == "-":
        return _object(_read(sys.stdin.buffer, "stdin"), "--data -")
    if text.startswith("@"):
        try:
            with Path(text[1:]).open("rb") as file:
                return _object(_read(file, text[1:]), f"--data {text}")
        except OSError as error:
            raise click.UsageError(f"--data {text} cannot be read: {error.strerror}.") from None
    name, equals, value = text.partition("=")
    if not equals or not name.rstrip(":"):
        raise click.UsageError(f"--data {text!r} is none of KEY=TEXT, KEY:=JSON, @FILE and -.")
    if name.endswith(":"):
        return {name[:-1]: _parse(value.encode(), f"--data {name}=")}
    return {name: value}


def _is_ndjson(body: bytes) -> bool:
    """Whether the first line is a document of its own, and not the last one."""
    first, _, rest = body.strip().partition(b"\n")
    try:
        json.loads(first)
    except ValueError:
        return False
    return bool(rest)


def _lines(body: bytes) -> Iterator[Any]:
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            yield _parse(line, f"line {number} of stdin")


def _object(body: bytes, where: str) -> dict[str, Any]:
    value = _parse(body, where)
    if not isinstance(value, dict):
        raise click.UsageError(f"{where} is not a JSON object.")
    return value


def _parse(body: bytes, where: str) -> Any:
    try:
        return strict_json.loads(body, max_bytes=MAX_BYTES)
    except Invalid as error:
        raise click.UsageError(f"{where} {error.faults[0].what}.") from None


def _read(stream: BinaryIO, name: str) -> bytes:
    body = stream.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise click.UsageError(f"{name} holds more than {MAX_BYTES:,} bytes.")
    return body
