"""The real parts, joined once per process: settings, database, vault, http, providers, and the doorbell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from webapp.lib.database import Database
from webapp.lib.http import Http
from webapp.lib.vault import Vault, parse_keys
from webapp.providers.registry import make_providers

if TYPE_CHECKING:
    from webapp.providers.base import Provider
    from webapp.settings import Settings


class Bell(StrEnum):
    """What there is to do. A ring carries no more than this word: the rows say the rest."""

    DELIVERY = "delivery"
    REFRESH = "refresh"
    ENVIRONMENTS = "environments"


def silent(_bell: Bell) -> None:
    """Ring nobody: workers poll by themselves."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What a core function needs when it may call out. Build it with `start`; `close` it at the end."""

    settings: "Settings"
    database: Database
    vault: Vault
    http: Http
    providers: "Mapping[str, Provider]"
    #: returns at once, never raises; losing a ring costs one poll (2 s)
    wake: Callable[[Bell], None] = silent
    #: this process, as leases name it
    process_id: UUID = field(default_factory=uuid4)

    @classmethod
    def start(cls, settings: "Settings", *, wake: Callable[[Bell], None] = silent) -> "Runtime":
        """Join the parts. Raises SettingsError when the key ring is unusable."""
        return cls(
            settings=settings,
            database=Database(settings.database_url.get_secret_value()),
            vault=parse_keys(settings.vault_keys.get_secret_value()),
            http=Http(allow_private=settings.allow_private_vendors),
            providers=make_providers(settings),
            wake=wake,
        )

    def close(self) -> None:
        """Let go of every connection."""
        self.http.close()
        self.database.close()
