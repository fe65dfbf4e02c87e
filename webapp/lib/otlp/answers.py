"""Answers to an export: success, partial success, and refusals as google.rpc.Status (OTLP specification)."""

from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from webapp.lib.otlp.signals import Message, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """A success with a remark: so many records were rejected, perhaps none."""

    rejected: int
    message: str


def write_answer(signal: Signal, partial: Partial | None, *, as_json: bool) -> bytes:
    """The answer that all was taken, or, with `partial`, how much was not and why."""
    answer = signal.response()
    if partial is not None:
        setattr(answer.partial_success, signal.rejected, partial.rejected)
        answer.partial_success.error_message = partial.message
    return _write(answer, as_json=as_json)


def write_status(code: int, message: str, *, as_json: bool) -> bytes:
    """A refusal; `code` is one of google.rpc.Code."""
    return _write(Status(code=code, message=message), as_json=as_json)


def read_answer(signal: Signal, body: bytes, *, as_json: bool) -> Partial | None:
    """What a 2xx answer says beyond success; None when it says nothing, or nothing that can be read."""
    answer = signal.response()
    try:
        if as_json:
            json_format.Parse(body, answer, ignore_unknown_fields=True)
        else:
            answer.ParseFromString(body)
    except (DecodeError, json_format.ParseError, ValueError, RecursionError):
        return None
    rejected, message = getattr(answer.partial_success, signal.rejected), answer.partial_success.error_message
    return Partial(rejected=max(0, rejected), message=message) if rejected or message else None


def _write(message: Message, *, as_json: bool) -> bytes:
    if as_json:
        return str(json_format.MessageToJson(message, indent=None)).encode()
    return bytes(message.SerializeToString())
