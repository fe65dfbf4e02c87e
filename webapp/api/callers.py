"""Callers: who asks, told by the API key in the Authorization header and by nothing else."""

from typing import Any, NamedTuple, cast
from uuid import UUID

from flask import current_app, request

from webapp.api.problems import FORBIDDEN, UNAUTHORIZED
from webapp.api.refusals import Refusal
from webapp.core import api_keys, users
from webapp.core.api_keys import Scope
from webapp.core.audit import Actor
from webapp.core.runtime import Runtime
from webapp.errors import Fault, Forbidden, Invalid, NotFound

_REALM = 'Bearer realm="hitchpost"'


class Caller(NamedTuple):
    """A host app with a good API key."""

    runtime: Runtime
    actor: Actor
    #: the one user the key is bound to; None: the whole instance
    only_user: UUID | None


def runtime() -> Runtime:
    """The Runtime that this application was made with."""
    return cast("Runtime", current_app.extensions["hitchpost"])


def authorize(scope: Scope) -> Caller:
    """Who asks. Raises Refusal: 401 without a good key, 403 when the key lacks `scope` (RFC 6750 §3)."""
    return admit(runtime(), request.headers.get("Authorization", ""), scope)


def admit(parts: Runtime, authorization: str, scope: Scope) -> Caller:
    """As `authorize`, by the value of an Authorization header; empty: there was none."""
    kind, _, presented = authorization.partition(" ")
    presented = presented.strip()
    if kind.lower() != "bearer" or not presented or not presented.isprintable():
        detail = "Send an API key as `Authorization: Bearer hp_…`."
        raise Refusal(UNAUTHORIZED, detail, headers={"WWW-Authenticate": _REALM})
    try:
        key = api_keys.admit(parts, presented, scope)
    except NotFound:
        challenge = {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'}
        raise Refusal(
            UNAUTHORIZED, "This API key is unknown, revoked or expired.", headers=challenge
        ) from None
    except Forbidden:
        challenge = {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope.value}"'}
        raise Refusal(FORBIDDEN, f"This API key lacks the scope {scope.value}.", headers=challenge) from None
    return Caller(parts, key.actor, key.user_id)


def require_user(session: Any, caller: Caller, name: str | None) -> UUID:
    """The user that is named, or that the caller's key is bound to. Raises Invalid."""
    if name is None and caller.only_user is not None:
        return caller.only_user
    user = None if name is None else users.find_by_name(session, name)
    if user is None or caller.only_user not in {None, user.id}:
        raise Invalid([Fault("user", "names no user that this API key may act for")])
    return user.id
