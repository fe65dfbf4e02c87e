"""`hitchpost send`: events from a shell or a CI step, through the same door as any host app's.

It needs none of the server's settings: an address and an API key in the environment are enough.
"""

import sys
from collections.abc import Sequence
from uuid import uuid4

import click

from webapp.cli.send import delivering, reading


@click.command()
@click.option(
    "--type", "type", help="What happened, like deployment. Without it, events are read from stdin."
)
@click.option("--subject", help="What it happened to, like checkout-api.")
@click.option("--state", type=click.Choice(["start", "stop"]), help="A stop carries when its start was.")
@click.option(
    "--data",
    "data",
    multiple=True,
    metavar="KEY=TEXT|KEY:=JSON|@FILE|-",
    help="What more there is to say; may be given again, the later wins. @FILE and - (stdin) hold an object.",
)
@click.option("--source", help="Who says so; `app` if left out.")
@click.option("--id", "event_id", help="Its identity within the source: the same again is taken once.")
@click.option("--time", help="When it happened, RFC 3339; the moment of its arrival if left out.")
@click.option("--user", help="Whose event it is: an id here or your own; a key bound to one user needs none.")
@click.option(
    "--url",
    envvar="HITCHPOST_URL",
    default="http://127.0.0.1:8000",
    show_default=True,
    show_envvar=True,
    help="The instance to send to.",
)
@click.option(
    "--retry-for",
    type=click.FloatRange(0, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to try again when the instance is out of reach or overloaded.",
)
def send(url: str, retry_for: float, data: Sequence[str], event_id: str | None, **fields: str | None) -> None:
    """Send an event, or all that stdin holds.

    \b
      hitchpost send --user u_1 --type deployment --subject checkout-api --state start \\
        --id "$CI_JOB_ID" --data version=1.10 --data 'tags:=["a","b"]'
      hitchpost send --user u_1 < events.ndjson

    The API key comes from HITCHPOST_API_KEY, or from the file that HITCHPOST_API_KEY_FILE names, and never
    from an argument, which other processes could see. Without --type, stdin holds one event, an array of
    them, or one a line, in the native form; --user, --source and the like fill in what they leave open. An
    event without an id gets one, the same at every try, so that none is taken twice.

    Prints the answer. Its status tells a script what became of it:

    \b
      0  stored for good, now or before
      1  refused: it must be mended, and some requests of a long input may be stored already
      2  the command itself is wrong, or has no API key
      3  not reached, or overloaded, for all of --retry-for: the same again is safe with the same --id
    """  # noqa: D301 - click's mark for lines that stay as they are
    fields["id"] = event_id
    key = reading.api_key()
    given = {name: value for name, value in fields.items() if value is not None}
    if "type" in given:
        events = [given | ({"data": reading.data_of(data)} if data else {})]
    elif data:
        raise click.UsageError("--data goes with --type: events of stdin hold their own.")
    else:
        events = [given | event for event in reading.events_of(sys.stdin.buffer)]
    for event in events:
        event.setdefault("id", str(uuid4()))
    sys.exit(delivering.deliver(url, key, events, seconds=retry_for))
