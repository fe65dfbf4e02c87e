"""Tokens that say what they are: JWTs made by hand, signed with a key that is no secret.

The key is fixed on purpose. A sandbox guards nothing, and a token that proves itself is still good
after the sandbox was stopped and started again, as a real vendor's would be.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

Claims = dict[str, Any]

HEADER = {"alg": "HS256", "typ": "JWT", "kid": "sandbox"}


def sign(purpose: str, claims: Mapping[str, Any]) -> str:
    """Return a compact HS256 JWT (RFC 7519) that only `read` with the same purpose takes."""
    head = f"{_packed(HEADER)}.{_packed(claims)}"
    return f"{head}.{_signature(purpose, head)}"


def read(purpose: str, text: str) -> Claims | None:
    """Return the claims of a token signed for this purpose, or None for anything else."""
    head, _, signature = text.rpartition(".")
    if not head.isascii() or not hmac.compare_digest(_signature(purpose, head).encode(), signature.encode()):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(head.partition(".")[2] + "=="))
    except (binascii.Error, ValueError):
        return None
    return claims if isinstance(claims, dict) else None


def stable(purpose: str, length: int) -> str:
    """Return hex digits that look random and are the same in every process."""
    return hashlib.sha256(f"hitchpost sandbox {purpose}".encode()).hexdigest()[:length]


def _packed(part: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _signature(purpose: str, head: str) -> str:
    key = f"hitchpost sandbox {purpose}".encode()
    return _base64url(hmac.new(key, head.encode(), hashlib.sha256).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
