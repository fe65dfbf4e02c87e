"""Who has which Baselime environments, and the keys to them."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from webapp.sandbox.signing import stable

DEFAULT_CLIENT_ID = "sandbox-client-hitchpost-demo"
DEFAULT_CLIENT_SECRET = "sandbox-client-secret-worth-nothing"  # noqa: S105 — says itself that it guards nothing

DEVELOPERS = {
    "ada": "works in acme",
    "bob": "works in birch, which nobody shares",
    "carol": "works in cobalt, and in acme beside ada",
    "dora": "has no environment yet",
}
_AT_START = (
    ("acme", "prod", ("ada", "carol")),
    ("acme", "staging", ("ada", "carol")),
    ("birch", "prod", ("bob",)),
    ("cobalt", "prod", ("carol",)),
)


class UnknownEnvironmentError(LookupError):
    """No such environment, or one that exists already."""


@dataclass(frozen=True)
class Client:
    """The registration of the integration under test."""

    client_id: str
    client_secret: str = field(repr=False)

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> "Client":
        """Take the id and secret the app under test is run with, or the sandbox's own."""
        return cls(
            variables.get("HITCHPOST_BASELIME_CLIENT_ID") or DEFAULT_CLIENT_ID,
            variables.get("HITCHPOST_BASELIME_CLIENT_SECRET") or DEFAULT_CLIENT_SECRET,
        )


@dataclass
class Environment:
    """An environment with its public key. Its id is unique only inside its workspace."""

    workspace_id: str
    environment_id: str
    api_key: str
    developers: set[str]

    @property
    def account(self) -> str:
        return f"{self.workspace_id}/{self.environment_id}"

    def as_listed(self) -> dict[str, str]:
        """Return the element of `GET /oauth/environments`, as documented."""
        return {
            "workspaceId": self.workspace_id,
            "environmentId": self.environment_id,
            "apiKey": self.api_key,
        }


class Accounts:
    """The environments there are, changed by the control API alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.restore()

    def restore(self) -> None:
        """Go back to the environments and keys of the start."""
        with self._lock:
            self._environments = {
                (workspace, name): Environment(workspace, name, _first_key(workspace, name), set(members))
                for workspace, name, members in _AT_START
            }

    def all(self) -> list[Environment]:
        with self._lock:
            return list(self._environments.values())

    def of(self, developer: str) -> list[Environment]:
        """Return the environments this developer may grant, in no documented order."""
        return [one for one in self.all() if developer in one.developers]

    def by_key(self, api_key: str) -> Environment | None:
        return next((one for one in self.all() if api_key and one.api_key == api_key), None)

    def by_name(self, workspace_id: str, environment_id: str) -> Environment | None:
        with self._lock:
            return self._environments.get((workspace_id, environment_id))

    def add(self, workspace_id: str, environment_id: str, developer: str) -> Environment:
        with self._lock:
            if (workspace_id, environment_id) in self._environments:
                raise UnknownEnvironmentError(f"{workspace_id}/{environment_id} exists already")
            key = _first_key(workspace_id, environment_id)
            added = Environment(workspace_id, environment_id, key, {developer})
            self._environments[workspace_id, environment_id] = added
            return added

    def remove(self, workspace_id: str, environment_id: str) -> None:
        with self._lock:
            if self._environments.pop((workspace_id, environment_id), None) is None:
                raise UnknownEnvironmentError(f"there is no {workspace_id}/{environment_id}")

    def rotate_key(self, workspace_id: str, environment_id: str) -> Environment:
        found = self.by_name(workspace_id, environment_id)
        if found is None:
            raise UnknownEnvironmentError(f"there is no {workspace_id}/{environment_id}")
        found.api_key = f"sandbox-ingest-key-{workspace_id}-{environment_id}-{secrets.token_hex(8)}"
        return found


def _first_key(workspace_id: str, environment_id: str) -> str:
    digits = stable(f"ingest key {workspace_id}/{environment_id}", 16)
    return f"sandbox-ingest-key-{workspace_id}-{environment_id}-{digits}"
