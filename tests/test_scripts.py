"""The scripts set up what is missing, leave alone what is there, and say what to do when they cannot."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements-setup.lock", "requirements.lock", "requirements-test.lock")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout of what the scripts read: themselves and the lock files."""
    shutil.copytree(ROOT / "script", tmp_path / "script")
    for lock in LOCKS:
        shutil.copy(ROOT / lock, tmp_path)
    return tmp_path


def install(checkout: Path, lock: str) -> None:
    """Stand in for what `lock` installs: programs that answer with their names, and the stamp."""
    programs = checkout / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "hitchpost", "pytest"):
        (programs / name).write_text(f'#!/bin/sh\n[ "$1" = -c ] || echo "{name} $*"\n')
        (programs / name).chmod(0o755)
    locked = (checkout / "requirements-setup.lock").read_text() + (checkout / lock).read_text()
    (checkout / ".venv" / f"made-from-{lock}").write_text(f"{checkout}\n{locked}")


def call(script: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it from another folder, as a person might."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **env}
    return subprocess.run(
        [script, *arguments], cwd="/", env=env, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("script", ["run", "test"])
def test_without_python_a_script_says_what_to_install(checkout: Path, script: str) -> None:
    done = call(checkout / "script" / script, HITCHPOST_PYTHON="/no/python3")
    assert done.returncode == 1
    assert "Python 3.11 or newer, with venv, is needed" in done.stderr
    assert "apt-get install python3" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_a_ready_environment_is_used_as_it_is(checkout: Path, lock: str) -> None:
    install(checkout, lock)
    done = call(checkout / "script" / "run", "--help")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hitchpost demo --help\n", "")


def test_the_tests_ask_for_more_than_running_does(checkout: Path) -> None:
    install(checkout, "requirements.lock")
    done = call(checkout / "script" / "test", "tests/core", HITCHPOST_PYTHON="/no/python3")
    assert done.returncode == 1
    assert "pytest" not in done.stdout


def test_arguments_go_to_pytest_and_nothing_else_is_run(checkout: Path) -> None:
    install(checkout, "requirements-test.lock")
    done = call(checkout / "script" / "test", "tests/core", "-k", "a name")
    assert (done.returncode, done.stdout) == (0, "pytest tests/core -k a name\n")


@pytest.mark.parametrize("lock", ["requirements-setup.lock", "requirements-test.lock"])
def test_a_changed_lock_makes_an_environment_stale(checkout: Path, lock: str) -> None:
    install(checkout, "requirements-test.lock")
    with (checkout / lock).open("a") as changed:
        changed.write("# changed\n")
    done = call(checkout / "script" / "test", "tests/core", HITCHPOST_PYTHON="/no/python3")
    assert done.returncode == 1
    assert "pytest" not in done.stdout


def test_a_checkout_that_moved_is_set_up_anew(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    install(checkout, "requirements-test.lock")
    moved = checkout.rename(tmp_path_factory.mktemp("elsewhere") / "checkout")
    done = call(moved / "script" / "run", HITCHPOST_PYTHON="/no/python3")
    assert done.returncode == 1
    assert "hitchpost demo" not in done.stdout
