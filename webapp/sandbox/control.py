"""The control API on the console's port: accounts, what arrived, faults, settings."""

from collections.abc import Collection

from flask import Flask, Response, jsonify, request

from webapp.sandbox.baselime.accounts import DEVELOPERS, Environment, UnknownEnvironmentError
from webapp.sandbox.bodies import UnreadableError, loads
from webapp.sandbox.desk import UnusableSettingError
from webapp.sandbox.faults import ENDPOINTS, UnknownFaultError, parse
from webapp.sandbox.last9.tokens import ORGANIZATION, SCOPES
from webapp.sandbox.world import World

Answer = tuple[Response, int]


class BadRequestError(ValueError):
    """A request to the control API that says too little or the wrong thing."""


def add_routes(app: Flask, world: World) -> None:
    """Add everything under `/api/`."""
    _add_records(app, world)
    _add_switches(app, world)
    _add_environments(app, world)
    _add_revocations(app, world)
    for kind in (BadRequestError, UnknownFaultError, UnusableSettingError, UnknownEnvironmentError):
        app.register_error_handler(kind, _refused)


def _add_records(app: Flask, world: World) -> None:
    recorder = world.desk.recorder

    @app.get("/api/accounts")
    def _accounts() -> Answer:
        return jsonify(accounts(world)), 200

    @app.get("/api/received")
    def _received() -> Answer:
        found = recorder.received(_vendor(), after=_after())
        return jsonify(received=[vars(one) for one in found]), 200

    @app.get("/api/calls")
    def _calls() -> Answer:
        return jsonify(calls=[vars(one) for one in recorder.calls(_vendor(), after=_after())]), 200

    @app.get("/api/counts")
    def _counts() -> Answer:
        return jsonify(recorder.counts()), 200


def _add_switches(app: Flask, world: World) -> None:
    desk = world.desk

    @app.get("/api/faults")
    def _faults() -> Answer:
        return jsonify(faults=desk.faults.listed()), 200

    @app.post("/api/faults")
    def _add_fault() -> Answer:
        desk.faults.add(parse(_object()))
        return jsonify(faults=desk.faults.listed()), 201

    @app.delete("/api/faults")
    def _clear_faults() -> Answer:
        desk.faults.clear()
        return jsonify(faults=[]), 200

    @app.get("/api/settings")
    def _settings() -> Answer:
        return jsonify(vars(desk.settings)), 200

    @app.post("/api/settings")
    def _change_settings() -> Answer:
        desk.settings.change(_object())
        return jsonify(vars(desk.settings)), 200

    @app.post("/api/reset")
    def _reset() -> Answer:
        world.reset()
        return jsonify(reset=True), 200


def _add_environments(app: Flask, world: World) -> None:
    baselime = world.baselime
    path = "/api/accounts/baselime/environments"

    @app.post(path)
    def _add() -> Answer:
        asked = _texts("workspaceId", "environmentId", developer="ada")
        _known(asked["developer"], DEVELOPERS)
        added = baselime.accounts.add(asked["workspaceId"], asked["environmentId"], asked["developer"])
        return jsonify(added.as_listed()), 201

    @app.delete(path)
    def _remove() -> Answer:
        asked = _texts("workspaceId", "environmentId")
        baselime.accounts.remove(asked["workspaceId"], asked["environmentId"])
        return jsonify(environments=_environments(baselime.accounts.all())), 200

    @app.post(f"{path}/rotate-key")
    def _rotate() -> Answer:
        asked = _texts("workspaceId", "environmentId")
        changed = baselime.accounts.rotate_key(asked["workspaceId"], asked["environmentId"])
        return jsonify(changed.as_listed()), 200


def _add_revocations(app: Flask, world: World) -> None:
    @app.post("/api/accounts/baselime/revoke")
    def _revoke_grants() -> Answer:
        developer = _texts(developer="ada")["developer"]
        _known(developer, DEVELOPERS)
        world.baselime.grants.revoke(developer)
        return jsonify(revoked=developer), 200

    @app.post("/api/accounts/last9/revoke")
    def _revoke_refresh_token() -> Answer:
        scope = _texts("scope")["scope"]
        _known(scope, SCOPES)
        world.last9.tokens.revoke(scope)
        return jsonify(revoked=scope), 200


def accounts(world: World) -> dict[str, object]:
    """Return every account with what one needs to connect to it."""
    client, environments = world.baselime.client, world.baselime.accounts.all()
    return {
        "baselime": {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "environments": _environments(environments),
            "developers": {
                name: [one.account for one in environments if name in one.developers] for name in DEVELOPERS
            },
        },
        "last9": {"organization": ORGANIZATION, "tokens": world.last9.tokens.refresh_tokens()},
        "librato": world.librato.account(),
    }


def _environments(environments: list[Environment]) -> list[dict[str, str]]:
    return [one.as_listed() for one in environments]


def _object() -> dict[str, object]:
    try:
        asked = loads(request.get_data())
    except UnreadableError as error:
        raise BadRequestError("the body is not valid JSON") from error
    if request.mimetype != "application/json" or not isinstance(asked, dict):
        raise BadRequestError("the body must be a JSON object, with Content-Type: application/json")
    return asked


def _texts(*needed: str, **defaults: str) -> dict[str, str]:
    asked = defaults | _object()
    for name in (*needed, *defaults):
        if not isinstance(asked.get(name), str) or not asked[name]:
            raise BadRequestError(f"{name} is needed, as a text")
    return {name: str(asked[name]) for name in (*needed, *defaults)}


def _known(name: str, known: Collection[str]) -> None:
    if name not in known:
        raise BadRequestError(f"unknown {name!r}; known are {', '.join(known)}")


def _vendor() -> str | None:
    vendor = request.args.get("vendor")
    if vendor is not None and vendor not in ENDPOINTS:
        raise BadRequestError(f"unknown vendor {vendor!r}; known are {', '.join(ENDPOINTS)}")
    return vendor


def _after() -> int:
    after = request.args.get("after", "0")
    if not after.isdecimal():
        raise BadRequestError("after is the number of the last item seen")
    return int(after)


def _refused(error: Exception) -> Answer:
    return jsonify(error=str(error)), 400
