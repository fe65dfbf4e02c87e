"""From a request's bytes to its items: strict JSON, one event or many, and every bad item by its place."""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from webapp.errors import Fault, Invalid
from webapp.lib import strict_json

MAX_BODY_BYTES = 6_000_000
MAX_EVENTS = 1_000


class EventForm(StrEnum):
    """How the events of a request are written."""

    #: one event or an array of events, as our own documents describe them
    NATIVE = "native"
    #: CloudEvents 1.0, structured mode
    CLOUDEVENT = "cloudevent"
    #: CloudEvents 1.0, batched mode
    CLOUDEVENTS_BATCH = "cloudevents_batch"


class Item(NamedTuple):
    """One event as the client wrote it, and its place: a JSON Pointer (RFC 6901)."""

    where: str
    value: Any
    #: whether its JSON is plain (lib.plain_json)
    plain: bool = False


def read_items(payload: bytes, form: EventForm) -> tuple[Sequence[Item], Sequence[Fault]]:
    """The items of a request, unchecked but for their JSON, and a fault for each whose JSON is bad.

    Raises Invalid when they cannot be told apart, or are none, or too many.
    """
    try:
        value, plain = strict_json.loads_marked(payload, max_bytes=MAX_BODY_BYTES)
    except Invalid as error:
        items, faults = _one_by_one(payload)
        if not faults:
            raise error from None
        return items, faults
    if form is EventForm.CLOUDEVENT and not isinstance(value, dict):
        raise Invalid([Fault("", "is not a JSON object: structured mode carries one event")])
    if form is EventForm.CLOUDEVENTS_BATCH and not isinstance(value, list):
        raise Invalid([Fault("", "is not a JSON array: batched mode carries an array of events")])
    if not isinstance(value, list):
        return [Item("", value, plain)], ()
    if not value:
        raise Invalid([Fault("", "is an empty array: send at least one event")])
    if len(value) > MAX_EVENTS:
        raise Invalid([Fault("", f"holds {len(value):,} events, the limit of a request is {MAX_EVENTS:,}")])
    return [Item(f"/{at}", item, plain) for at, item in enumerate(value)], ()


def _one_by_one(payload: bytes) -> tuple[list[Item], list[Fault]]:
    """The items of a readable array, where one or another holds NaN, NUL, repeated keys or the like."""
    if len(payload) > MAX_BODY_BYTES:
        return [], []
    items: list[Item] = []
    faults: list[Fault] = []
    try:
        for at, text in enumerate(_array_texts(payload.decode())):
            try:
                items.append(Item(f"/{at}", strict_json.loads(text.encode(), max_bytes=MAX_BODY_BYTES)))
            except Invalid as error:
                faults += [Fault(f"/{at}", fault.what) for fault in error.faults]
    except (ValueError, RecursionError):
        return [], []
    return items[:MAX_EVENTS], faults[:MAX_EVENTS]


def _array_texts(text: str) -> list[str]:
    """The items of a JSON array as they are written; ValueError where it is no array that can be read."""
    decoder, at, texts = json.JSONDecoder(parse_int=float), _skip(text, 0), []
    if text[at : at + 1] != "[":
        raise ValueError
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        _, end = decoder.raw_decode(text, at)
        texts.append(text[at:end])
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    return texts


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in {" ", "\t", "\r", "\n"}:
        at += 1
    return at
