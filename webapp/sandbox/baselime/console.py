"""The console of `console.baselime.io`: integrations, their consent page, and each environment's inbox."""

from flask import Flask, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from webapp.sandbox.baselime.accounts import DEVELOPERS, Accounts, Client
from webapp.sandbox.baselime.grants import Grants
from webapp.sandbox.desk import Desk
from webapp.sandbox.recorder import Receipt

SHOWN = 200
"""Events on an inbox page: the newest ones."""


def add_routes(app: Flask, desk: Desk, client: Client, accounts: Accounts, grants: Grants) -> None:
    """Add the pages a developer sees at Baselime."""

    @app.get("/", endpoint="page_home")
    def _home() -> str:
        taken = {one.account: len(_events(desk, one.account)) for one in accounts.all()}
        return render_template(
            "sandbox/baselime.html", client=client, environments=accounts.all(), taken=taken
        )

    @app.get("/integrations/<client_id>", endpoint="page_consent")
    def _consent(client_id: str) -> str:
        if client_id != client.client_id:
            abort(404)
        return render_template(
            "sandbox/consent.html",
            developers={name: (words, accounts.of(name)) for name, words in DEVELOPERS.items()},
        )

    @app.post("/integrations/<client_id>", endpoint="page_authorize")
    def _authorize(client_id: str) -> Response:
        developer = request.form.get("developer", "")
        if client_id != client.client_id:
            abort(404)
        if developer not in DEVELOPERS:
            abort(400, f"Choose a developer: {', '.join(DEVELOPERS)}.")
        # Documented: `code` is all that is added to the one registered redirect URL.
        return redirect(f"{desk.settings.redirect_url}?code={grants.code(developer)}")

    @app.get("/inbox/<workspace_id>/<environment_id>", endpoint="page_inbox")
    def _inbox(workspace_id: str, environment_id: str) -> str:
        found = accounts.by_name(workspace_id, environment_id)
        if found is None:
            abort(404)
        events = _events(desk, found.account)
        return render_template(
            "sandbox/baselime_inbox.html",
            environment=found,
            total=len(events),
            receipts=events[::-1][:SHOWN],
        )


def _events(desk: Desk, account: str) -> list[Receipt]:
    both = ("baselime", "baselime_otel")
    return [one for one in desk.recorder.received(account=account) if one.vendor in both]
