"""A string that no log, message or repr can show by accident."""

import hashlib
import hmac
from typing import Never


class Secret:
    """Holds one secret string; only `reveal()` gives it back. Its repr, str and format are `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The plain value: call it only where the value leaves for the vendor or the vault."""
        return self._value

    def fingerprint(self) -> str:
        """Eight hex digits that tell two secrets apart and give neither away."""
        return hashlib.sha256(b"hitchpost-fingerprint\0" + self._value.encode()).hexdigest()[:8]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret would be a way to compare it by time

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> Never:
        message = "a Secret cannot be pickled or copied out of the process"
        raise TypeError(message)
