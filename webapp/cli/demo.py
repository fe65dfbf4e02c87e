"""`hitchpost demo`: Hitchpost and the vendors' sandbox, set up and running, with nothing to configure."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import click

from webapp.cli import home as homes
from webapp.cli.home import Home
from webapp.cli.run import serve
from webapp.cli.sandbox import PORT as SANDBOX_PORT
from webapp.cli.setup import prepare
from webapp.errors import HitchpostError
from webapp.lib import logs
from webapp.sandbox.baselime.accounts import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from webapp.settings import Settings

_SANDBOX_SECONDS = 20.0
_PORTS = click.IntRange(1, 65535)


@click.command()
@click.option("--home", "path", type=click.Path(path_type=Path), default=homes.DEFAULT, show_default=True)
@click.option("--port", type=_PORTS, envvar="HITCHPOST_PORT", show_envvar=True, default=8000)
@click.option(
    "--sandbox-port",
    type=_PORTS,
    envvar="HITCHPOST_SANDBOX_PORT",
    show_envvar=True,
    default=SANDBOX_PORT,
)
def demo(path: Path, port: int, sandbox_port: int) -> None:
    """Set up and run Hitchpost beside simulated vendors.

    Everything is kept in the folder given by --home.
    HITCHPOST_PORT and HITCHPOST_SANDBOX_PORT move the two. Ctrl-C stops both; started again, everything is as
    it was here, and new at the sandbox, which keeps nothing.
    """
    os.environ["HITCHPOST_PORT"] = str(port)
    _say("Keys, tables and the first admin")
    home = homes.make(path)
    _use_sandbox(port, sandbox_port)
    settings = Settings.load()
    logs.configure(settings.log_format)
    prepare(home, settings)
    _say("The vendors' sandbox")
    with _sandbox(sandbox_port, settings):
        _say("Hitchpost")
        serve(settings, quiet=True, ready=lambda: _welcome(home, settings, sandbox_port))


def _say(what: str) -> None:
    click.echo(f"==> {what}")


def _use_sandbox(port: int, sandbox_port: int) -> None:
    """Point every vendor's address at the sandbox, unless somebody pointed it elsewhere."""
    vendor = {
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "BASELIME_CLIENT_ID": DEFAULT_CLIENT_ID,
        "BASELIME_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        "BASELIME_CONSOLE_URL": f"http://localhost:{sandbox_port + 1}",
        "BASELIME_API_URL": f"http://localhost:{sandbox_port + 1}",
        "BASELIME_EVENTS_URL": f"http://localhost:{sandbox_port + 2}",
        "BASELIME_OTEL_URL": f"http://localhost:{sandbox_port + 3}",
        "LAST9_HOSTS": "*.last9.io localhost",
        "LAST9_URL": f"http://localhost:{sandbox_port + 4}",
        "LIBRATO_URL": f"http://localhost:{sandbox_port + 5}",
        "ALLOW_PRIVATE_VENDORS": "true",
    }
    for name, value in vendor.items():
        if f"HITCHPOST_{name}_FILE" not in os.environ:
            os.environ.setdefault(f"HITCHPOST_{name}", value)


@contextmanager
def _sandbox(port: int, settings: Settings) -> Iterator[None]:
    """The sandbox as a child: Ctrl-C is for us alone, and it ends when we do, even by kill -9."""
    redirect = f"{settings.public_url}/install/baselime/callback"
    command = [
        sys.argv[0],
        "sandbox",
        "--port",
        str(port),
        "--redirect-url",
        redirect,
        "--until-stdin-closes",
    ]
    child = subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(child, f"http://localhost:{port}/api/accounts")
        yield
    finally:
        child.terminate()
        child.wait()


def _wait_for(child: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + _SANDBOX_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urlopen(url, timeout=2):  # noqa: S310 - our own child on loopback
                return
        except (URLError, OSError):
            time.sleep(0.1)
    message = "The sandbox did not start; HITCHPOST_SANDBOX_PORT moves it and the five ports after it."
    raise HitchpostError(message)


def _welcome(home: Home, settings: Settings, sandbox_port: int) -> None:
    click.echo()
    click.echo(f"  Hitchpost             {settings.public_url}")
    click.echo(f"  Baselime's console    http://localhost:{sandbox_port + 1}   (simulated)")
    click.echo(
        f"  Sandbox of vendors    http://localhost:{sandbox_port}   (tokens of Last9 and Librato to paste)"
    )
    sign_in = home.first_sign_in()
    if sign_in is not None:
        click.echo()
        click.echo(f"  First admin           {sign_in[0]}")
        click.echo(f"  Password              {sign_in[1]}")
    click.echo()
    click.echo("  Ctrl-C stops both. Run it again and everything here is as it was.")
