"""Baselime: connects by install redirect, refreshes, lists environments, takes events.

Baselime docs, "API Integration", "Events API" and "OpenTelemetry".
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from webapp.lib.http import Http, Response
from webapp.lib.secret import Secret
from webapp.providers.base import Client, EnvironmentListing, Grant
from webapp.providers.baselime import events as events_api
from webapp.providers.baselime import oauth, otel
from webapp.providers.client_secrets import ClientSecrets
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Target
from webapp.settings import Settings


class Baselime:
    """The provider. Abilities: Installs, Refreshes, ListsEnvironments and Receives."""

    name: ClassVar[str] = "baselime"
    title: ClassVar[str] = "Baselime"
    lists_with: ClassVar[tuple[str, str]] = ("grant", "")
    #: "The temporary code is valid for 3 minutes."
    code_seconds: ClassVar[float] = 180.0
    #: No endpoint that revokes is documented.
    farewell: ClassVar[str] = (
        "Baselime documents no way to give its grant back: "
        "remove the integration in the Baselime console too."
    )

    kinds: ClassVar[tuple[DestinationKind, ...]] = (*events_api.KINDS, *otel.KINDS)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secrets = ClientSecrets(
            settings.baselime_client_secret, settings.baselime_client_secret_previous
        )

    def client(self) -> Client:
        """Our registration. The redirect address is built from the public address alone."""
        return Client(
            key=self.client_key(),
            client_id=self._settings.baselime_client_id,
            client_secret=self._secrets.first,
            redirect_url=f"{self._settings.public_url}/install/{self.name}/callback",
        )

    def client_key(self) -> str:
        """One Client per client id."""
        return f"{self.name}:{self._settings.baselime_client_id}"

    def install_url(self) -> str:
        """The consent page; the docs give it no parameters."""
        return (
            f"{self._settings.baselime_console_url}/integrations/{quote(self._settings.baselime_client_id)}"
        )

    def console_origin(self) -> str:
        """The origin of the consent page."""
        parts = urlsplit(self._settings.baselime_console_url)
        return f"{parts.scheme}://{parts.netloc}"

    def exchange(self, http: Http, code: Secret) -> Grant:
        """Trade a code for a grant."""
        return self._secrets.ask(
            self.client(), lambda client: oauth.exchange(http, self._api_url, client, code)
        )

    def refresh(self, http: Http, refresh_token: Secret, *, scope: str, details: Mapping[str, Any]) -> Grant:
        """Trade the refresh token for a new access token; there are no scopes."""
        return self._secrets.ask(
            self.client(), lambda client: oauth.refresh(http, self._api_url, client, refresh_token)
        )

    def list_environments(
        self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]
    ) -> tuple[EnvironmentListing, ...]:
        """Every environment of every workspace that the access token reaches, with its ingest key."""
        return oauth.list_environments(http, self._api_url, secrets["access_token"])

    def encode(self, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
        """A batch for the Events API, or an export for the OpenTelemetry API."""
        if target.kind in otel.SIGNAL_OF:
            return otel.encode(self._settings.baselime_otel_url, events, target)
        return events_api.encode(self._settings.baselime_events_url, events, target)

    def read(self, response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
        """What the API of the target's kind answered."""
        if target.kind in otel.SIGNAL_OF:
            return otel.read(response, events, target)
        return events_api.read(response, events, target)

    @property
    def _api_url(self) -> str:
        return self._settings.baselime_api_url
