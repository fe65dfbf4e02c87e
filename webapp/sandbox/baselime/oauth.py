"""The OAuth API of `api.baselime.io`, in Baselime's own dialect (Baselime docs, API Integration).

Chosen: the docs are silent on every error of these two endpoints. The body is {"message": …}, as at the
Events API; the status is 400 for a bad grant and 401 for a bad client or access token.
"""

from flask import Flask, Response, jsonify, request

from webapp.sandbox.baselime.accounts import Accounts, Client
from webapp.sandbox.baselime.grants import Grants, RefusedError
from webapp.sandbox.bodies import UnreadableError, loads
from webapp.sandbox.desk import Desk

GRANTS = {"authorization_code": "code", "refresh_token": "refreshToken"}
"""Each `grantType` with the one field that only it has."""

# The docs write both: the first in their prose, the second in their curl lines.
JSON_TYPES = ("applications/json", "application/json")


def add_routes(app: Flask, desk: Desk, client: Client, accounts: Accounts, grants: Grants) -> None:
    """Add `POST /oauth/token` and `GET /oauth/environments`."""

    @app.post("/oauth/token", endpoint="token")
    def _token() -> tuple[Response, int]:
        asked = _fields()
        if isinstance(asked, str):
            return _refused(asked, 400)
        if (asked["clientId"], asked["clientSecret"]) != (client.client_id, client.client_secret):
            return _refused("Unknown client, or wrong client secret", 401)
        if asked["redirect"] != desk.settings.redirect_url:
            return _refused("redirect is not the registered redirect URL", 400)
        try:
            return _granted(asked, grants)
        except RefusedError as refusal:
            return _refused(str(refusal), 400)

    @app.get("/oauth/environments", endpoint="environments")
    def _environments() -> tuple[Response, int]:
        scheme, _, access_token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            return _refused("Unauthorised", 401)
        try:
            developer = grants.developer(access_token)
        except RefusedError as refusal:
            return _refused(str(refusal), 401)
        return jsonify([one.as_listed() for one in accounts.of(developer)]), 200


def grant_type(endpoint: str, body: bytes) -> str | None:
    """Return which grant a token request asks for, to count exchanges and refreshes apart."""
    if endpoint != "token":
        return None
    try:
        asked = loads(body)
    except UnreadableError:
        return None
    wanted = asked.get("grantType") if isinstance(asked, dict) else None
    return wanted if wanted in GRANTS else None


def _granted(asked: dict[str, str], grants: Grants) -> tuple[Response, int]:
    if asked["grantType"] == "authorization_code":
        return jsonify(grants.exchange(asked["code"])), 200
    return jsonify(grants.refresh(asked["refreshToken"])), 200


def _fields() -> dict[str, str] | str:
    """Return the documented fields, all texts, or what is wrong with the body."""
    if request.mimetype not in JSON_TYPES:
        return "Content-Type must be application/json"
    try:
        asked = loads(request.get_data())
    except UnreadableError:
        return "The body is not valid JSON"
    if not isinstance(asked, dict) or not all(isinstance(value, str) for value in asked.values()):
        return "The body must be an object of strings"
    if asked.get("grantType") not in GRANTS:
        return "grantType must be authorization_code or refresh_token"
    needed = {"grantType", "clientId", "clientSecret", "redirect", GRANTS[asked["grantType"]]}
    # Chosen: the docs are silent on fields they do not name; refusing them makes a wrong dialect show.
    if wrong := sorted(needed ^ set(asked)):
        return f"Missing or unknown: {', '.join(wrong)}"
    return asked


def _refused(words: str, status: int) -> tuple[Response, int]:
    return jsonify(message=words), status
