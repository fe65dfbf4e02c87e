"""A sealed value opens only in its own cell, whole, under a key of the ring."""

import base64
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.errors import KeyMissing, SealBroken, SettingsError
from webapp.lib.secret import Secret
from webapp.lib.vault import Cell, Vault, key_id_of, new_key, parse_keys

VAULT = parse_keys(new_key())
CELL = Cell("credentials", uuid4(), uuid4(), "sealed")
SECRET = Secret("an access token")
SEALED = VAULT.seal(SECRET, CELL)


def test_what_was_sealed_opens_in_its_own_cell() -> None:
    assert VAULT.open(SEALED, CELL).reveal() == SECRET.reveal()


def test_sealing_twice_gives_different_bytes_and_neither_holds_the_plaintext() -> None:
    again = VAULT.seal(SECRET, CELL)
    assert again != SEALED
    assert SECRET.reveal().encode() not in SEALED + again


@pytest.mark.parametrize(
    "other",
    [
        Cell("installs", CELL.row, CELL.owner, CELL.column),
        Cell(CELL.table, uuid4(), CELL.owner, CELL.column),
        Cell(CELL.table, CELL.row, uuid4(), CELL.column),
        Cell(CELL.table, CELL.row, CELL.owner, "other"),
    ],
    ids=["another table", "another row", "another owner", "another column"],
)
def test_a_value_moved_to_another_cell_does_not_open(other: Cell) -> None:
    with pytest.raises(SealBroken, match="changed or moved"):
        VAULT.open(SEALED, other)


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_a_value_with_any_byte_changed_does_not_open(position: int, flip: int) -> None:
    changed = bytearray(SEALED)
    changed[position] ^= flip
    with pytest.raises((SealBroken, KeyMissing)):
        VAULT.open(bytes(changed), CELL)


@given(st.integers(0, len(SEALED) - 1))
def test_a_value_cut_short_does_not_open(length: int) -> None:
    with pytest.raises((SealBroken, KeyMissing)):
        VAULT.open(SEALED[:length], CELL)


@given(st.binary(max_size=200))
def test_bytes_that_were_never_sealed_do_not_open(noise: bytes) -> None:
    with pytest.raises((SealBroken, KeyMissing)):
        VAULT.open(noise, CELL)


def test_an_old_key_still_opens_and_the_first_key_seals() -> None:
    old, new = new_key(), new_key()
    sealed = parse_keys(old).seal(SECRET, CELL)
    both = parse_keys(f"{new},{old}")
    assert both.open(sealed, CELL).reveal() == SECRET.reveal()
    assert key_id_of(both.seal(SECRET, CELL)) == new.partition(":")[0]


def test_a_missing_key_is_named() -> None:
    sealed = parse_keys(new_key()).seal(SECRET, CELL)
    with pytest.raises(KeyMissing, match=key_id_of(sealed)):
        parse_keys(new_key()).open(sealed, CELL)


def test_a_digest_depends_on_purpose_value_and_key() -> None:
    digests = {
        VAULT.digests("code", SECRET),
        VAULT.digests("proof", SECRET),
        VAULT.digests("code", Secret("another")),
        parse_keys(new_key()).digests("code", SECRET),
    }
    assert len(digests) == 4


def test_after_a_rotation_the_digests_of_older_keys_follow() -> None:
    old, new = new_key(), new_key()
    before = parse_keys(old).digests("code", SECRET)
    assert parse_keys(f"{new},{old}").digests("code", SECRET)[1:] == before


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        ("onlybase64", "key 1 has 0 bytes"),
        (f":{encoded(bytes(range(32)))}", "key 1 needs an id"),
        ("a:###", "key 1 is not base64"),
        (f"a:{encoded(bytes(range(16)))}", "key 1 has 16 bytes"),
        (f"a:{encoded(bytes(32))}", "key 1 is not random"),
        (f"a:{encoded(bytes(range(32)))},a:{encoded(bytes(range(1, 33)))}", "key 2 repeats the id"),
    ],
)
def test_an_unusable_key_ring_is_refused_by_position_and_never_by_value(text: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault) as caught:
        parse_keys(text)
    assert "###" not in str(caught.value)


def test_every_fault_of_a_key_ring_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_keys("a:###,b:###")
    assert len(caught.value.faults) == 2


def test_a_vault_seals_under_the_key_that_it_is_told() -> None:
    keys = {"one": bytes(range(32)), "two": bytes(range(1, 33))}
    assert key_id_of(Vault(keys, "two").seal(SECRET, CELL)) == "two"
