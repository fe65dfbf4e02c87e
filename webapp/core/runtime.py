"""The real parts, joined once per process: settings, database, vault, http, providers, and the doorbell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from webapp.errors import SettingsError
from webapp.lib.database import Database
from webapp.lib.http import Http
from webapp.lib.mail import Mailer, Server
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
    NOTICES = "notices"


def silent(_bell: Bell) -> None:
    """Ring nobody: workers poll by themselves."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What a core function needs when it may call out. Build it with `start`; `close` it at the end."""

    settings: "Settings"
    database: Database
    vault: Vault
    http: Http
    #: to the host app
    app_http: Http
    #: None: this instance sends no mail
    mailer: Mailer | None = None
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
            app_http=Http(allow_private=settings.allow_private_webhook),
            mailer=_make_mailer(settings),
            providers=make_providers(settings),
            wake=wake,
        )

    def close(self) -> None:
        """Let go of every connection."""
        self.http.close()
        self.app_http.close()
        self.database.close()


def _make_mailer(settings: "Settings") -> Mailer | None:
    url = settings.smtp_url.get_secret_value()
    if not url:
        return None
    try:
        server = Server.parse(url)
    except ValueError as error:
        raise SettingsError([f"HITCHPOST_SMTP_URL {error}"]) from None
    return Mailer(server, settings.mail_from, urlsplit(settings.public_url).hostname or "localhost")
