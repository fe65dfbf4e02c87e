"""`hitchpost sandbox`: the vendors, simulated on loopback."""

import os
import signal
import sys
import threading

import click

from webapp.errors import HitchpostError
from webapp.sandbox import serve

PORT = 8100


@click.command()
@click.option("--port", type=int, envvar="HITCHPOST_SANDBOX_PORT", default=PORT, show_default=True)
@click.option(
    "--redirect-url",
    default="http://127.0.0.1:8000/install/baselime/callback",
    show_default=True,
    help="Where the sandbox's Baselime sends the browser back, with a code.",
)
@click.option("--until-stdin-closes", is_flag=True, hidden=True, help="End with the process that started it.")
def sandbox(port: int, redirect_url: str, *, until_stdin_closes: bool) -> None:
    """Run the simulated vendors.

    They listen on PORT and the five ports after it, until Ctrl-C.
    Its console, on PORT, explains its control API. What it keeps, it keeps in memory.
    """
    try:
        running = serve(port=port, redirect_url=redirect_url)
    except OSError as error:
        message = f"The sandbox cannot listen: {error.strerror or error}"
        raise HitchpostError(message) from None
    signal.signal(signal.SIGTERM, _end)
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, daemon=True).start()
    try:
        click.echo(f"The sandbox is at {running.urls['console']}")
        running.wait()
    except KeyboardInterrupt:
        pass
    finally:
        running.close()


def _end(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _watch_stdin() -> None:
    # Below Python's own buffer, whose lock a thread must not hold while the process ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    # Not a signal: the system may hand it to this thread, and the main one would sleep on. Nothing is kept
    # here that would be worth an orderly end.
    os._exit(0)
