"""API tokens with their roles (api-docs, API Tokens)."""

import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from webapp.sandbox.librato.permissions import ROLES
from webapp.sandbox.signing import stable

EMAIL = "ada@sandbox.example"
HOST = "http://metrics-api.librato.com"
"""The host in every `href`, as in the docs' samples: who follows it instead of reading the id is lost."""


@dataclass
class ApiToken:
    """One API token; old ones may have no name."""

    id: int
    name: str | None
    token: str = field(repr=False)
    role: str
    active: bool = True
    created: str = ""
    updated: str = ""

    def as_body(self) -> dict[str, object]:
        """Return the documented body: the id is only in `href`."""
        return {
            "name": self.name,
            "token": self.token,
            "active": self.active,
            "role": self.role,
            "href": f"{HOST}/v1/api_tokens/{self.id}",
            "created_at": self.created,
            "updated_at": self.updated,
        }


class ApiTokens:
    """The account's API tokens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.restore()

    def restore(self) -> None:
        """Go back to the tokens of the start: one a role, and one without a name, as old accounts have."""
        names = (None, "Full access", "Agents and collectors", "Dashboards")
        with self._lock:
            self._next = 28
            self._tokens: dict[int, ApiToken] = {}
        for name, role in zip(names, ("admin", *ROLES), strict=True):
            self.add(name, role, _named(role, stable(f"librato {role} {name}", 64)))

    def all(self) -> list[ApiToken]:
        with self._lock:
            return list(self._tokens.values())

    def first(self, role: str) -> ApiToken | None:
        """Return the oldest active token with a name of this role."""
        return next((one for one in self.all() if one.role == role and one.name and one.active), None)

    def by_id(self, id: int) -> ApiToken | None:
        with self._lock:
            return self._tokens.get(id)

    def by_value(self, value: str) -> ApiToken | None:
        """Return the token with this value, if it is active."""
        return next((one for one in self.all() if one.active and one.token == value), None)

    def add(self, name: str | None, role: str, value: str | None = None) -> ApiToken:
        with self._lock:
            now = stamp()
            made = value or _named(role, secrets.token_hex(32))
            added = ApiToken(self._next, name, made, role, created=now, updated=now)
            self._tokens[added.id] = added
            self._next += 1
            return added

    def remove(self, id: int) -> bool:
        with self._lock:
            return self._tokens.pop(id, None) is not None


def stamp() -> str:
    """Return the time now as token bodies show it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _named(role: str, digits: str) -> str:
    """Return 64 lower-case letters and digits, as real ones have, that say whose they are."""
    return f"sandbox{role}{digits}"[:64]
