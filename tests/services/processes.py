"""Starts real servers, waits until they answer, and ends each by its pid."""

import atexit
import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_RUNNING: set["subprocess.Popen[bytes]"] = set()


class DidNotStart(RuntimeError):
    """A server ended or stayed silent; the message ends with what it wrote."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now. Somebody may a moment later: be ready to ask again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def unprivileged_user() -> str | None:
    """Whom a server that refuses root runs as: None (ourselves) unless we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def start(argv: Sequence[object], *, log: Path, user: str | None = None) -> "subprocess.Popen[bytes]":
    """Start `argv` as `user` (None: as ourselves), writing to `log`; it ends when this process does."""
    account = pwd.getpwnam(user) if user else None
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - the child only calls prctl, which takes no lock
        )
    _RUNNING.add(process)
    return process


def end(
    process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGINT, *, within: float = 10.0
) -> None:
    """End `process` as asked, or by SIGKILL after so many seconds; one that has ended is left alone."""
    _RUNNING.discard(process)
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(
    answers: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, seconds: float = 30
) -> None:
    """Wait until the server answers; DidNotStart with the end of its log if it ends or stays silent."""
    deadline = time.monotonic() + seconds
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace")[-2000:]
            raise DidNotStart(
                f"{process.args!r} does not answer (exit code {process.poll()}). It wrote:\n{words}"
            )
        time.sleep(0.02)


def _end_with_parent() -> None:
    # A killed test run must leave no server behind. SIGINT is a fast shutdown for PostgreSQL and Redis alike.
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


@atexit.register
def _end_all() -> None:
    for process in list(_RUNNING):
        end(process)
