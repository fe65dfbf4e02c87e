"""Refresh tokens in families: which generation is the newest, and which family was revoked."""

import threading


class Families:
    """Rotation with replay detection (RFC 9700, 4.14.2), for vendors that are told to rotate."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        with self._lock:
            self._newest: dict[str, int] = {}
            self._revoked: set[str] = set()

    def takes(self, family: str, generation: int) -> bool:
        """Say whether this refresh token is good. One that was rotated away revokes its family."""
        with self._lock:
            if generation != self._newest.get(family, generation):
                self._revoked.add(family)
            return family not in self._revoked

    def rotate(self, family: str, generation: int) -> int | None:
        """Return the next generation, or None when another request was first: the family is revoked."""
        with self._lock:
            if generation != self._newest.get(family, generation) or family in self._revoked:
                self._revoked.add(family)
                return None
            self._newest[family] = generation + 1
            return generation + 1

    def revoked(self, family: str) -> bool:
        with self._lock:
            return family in self._revoked
