"""The control API on the console's port: accounts, what arrived, faults, settings."""

from flask import Flask, Response, jsonify, request

from webapp.sandbox import control_accounts
from webapp.sandbox.asked import BadRequestError, json_object
from webapp.sandbox.baselime.accounts import UnknownEnvironmentError
from webapp.sandbox.desk import UnusableSettingError
from webapp.sandbox.faults import ENDPOINTS, UnknownFaultError, parse
from webapp.sandbox.world import World

Answer = tuple[Response, int]


def add_routes(app: Flask, world: World) -> None:
    """Add everything under `/api/`."""
    _add_records(app, world)
    _add_switches(app, world)
    control_accounts.add_routes(app, world)
    for kind in (BadRequestError, UnknownFaultError, UnusableSettingError, UnknownEnvironmentError):
        app.register_error_handler(kind, _refused)


def _add_records(app: Flask, world: World) -> None:
    recorder = world.desk.recorder

    @app.get("/api/accounts")
    def _accounts() -> Answer:
        return jsonify(control_accounts.accounts(world)), 200

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
        desk.faults.add(parse(json_object()))
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
        desk.settings.change(json_object())
        return jsonify(vars(desk.settings)), 200

    @app.post("/api/reset")
    def _reset() -> Answer:
        world.reset()
        return jsonify(reset=True), 200


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
