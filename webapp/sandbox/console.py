"""The sandbox's own console on its first port: where everything is, and what can be switched on."""

from flask import Flask, render_template

from webapp.sandbox import control, control_accounts
from webapp.sandbox.calls import CALLS
from webapp.sandbox.faults import ENDPOINTS, KINDS
from webapp.sandbox.pages import new_app
from webapp.sandbox.world import World

LATEST = 30


def new_console(world: World) -> Flask:
    """Return the app of port P: the console page and the control API."""
    app = new_app("console", world.desk)
    control.add_routes(app, world)

    @app.get("/")
    def _home() -> str:
        return render_template(
            "sandbox/console.html",
            accounts=control_accounts.accounts(world),
            calls=CALLS,
            endpoints=ENDPOINTS,
            kinds=KINDS,
            faults=world.desk.faults.listed(),
            settings=vars(world.desk.settings),
            requests=world.desk.recorder.calls()[: -LATEST - 1 : -1],
        )

    return app
