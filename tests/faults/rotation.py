"""`python -m tests.faults.rotation AT`: a rotation of keys that dies by kill -9 at its AT-th row."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests import instances
from webapp.core import credentials, rotation
from webapp.core.runtime import Runtime
from webapp.lib.vault import Vault
from webapp.settings import Settings


def rotate_and_die(database_url: str, ring: str, *, at: int) -> int:
    """Run it as a process of its own; the status it ended with."""
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        **instances.environment(database_url, vault_keys=ring),
        "PYTHONPATH": str(root),
    }
    command = [sys.executable, "-m", __name__, str(at)]
    return subprocess.run(command, env=environment, cwd=root, check=False, timeout=60).returncode


def main() -> None:
    """Rotate until the row at which to die."""
    at, reseal = int(sys.argv[1]), credentials.reseal
    rows = 0

    def reseal_or_die(vault: Vault, row: credentials.Sealed) -> None:
        nonlocal rows
        rows += 1
        if rows == at:
            os.kill(os.getpid(), signal.SIGKILL)
        reseal(vault, row)

    credentials.reseal = reseal_or_die
    rotation.rotate(Runtime.start(Settings.load()))


if __name__ == "__main__":
    main()
