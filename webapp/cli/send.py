"""`hitchpost send`: an event from the shell, through the same door as any host app's."""

import json
import sys
from typing import Any
from uuid import uuid4

import click

from webapp.cli import home as homes
from webapp.errors import Fault, Invalid
from webapp.lib import clock
from webapp.lib.http import Http, Request
from webapp.lib.times import rfc3339

_ACCEPTED = 202


@click.command()
@click.argument("user")
@click.argument("type")
@click.argument("data", default="{}")
@click.option(
    "--key", envvar="HITCHPOST_API_KEY", required=True, help="An API key with the scope events:write."
)
@click.option("--url", help="The instance to send to; HITCHPOST_PUBLIC_URL if not given.")
@click.option("--source", default="shell", show_default=True)
@click.option("--id", "event_id", help="Its identity within the source; made new if not given.")
@click.option("--subject")
@click.option("--state", type=click.Choice(["start", "stop"]))
def send(user: str, type: str, data: str, key: str, url: str | None, **more: str | None) -> None:
    """Send an event.

    It is of TYPE, with DATA as a JSON object, for USER: an id, or the host app's own id.
    Prints the answer. Status 0 when it was accepted, which means stored for good.
    """
    event = {"user": user, "type": type, "time": rfc3339(clock.now()), "data": _data(data)}
    event |= {"id": more.pop("event_id", None) or str(uuid4())}
    event |= {name: value for name, value in more.items() if value is not None}
    request = Request(
        method="POST",
        url=f"{(url or homes.settings().public_url).rstrip('/')}/api/v1/events",
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
        body=json.dumps(event).encode(),
    )
    http = Http(allow_private=True)
    try:
        answer = http.send(request)
    finally:
        http.close()
    click.echo(answer.body.decode(errors="replace").strip())
    sys.exit(0 if answer.status == _ACCEPTED else 1)


def _data(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Invalid([Fault("DATA", f"is not JSON: {error.msg} at character {error.pos}")]) from None
