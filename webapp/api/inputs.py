"""Inputs: query parameters and JSON bodies held to their models; faults name places, never values."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError
from werkzeug.datastructures import MultiDict

from webapp.api.bodies import read_body
from webapp.api.problems import UNSUPPORTED_MEDIA_TYPE
from webapp.api.refusals import Refusal
from webapp.errors import Fault, Invalid
from webapp.lib import strict_json
from webapp.lib.times import in_utc

#: Of a body that is not events.
_MAX_BYTES = 65_536
_NAME_CHARACTERS = 100

Model = TypeVar("Model", bound=BaseModel)


def _in_utc(moment: datetime) -> datetime:
    try:
        return in_utc(moment)
    except ValueError:
        raise PydanticCustomError("datetime_parsing", "is no time") from None


#: A time with its zone, read as the same in UTC.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Input(BaseModel):
    """What a request may hold: every member is declared, a member that is not is a fault."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def read_query(model: type[Model]) -> Model:
    """The query parameters as `model`. Raises Invalid."""
    return as_query(model, request.args)


def as_query(model: type[Model], arguments: MultiDict[str, str]) -> Model:
    """Parameters as `model`. Raises Invalid."""
    values: dict[str, str] = {}
    faults: list[Fault] = []
    for name, given in arguments.lists():
        if len(given) > 1:
            faults.append(Fault(_name(name), "is given more than once"))
        elif "\0" in given[0]:
            faults.append(Fault(_name(name), "holds NUL"))
        values[name] = given[0]
    if faults:
        raise Invalid(faults)
    try:
        return model.model_validate_strings(values)
    except ValidationError as error:
        raise Invalid([_fault(item, "") for item in _items(error)]) from None


def read_json(model: type[Model]) -> Model:
    """The JSON body as `model`; an empty body reads as `{}`. Raises Invalid, or Refusal with 413 or 415."""
    payload = read_body(_MAX_BYTES) or b"{}"
    if request.mimetype not in {"application/json", ""} or (payload != b"{}" and not request.mimetype):
        detail = "Send the body as application/json."
        raise Refusal(UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Post": "application/json"})
    strict_json.loads(payload, max_bytes=_MAX_BYTES)
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise Invalid([_fault(item, "/") for item in _items(error)]) from None


def _items(error: ValidationError) -> Sequence[Mapping[str, Any]]:
    return error.errors(include_input=False, include_url=False, include_context=False)


def _fault(item: Mapping[str, Any], separator: str) -> Fault:
    """One of pydantic's findings. Its words for text that cannot be read quote some of it; ours stand in."""
    where = "/".join(_name(str(part)) for part in item["loc"])
    kind, words = str(item["type"]), str(item["msg"])
    what = f"is not a valid {kind.removesuffix('_parsing')}" if kind.endswith("_parsing") else words
    return Fault(separator + where if where else "", what)


def _name(part: str) -> str:
    return part[:_NAME_CHARACTERS].replace("~", "~0").replace("/", "~1")
