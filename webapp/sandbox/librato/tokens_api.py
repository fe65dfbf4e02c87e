"""`/v1/api_tokens`: list, make, change and delete API tokens (api-docs, API Tokens)."""

import re
from collections.abc import Sequence

from flask import Flask, Response, jsonify, request

from webapp.sandbox.librato.forms import fields
from webapp.sandbox.librato.paging import page
from webapp.sandbox.librato.permissions import ROLES
from webapp.sandbox.librato.refusals import not_found, wrong_params
from webapp.sandbox.librato.tokens import ApiToken, ApiTokens, stamp

Answer = tuple[Response, int]


def add_routes(app: Flask, tokens: ApiTokens) -> None:
    """Add the list, and what can be done to one token."""

    @app.get("/v1/api_tokens", endpoint="api_tokens.list")
    def _list() -> Answer:
        pattern = request.args.get("name")
        return jsonify(_page(tokens, _matching(tokens, pattern) if pattern else tokens.all())), 200

    @app.post("/v1/api_tokens", endpoint="api_tokens.create")
    def _create() -> tuple[Response, int, dict[str, str]]:
        asked = fields()
        # Chosen: the docs are silent on a missing role; refusing it makes a wrong form show.
        if not isinstance(asked.get("name"), str) or not asked["name"]:
            raise wrong_params(name="is not present")
        if asked.get("role") not in ROLES:
            raise wrong_params(role=f"must be one of {', '.join(ROLES)}")
        added = tokens.add(str(asked["name"]), str(asked["role"]))
        return jsonify(added.as_body()), 201, {"Location": f"/v1/api_tokens/{added.id}"}

    @app.get("/v1/api_tokens/<id>", endpoint="api_tokens.get")
    def _get(id: str) -> Answer:
        # The docs head this path once as :id and once as :name, which takes wildcards.
        if not id.isdecimal():
            return jsonify(_page(tokens, _matching(tokens, id))), 200
        return jsonify(_one(tokens, id).as_body()), 200

    @app.put("/v1/api_tokens/<id>", endpoint="api_tokens.update")
    def _update(id: str) -> Answer:
        changed = _one(tokens, id)
        _change(changed, fields())
        return jsonify(changed.as_body()), 200

    @app.delete("/v1/api_tokens/<id>", endpoint="api_tokens.delete")
    def _delete(id: str) -> Answer:
        tokens.remove(_one(tokens, id).id)
        return Response(), 204


def _change(token: ApiToken, asked: dict[str, object]) -> None:
    """Take name, active and role; a value for the token itself is ignored, as documented."""
    active = {"true": True, "false": False}.get(str(asked.get("active", token.active)).lower())
    role, name = asked.get("role", token.role), asked.get("name", token.name)
    if active is None:
        raise wrong_params(active="must be true or false")
    if role not in ROLES:
        raise wrong_params(role=f"must be one of {', '.join(ROLES)}")
    token.name, token.role, token.active = None if name is None else str(name), str(role), active
    token.updated = stamp()


def _one(tokens: ApiTokens, id: str) -> ApiToken:
    found = tokens.by_id(int(id)) if id.isdecimal() else None
    if found is None:
        raise not_found()
    return found


def _matching(tokens: ApiTokens, pattern: str) -> list[ApiToken]:
    """Find by name, exactly but for `*`, as since February 2018 (api-docs, e121167)."""
    words = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)
    return [one for one in tokens.all() if one.name is not None and words.fullmatch(one.name)]


def _page(tokens: ApiTokens, matching: Sequence[ApiToken]) -> dict[str, object]:
    orders = {"name": lambda one: one.name or "", "created_at": lambda one: one.created}
    return page("api_tokens", len(tokens.all()), matching, ApiToken.as_body, orders)
