"""The `hitchpost` command: one visible table of commands, each loaded only when it is called."""

import sys
from importlib import import_module

import click

from webapp.errors import HitchpostError, SettingsError

#: Every command and where it is, in the order in which one meets them.
COMMANDS = {
    "demo": "demo:demo",
    "setup": "setup:setup",
    "run": "run:run",
    "sandbox": "sandbox:sandbox",
    "migrate": "migrate:migrate",
    "check": "check:check",
    "admin": "people:admin",
    "user": "users:user",
    "api-key": "people:api_key",
    "keys": "keys:keys",
    "audit": "audit:audit",
    "restore": "restore:restore",
    "notices": "notices:notices",
    "send": "send:send",
    "dead-letters": "dead_letters:dead_letters",
    "doctor": "doctor:doctor",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"webapp.cli.{module}"), attribute)
        return command


@click.group(cls=_Commands)
def hitchpost() -> None:
    """Keep an app's connections to its users' observability accounts alive, and forward its events there.

    Settings come from HITCHPOST_* or HITCHPOST_*_FILE; `hitchpost check` names every fault in them. Keys and
    a database that `hitchpost setup` made in var/ are found there, if nothing else is set.

    To look around, with the vendors simulated beside it: `hitchpost demo`.
    """


def main() -> None:
    """Run the command; an error of ours ends it with its own words and status 1."""
    try:
        hitchpost()
    except SettingsError as error:
        sys.exit("\n".join(("The configuration has faults:", *(f"  {fault}" for fault in error.faults))))
    except HitchpostError as error:
        sys.exit(str(error))
