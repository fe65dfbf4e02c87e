"""The vault: seals and opens secrets with AES-256-GCM, bound to the one cell they belong to.

A sealed value is `1 | length of key id | key id | nonce (12) | ciphertext and tag`. The associated data
names the table, row, owner, column and key, so that a value moved to any other cell does not open.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from webapp.errors import KeyMissing, SealBroken, SettingsError
from webapp.lib.secret import Secret

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a sealed value lives. `owner` is the row it hangs from, so that rows cannot trade parents."""

    table: str
    row: UUID
    owner: UUID
    column: str

    def associated_data(self, key_id: str) -> bytes:
        """The bytes that tie a sealed value to this cell and key."""
        parts = ("hitchpost", str(_VERSION), self.table, str(self.row), str(self.owner), self.column, key_id)
        return "|".join(parts).encode()


class Vault:
    """Seals with the active key, opens with any key of the ring."""

    def __init__(self, keys: Mapping[str, bytes], active: str) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._digest_keys = {
            key_id: hmac.digest(key, b"hitchpost digest", "sha256") for key_id, key in keys.items()
        }
        self.active = active

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of all keys on the ring."""
        return frozenset(self._ciphers)

    def seal(self, secret: Secret, cell: Cell) -> bytes:
        """Encrypt `secret` for `cell` under the active key."""
        key_id = self.active
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[key_id].encrypt(nonce, secret.reveal().encode(), cell.associated_data(key_id))
        return prefix_of(key_id) + nonce + sealed

    def open(self, sealed: bytes, cell: Cell) -> Secret:
        """Decrypt what `seal` made for this very `cell`.

        Raises SealBroken if the value was changed, moved or cut, KeyMissing if its key is not on the ring.
        """
        key_id = key_id_of(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            message = f"sealed under key {key_id!r}, which is not among HITCHPOST_VAULT_KEYS"
            raise KeyMissing(message)
        start = 2 + len(key_id)
        nonce, ciphertext = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        try:
            return Secret(cipher.decrypt(nonce, ciphertext, cell.associated_data(key_id)).decode())
        except InvalidTag:
            message = f"the sealed {cell.table}.{cell.column} of row {cell.row} was changed or moved"
            raise SealBroken(message) from None

    def digests(self, purpose: str, secret: Secret) -> tuple[bytes, ...]:
        """Keyed digests of `secret`, one per key, the active key's first: look up by any, store the first."""
        order = sorted(self._digest_keys, key=lambda key_id: key_id != self.active)
        text = purpose.encode() + b"\0" + secret.reveal().encode()
        return tuple(hmac.digest(self._digest_keys[key_id], text, "sha256") for key_id in order)


def prefix_of(key_id: str) -> bytes:
    """How everything sealed under this key begins, and nothing sealed under another."""
    return bytes((_VERSION, len(key_id))) + key_id.encode()


def key_id_of(sealed: bytes) -> str:
    """The id of the key that `sealed` names; SealBroken if it is not a sealed value."""
    if len(sealed) < 2 or sealed[0] != _VERSION or len(sealed) < 2 + sealed[1] + _NONCE_BYTES + _TAG_BYTES:
        message = "not a sealed value, or cut short"
        raise SealBroken(message)
    try:
        return sealed[2 : 2 + sealed[1]].decode("ascii")
    except UnicodeDecodeError:
        message = "not a sealed value"
        raise SealBroken(message) from None


def parse_keys(text: str) -> Vault:
    """Make a Vault from `id:base64,id:base64`; the first is active, each key is 32 bytes.

    Raises SettingsError with every fault, naming keys by position, never by value.
    """
    faults: list[str] = []
    keys: dict[str, bytes] = {}
    for position, part in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        key_id, _, encoded = part.partition(":")
        fault = _key_fault(key_id, encoded, keys)
        if fault:
            faults.append(f"HITCHPOST_VAULT_KEYS: key {position} {fault}")
        else:
            keys[key_id] = base64.b64decode(encoded)
    if not keys and not faults:
        faults.append("HITCHPOST_VAULT_KEYS is empty: make a key with `hitchpost keys new`")
    if faults:
        raise SettingsError(faults)
    return Vault(keys, next(iter(keys)))


def _key_fault(key_id: str, encoded: str, known: Mapping[str, bytes]) -> str | None:
    if not key_id.isalnum() or not key_id.isascii() or len(key_id) > 32:
        return "needs an id of letters and digits, then a colon"
    if key_id in known:
        return "repeats the id of an earlier one"
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return "is not base64"
    if len(key) != 32:
        return f"has {len(key)} bytes, AES-256 needs 32"
    if len(set(key)) < 8:
        return "is not random"
    return None


def new_key() -> str:
    """A fresh `id:base64` entry for HITCHPOST_VAULT_KEYS."""
    key = os.urandom(32)
    return f"k{hashlib.sha256(key).hexdigest()[:8]}:{base64.b64encode(key).decode()}"
