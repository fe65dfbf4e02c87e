"""Any vendor that follows the OAuth 2 standards, by its settings and what its issuer publishes.

Authorization code with state, PKCE S256 (RFC 7636) and the issuer checked (RFC 9207); rotation of refresh
tokens (RFC 9700 §4.14); revocation (RFC 7009); whose it is by OpenID Connect's userinfo or RFC 7662.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from webapp.errors import (
    ClientRefused,
    VendorAnswerInvalid,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib.http import Http, Response
from webapp.lib.secret import Secret
from webapp.oauth2_vendors import OAuth2Vendor
from webapp.providers.base import Authorization, Client, EnvironmentListing, Grant
from webapp.providers.client_secrets import ClientSecrets
from webapp.providers.oauth2 import account, cloudevents, requests
from webapp.providers.oauth2.metadata import Issuer, Metadata
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Target
from webapp.settings import Settings

T = TypeVar("T")


class StandardVendor:
    """The provider. Abilities: Authorizes, Refreshes, ListsEnvironments, Revokes and Receives."""

    lists_with: ClassVar[tuple[str, str]] = ("grant", "")
    #: "A maximum authorization code lifetime of 10 minutes is RECOMMENDED"; many servers keep to one
    code_seconds: ClassVar[float] = 60.0

    def __init__(self, name: str, vendor: OAuth2Vendor, settings: Settings) -> None:
        self.name = name
        self.title = vendor.title
        self.farewell = f"If {vendor.title} still lists this app among those with access, remove it there."
        #: without an address for events there is nothing to forward to
        self.kinds: tuple[DestinationKind, ...] = (cloudevents.kind_of(name),) if vendor.events_url else ()
        does = "sends your events in order" if self.kinds else "hands it to the app that asks for it"
        self.needs: tuple[str, ...] = (
            "Needs: that you authorize it on the vendor's own page.",
            f"Does: reads whose account it is, keeps that access alive, and {does}.",
            "Never: sees your password, or forwards anything before you chose where.",
        )
        self._vendor = vendor
        self._redirect_url = f"{settings.public_url}/install/{name}/callback"
        self._secrets = ClientSecrets(vendor.client_secret, vendor.client_secret_previous)
        self._issuer = Issuer(vendor.issuer, plain_http=settings.allow_private_vendors)

    def client(self) -> Client:
        """Our registration; each vendor has a redirect address of its own (RFC 9700 §4.4.2)."""
        return Client(
            key=self.client_key(),
            client_id=self._vendor.client_id,
            client_secret=self._secrets.first,
            redirect_url=self._redirect_url,
        )

    def client_key(self) -> str:
        """One Client per client id."""
        return f"{self.name}:{self._vendor.client_id}"

    def issuer(self) -> str:
        """As configured, and as every answer must name it."""
        return self._vendor.issuer

    def authorization(self, http: Http, state: Secret, verifier: Secret) -> Authorization:
        """The authorization request, if the vendor publishes what a connection will need."""
        metadata = self._issuer.metadata(http)
        if lacking := self._lacking(metadata):
            raise VendorAnswerInvalid(lacking)
        address = requests.authorization_address(
            metadata,
            self.client(),
            state=state,
            verifier=verifier,
            scope=self._vendor.scopes,
            more=self._parameters(),
        )
        return Authorization(address=address, names_issuer=metadata.names_issuer)

    def redeem(self, http: Http, code: Secret, verifier: Secret) -> Grant:
        """Trade a code, with the verifier of its request, for a grant."""
        return self._as_client(
            http, lambda metadata, client: requests.exchange(http, metadata, client, code, verifier)
        )

    def refresh(self, http: Http, refresh_token: Secret, *, scope: str, details: Mapping[str, Any]) -> Grant:
        """Trade the refresh token; a vendor that rotates gives the next one along."""
        return self._as_client(
            http, lambda metadata, client: requests.refresh(http, metadata, client, refresh_token)
        )

    def list_environments(
        self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]
    ) -> tuple[EnvironmentListing, ...]:
        """The account itself."""
        asked = "openid" in self._vendor.scopes.split()
        access_token = secrets["access_token"]
        found = self._as_client(
            http,
            lambda metadata, client: account.find(http, metadata, client, access_token, by_userinfo=asked),
        )
        return (found,)

    def revoke(self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]) -> None:
        """End the refresh token first, which ends the whole grant at most vendors; then the access token."""
        self._as_client(http, lambda metadata, client: _revoke(http, metadata, client, secrets))

    def encode(self, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
        """A batch of CloudEvents."""
        return cloudevents.encode(self._vendor.events_url, events, target)

    def read(self, response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
        """What the vendor answered to it."""
        return cloudevents.read(response, events, target)

    def _lacking(self, metadata: Metadata) -> str:
        if self._secrets.first.reveal() and not metadata.authentication:
            return "its metadata take no client secret in a header or a body: other ways are not known here"
        if not self._secrets.first.reveal() and not metadata.takes_public:
            return "its metadata take no Client without a secret, and none is configured"
        return account.missing(metadata)

    def _parameters(self) -> Mapping[str, str]:
        # Without being asked again, a person who agreed before gets no refresh token (OpenID Connect §11).
        consent = {"prompt": "consent"} if "offline_access" in self._vendor.scopes.split() else {}
        return {**consent, **self._vendor.parameters}

    def _as_client(self, http: Http, ask: Callable[[Metadata, Client], T]) -> T:
        try:
            metadata = self._issuer.metadata(http)
        except VendorRateLimited:
            raise
        except VendorError as error:
            # Nothing was asked of the endpoint itself: no code and no refresh token may have been spent.
            raise VendorUnavailable(str(error), sent=False) from None
        with self._doubting():
            return self._secrets.ask(self.client(), lambda client: ask(metadata, client))

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """After trouble that a moved endpoint would explain, the metadata are asked for anew."""
        try:
            yield
        except VendorRateLimited:
            raise
        except (VendorUnavailable, VendorAnswerInvalid, ClientRefused):
            self._issuer.doubt()
            raise


def _revoke(http: Http, metadata: Metadata, client: Client, secrets: Mapping[str, Secret]) -> None:
    if not metadata.revocation_endpoint:
        raise VendorAnswerInvalid("its metadata have no revocation_endpoint")
    for name in ("refresh_token", "access_token"):
        if name in secrets:
            requests.revoke(http, metadata, client, secrets[name], name)
