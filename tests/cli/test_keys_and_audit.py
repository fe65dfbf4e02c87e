"""The vault's keys and the audit from the shell: what is said, and with which status."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import instances
from tests.cli.conftest import Call
from tests.core.grants import make_grants
from webapp.core import audit_chain
from webapp.core.audit import HITCHPOST, Act, record
from webapp.core.runtime import Runtime
from webapp.lib.vault import new_key

OLD = instances.VAULT_KEYS
OLD_ID = OLD.partition(":")[0]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hitchpost.db'}"


@pytest.fixture
def runtime(address: str) -> Iterator[Runtime]:
    with instances.running(address) as made:
        make_grants(made, 3)
        with made.database.write() as session:
            record(session, HITCHPOST, Act.REFRESHED, "user:ada", detail="=1+1")
        audit_chain.seal(made)
        yield made


@pytest.fixture
def environment(runtime: Runtime, address: str) -> dict[str, str]:
    return instances.environment(address)


def test_a_key_is_changed_step_by_step(call: Call, environment: dict[str, str]) -> None:
    new = new_key()
    new_id = new.partition(":")[0]
    ring = {**environment, "HITCHPOST_VAULT_KEYS": f"{new},{OLD}"}
    kept = call("keys", "retire-check", OLD_ID, **ring)
    assert (kept.returncode, "in use: keep it" in kept.stdout) == (1, True)
    done = call("keys", "rotate", **ring)
    assert (done.returncode, done.stdout) == (0, f"4 sealed again under {new_id}, 0 left under other keys\n")
    told = call("keys", "status", **ring).stdout.splitlines()
    rest = "0 sources, 0 revocations, 0 codes of the last day"
    assert told == [
        f"{new_id}: 3 credentials, 0 installs, 1 audit_head, {rest}; active: it seals",
        f"{OLD_ID}: 0 credentials, 0 installs, 0 audit_head, {rest}; retirable",
    ]
    assert call("keys", "retire-check", OLD_ID, **ring).returncode == 0
    assert call("keys", "retire-check", new_id, **ring).returncode == 1
    assert call("check", **{**ring, "HITCHPOST_VAULT_KEYS": new}).returncode == 0
    assert call("audit", "verify", **{**ring, "HITCHPOST_VAULT_KEYS": new}).returncode == 0


def test_status_says_when_a_key_was_taken_off_too_early(call: Call, environment: dict[str, str]) -> None:
    told = call("keys", "status", **{**environment, "HITCHPOST_VAULT_KEYS": new_key()})
    assert told.returncode == 1
    assert "not on the ring: 3 credentials" in told.stdout
    assert call("keys", "retire-check", "k1", **environment).stderr == "k1 is not on the ring.\n"


def test_no_command_of_the_keys_shows_one(call: Call, environment: dict[str, str]) -> None:
    new = new_key()
    ring = {**environment, "HITCHPOST_VAULT_KEYS": f"{new},{OLD}"}
    for command in (("status",), ("rotate",), ("retire-check", OLD_ID)):
        said = call("keys", *command, **ring)
        for key in (new, OLD):
            assert key.partition(":")[2] not in said.stdout + said.stderr


def test_the_audit_is_verified_against_an_anchor(call: Call, environment: dict[str, str]) -> None:
    head = call("audit", "head", **environment).stdout.strip()
    good = call("audit", "verify", "--anchor", head, **environment)
    assert (good.returncode, good.stdout) == (0, f"✓ 1 lines are as they were sealed; the head is {head}\n")
    other = call("audit", "verify", "--anchor", "7:" + "00" * 32, **environment)
    assert (other.returncode, other.stdout[:1]) == (1, "✗")
    assert call("audit", "verify", "--anchor", "x", **environment).returncode == 2


def test_the_audit_is_exported_as_it_is_and_for_spreadsheets_without_formulas(
    call: Call, environment: dict[str, str]
) -> None:
    (line,) = (json.loads(line) for line in call("audit", "export", **environment).stdout.splitlines())
    assert (line["object"], line["detail"], line["chain_no"]) == ("user:ada", "=1+1", 1)
    (row,) = csv.DictReader(io.StringIO(call("audit", "export", "--csv", **environment).stdout))
    assert (row["object"], row["detail"], row["mac"]) == ("user:ada", "'=1+1", line["mac"])
    assert call("audit", "export", "--thing", "user:bob", **environment).stdout == ""


def test_words_are_erased_and_the_audit_still_verifies(call: Call, environment: dict[str, str]) -> None:
    erased = call("audit", "erase", "user:ada", "--yes", **environment)
    assert erased.stdout == "1 lines have no words any more.\n"
    assert "1 with their words erased" in call("audit", "verify", **environment).stdout


def test_a_sample_that_fails_is_a_fault(call: Call, environment: dict[str, str]) -> None:
    said = call(
        "doctor", "--refresh-sample", **{**environment, "HITCHPOST_BASELIME_API_URL": "http://127.0.0.1:9"}
    )
    assert "the sample acme" in said.stdout
    assert "was not refreshed" in said.stdout
    assert said.returncode == 1
