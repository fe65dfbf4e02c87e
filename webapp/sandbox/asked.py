"""Reading what the control API is asked."""

from collections.abc import Collection

from flask import request

from webapp.sandbox.bodies import UnreadableError, loads


class BadRequestError(ValueError):
    """A request to the control API that says too little or the wrong thing."""


def json_object() -> dict[str, object]:
    try:
        asked = loads(request.get_data())
    except UnreadableError as error:
        raise BadRequestError("the body is not valid JSON") from error
    if request.mimetype != "application/json" or not isinstance(asked, dict):
        raise BadRequestError("the body must be a JSON object, with Content-Type: application/json")
    return asked


def texts(*needed: str, **defaults: str) -> dict[str, str]:
    asked = defaults | json_object()
    for name in (*needed, *defaults):
        if not isinstance(asked.get(name), str) or not asked[name]:
            raise BadRequestError(f"{name} is needed, as a text")
    return {name: str(asked[name]) for name in (*needed, *defaults)}


def check_known(name: str, known: Collection[str]) -> None:
    if name not in known:
        raise BadRequestError(f"unknown {name!r}; known are {', '.join(known)}")
