"""Operations: what the interface can do, each declared once and so served and documented alike.

A view is a plain function: `view(caller, *path parts, query=…, body=…) -> answer`. Its annotations say what
is read from the query and the body and what is answered; the OpenAPI document is written from the same.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from flask import Response, request
from pydantic import BaseModel

from webapp.api.callers import authorize
from webapp.api.inputs import read_json, read_query
from webapp.api.limits import take_turn
from webapp.api.problems import (
    BAD_REQUEST,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)
from webapp.core.api_keys import Scope

#: In the WSGI environment of a request: with what it failed already, in the quick lane.
FAILED = "hitchpost.failed"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method at one address."""

    method: str
    #: as Flask writes it, below /api/v1
    path: str
    tag: str
    scope: Scope
    view: Callable[..., Any]
    #: of the answer when all is well
    status: int
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    #: None where the view writes its answer itself, as `gives` describes it
    answer: type[BaseModel] | None
    problems: tuple[Problem, ...] = ()
    #: asked for again and again, and cheap: more of it are let in
    quick: bool = False
    #: the OpenAPI `content` of the request, where the view reads its body itself
    takes: Mapping[str, Any] = field(default_factory=dict)
    #: the OpenAPI `content` of such an answer
    gives: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refusals(self) -> tuple[Problem, ...]:
        """Every way it can be refused: those it names, and those that come with its shape."""
        usual = [UNAUTHORIZED, FORBIDDEN]
        if not self.takes:
            usual.append(TOO_MANY_REQUESTS)
        if "<" in self.path:
            usual.append(NOT_FOUND)
        if self.body:
            usual += [BAD_REQUEST, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE]
        if self.body or self.query:
            usual.append(INVALID)
        return (*usual, *self.problems)

    @property
    def name(self) -> str:
        """The operation's id, and its endpoint's name."""
        return self.view.__name__

    @property
    def about(self) -> tuple[str, str]:
        """The first sentence of the view's docstring, and the rest."""
        first, _, rest = inspect.cleandoc(self.view.__doc__ or "").partition("\n")
        return first.strip(), rest.strip()


class Resource:
    """The operations on one noun."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def get(
        self,
        path: str,
        *,
        scope: Scope,
        gives: Mapping[str, Any] | None = None,
        problems: tuple[Problem, ...] = (),
        quick: bool = False,
    ) -> Callable[[View], View]:
        """Declare a read; `gives` describes the answer of a view that writes it itself."""
        return self._declare(
            "GET", path, scope=scope, status=200, gives=gives or {}, problems=problems, quick=quick
        )

    def post(
        self,
        path: str,
        *,
        scope: Scope,
        status: int = 200,
        takes: Mapping[str, Any] | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> Callable[[View], View]:
        """Declare a change; `takes` describes the body of a view that reads it itself."""
        return self._declare("POST", path, scope=scope, status=status, takes=takes or {}, problems=problems)

    def delete(
        self, path: str, *, scope: Scope, problems: tuple[Problem, ...] = ()
    ) -> Callable[[View], View]:
        """Declare an end."""
        return self._declare("DELETE", path, scope=scope, status=200, problems=problems)

    def _declare(self, method: str, path: str, **declared: Any) -> Callable[[View], View]:
        def keep(view: View) -> View:
            hints = get_type_hints(view)
            models = {part: hints[part] for part in ("query", "body") if part in hints}
            answer = None if declared.get("gives") else hints["return"]
            self.operations.append(
                Operation(
                    method=method, path=path, tag=self.tag, view=view, answer=answer, **models, **declared
                )
            )
            return view

        return keep


def serve(operation: Operation) -> Callable[..., Response]:
    """The Flask view of `operation`: who asks, what they ask, and the answer as JSON."""

    def handle(**arguments: Any) -> Response:
        if (failed := request.environ.get(FAILED)) is not None:
            raise failed
        caller = authorize(operation.scope)
        if not operation.takes:  # events are bounded by what the database takes, not by a number
            take_turn(caller.actor.name, quick=operation.quick)
        if operation.query is not None:
            arguments["query"] = read_query(operation.query)
        if operation.body is not None:
            arguments["body"] = read_json(operation.body)
        answer = operation.view(caller, **arguments)
        if operation.gives:
            return Response(answer, operation.status, content_type=next(iter(operation.gives)))
        return Response(answer.model_dump_json(), operation.status, content_type="application/json")

    return handle
