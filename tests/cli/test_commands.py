"""What a person meets at the command line: help for everything, plain words for every fault."""

import io
import socket
import stat
import sys
from pathlib import Path

import pytest

from tests import instances
from tests.cli.conftest import Call
from webapp.cli import COMMANDS


def test_every_command_is_named_and_explains_itself(call: Call) -> None:
    overview = call("--help").stdout
    for name in COMMANDS:
        assert f"\n  {name} " in overview
        told = call(name, "--help")
        assert told.returncode == 0
        assert len(told.stdout) > 80


def test_setup_makes_everything_once_and_prints_the_first_sign_in(call: Call, tmp_path: Path) -> None:
    first = call("setup")
    assert first.returncode == 0
    assert "admin@example.com" in first.stdout
    kept = {path.name: path.read_bytes() for path in (tmp_path / "var").iterdir() if path.suffix != ".db"}
    assert {"vault_keys", "secret_key", "first_sign_in"} <= kept.keys()
    for name in ("vault_keys", "secret_key", "first_sign_in"):
        assert stat.S_IMODE((tmp_path / "var" / name).stat().st_mode) == 0o600
    assert call("setup").stdout == first.stdout
    assert {name: (tmp_path / "var" / name).read_bytes() for name in kept} == kept


def test_check_is_content_with_what_setup_made(call: Call) -> None:
    call("setup")
    assert (call("check").returncode, call("check").stdout) == (0, "✓ no fault found\n")


def test_check_names_every_fault_at_once_and_no_value(call: Call) -> None:
    faulty = {
        "HITCHPOST_STAGE": "production",
        "HITCHPOST_PUBLIC_URL": "http://hitchpost.example",
        "HITCHPOST_SECRET_KEY": "canary42",
        "HITCHPOST_VAULT_KEYS": "k1:canary42",
    }
    checked = call("check", **faulty)
    assert checked.returncode == 1
    assert [line.split()[1].rstrip(":") for line in checked.stdout.splitlines()] == [
        "HITCHPOST_VAULT_KEYS",
        "HITCHPOST_SECRET_KEY",
        "HITCHPOST_PUBLIC_URL",
    ]
    assert "canary42" not in checked.stdout + checked.stderr


def test_check_says_what_to_do_about_a_database_without_tables(call: Call) -> None:
    keys = {"HITCHPOST_VAULT_KEYS": instances.VAULT_KEYS, "HITCHPOST_SECRET_KEY": instances.SECRET_KEY}
    assert "hitchpost migrate" in call("check", HITCHPOST_DATABASE_URL="sqlite:///new.db", **keys).stdout


def test_a_command_without_keys_says_how_to_make_them(call: Call) -> None:
    told = call("doctor")
    assert told.returncode == 1
    assert "hitchpost keys new" in told.stderr
    assert "Traceback" not in told.stderr


def test_migrate_down_asks_first(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = {"HITCHPOST_DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}"}
    newest = call("migrate", **address).stdout
    assert "revision base" not in newest
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert call("migrate", "--down-to", "base", **address).returncode == 1
    newest = call("migrate", **address).stdout
    assert "revision base" not in newest
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert "revision base" in call("migrate", "--down-to", "base", **address).stdout


def test_an_admin_and_an_api_key_are_made_from_the_shell(call: Call) -> None:
    call("setup")
    assert "bob@example.com can sign in" in call("admin", "add", "bob@example.com").stdout
    again = call("admin", "add", "bob@example.com")
    assert (again.returncode, again.stderr) == (1, "bob@example.com is a user already.\n")
    made = call("api-key", "new", "ci", "--scope", "events:write", "--scope", "events:read")
    assert made.stdout.startswith("hp_")
    assert made.stdout.count("\n") == 1


def test_new_keys_are_good_keys(call: Call) -> None:
    keys = {
        "HITCHPOST_VAULT_KEYS": call("keys", "new").stdout.strip(),
        "HITCHPOST_SECRET_KEY": call("keys", "new", "--secret").stdout.strip(),
    }
    assert call("check", "--settings-only", **keys).returncode == 0


def test_run_refuses_a_broker_of_its_own(call: Call) -> None:
    call("setup")
    told = call("run", HITCHPOST_BROKER_URL="redis://127.0.0.1:9/0")
    assert told.returncode == 1
    assert "Procfile" in told.stderr


def test_the_sandbox_says_which_ports_are_taken(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = call("sandbox", "--port", str(taken.getsockname()[1]))
    assert told.returncode == 1
    assert "The sandbox cannot listen: " in told.stderr


@pytest.mark.parametrize("name", ["HITCHPOST_PORT", "HITCHPOST_SANDBOX_PORT"])
def test_a_port_that_is_none_is_named_before_anything_is_made(call: Call, name: str, tmp_path: Path) -> None:
    done = call("demo", **{name: "abc"})
    assert done.returncode != 0
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_user_is_counted_then_deleted_and_looked_after_again(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    call("setup")
    call("api-key", "new", "deploys", "--external-id", "u_1")
    counted = call("user", "delete", "u_1")
    assert (counted.returncode, "Marked" in counted.stdout) == (1, False)
    assert "1 API key, 0 sources" in counted.stdout
    assert "Marked" in call("user", "delete", "u_1", "--yes").stdout
    assert "being deleted since" in call("user", "delete", "u_1").stdout
    unknown = call("user", "delete", "nobody", "--yes")
    assert (unknown.returncode, "Nobody here is called nobody" in unknown.stderr) == (1, True)
