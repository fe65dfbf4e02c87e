"""The accounts part of the control API: environments that come and go, grants that are revoked."""

from flask import Flask, Response, jsonify

from webapp.sandbox.asked import check_known, texts
from webapp.sandbox.baselime.accounts import DEVELOPERS, Environment
from webapp.sandbox.last9.tokens import ORGANIZATION, SCOPES
from webapp.sandbox.world import World

Answer = tuple[Response, int]


def add_routes(app: Flask, world: World) -> None:
    """Add everything that changes an account."""
    _add_environments(app, world)
    _add_revocations(app, world)


def _add_environments(app: Flask, world: World) -> None:
    baselime = world.baselime
    path = "/api/accounts/baselime/environments"

    @app.post(path)
    def _add() -> Answer:
        asked = texts("workspaceId", "environmentId", developer="ada")
        check_known(asked["developer"], DEVELOPERS)
        added = baselime.accounts.add(asked["workspaceId"], asked["environmentId"], asked["developer"])
        return jsonify(added.as_listed()), 201

    @app.delete(path)
    def _remove() -> Answer:
        asked = texts("workspaceId", "environmentId")
        baselime.accounts.remove(asked["workspaceId"], asked["environmentId"])
        return jsonify(environments=_environments(baselime.accounts.all())), 200

    @app.post(f"{path}/rotate-key")
    def _rotate() -> Answer:
        asked = texts("workspaceId", "environmentId")
        changed = baselime.accounts.rotate_key(asked["workspaceId"], asked["environmentId"])
        return jsonify(changed.as_listed()), 200


def _add_revocations(app: Flask, world: World) -> None:
    @app.post("/api/accounts/baselime/revoke")
    def _revoke_grants() -> Answer:
        developer = texts(developer="ada")["developer"]
        check_known(developer, DEVELOPERS)
        world.baselime.grants.revoke(developer)
        return jsonify(revoked=developer), 200

    @app.post("/api/accounts/last9/revoke")
    def _revoke_refresh_token() -> Answer:
        scope = texts("scope")["scope"]
        check_known(scope, SCOPES)
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
