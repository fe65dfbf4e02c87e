"""A fourth provider, as small as one can be: what adding a vendor takes, in one file.

Its vendor exists in these tests alone. One API token; `GET /me` says whose it is; `POST /events` takes one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from webapp.errors import AccessRefused, Fault, Invalid
from webapp.lib.http import Http, Request, Response
from webapp.lib.secret import Secret
from webapp.providers.answers import access_refusal, json_of, retry_after, words_of
from webapp.providers.base import EnvironmentListing, Proposal, StoredCredential
from webapp.providers.forms import FieldKind, FormField
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Setback, Target
from webapp.settings import Settings

#: The one that it accepts.
API_TOKEN = "beacon-token-0123456789"

_SETBACKS = {
    400: Setback.REFUSED,
    401: Setback.KEY_REFUSED,
    413: Setback.TOO_LARGE,
    429: Setback.RATE_LIMITED,
}


class Beacon:
    """The provider. Abilities: Connects, ListsEnvironments and Receives."""

    name: ClassVar[str] = "beacon"
    title: ClassVar[str] = "Beacon"
    farewell: ClassVar[str] = "Delete the API token at Beacon."
    lists_with: ClassVar[tuple[str, str]] = ("api_token", "")
    form: ClassVar[tuple[FormField, ...]] = (
        FormField(name="api_token", label="API token", kind=FieldKind.SECRET, max_length=100),
    )
    needs: ClassVar[tuple[str, ...]] = (
        "Needs: an API token.",
        "Does: sends events.",
        "Never: reads anything.",
    )
    kinds: ClassVar[tuple[DestinationKind, ...]] = (
        DestinationKind(
            name="beacon.events",
            title="Events",
            credential_kind="api_token",
            settings=(FormField(name="types", label="Event types", default="*"),),
            batch_bytes=1_000_000,
            batch_events=1,
        ),
    )
    base: ClassVar[str] = "https://api.beacon.example"

    def __init__(self, settings: Settings) -> None:
        """Nothing of this instance matters to it."""

    def propose(self, http: Http, values: Mapping[str, str]) -> Proposal:
        """Ask whose token it is."""
        secrets = {"api_token": Secret(values.get("api_token", "").strip())}
        try:
            listings = self.list_environments(http, secrets, {})
        except AccessRefused as error:
            raise Invalid([Fault("api_token", f"was refused by Beacon (“{error}”)")]) from None
        account = listings[0].account_key
        credential = StoredCredential(kind="api_token", parts=secrets)
        return Proposal(
            label=account,
            credentials=(credential,),
            environments=listings,
            findings=(f"This is the account {account}.",),
        )

    def list_environments(
        self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]
    ) -> tuple[EnvironmentListing, ...]:
        """The account itself."""
        answer = http.send(
            Request(method="GET", url=f"{self.base}/me", headers=_headers(secrets["api_token"]))
        )
        if answer.status != 200:
            raise access_refusal(answer, (secrets["api_token"],))
        account = str(json_of(answer)["account"])
        return (EnvironmentListing(account_key=account, vendor_key=account, ingest_key=None),)

    def encode(self, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
        """One event a call; the stored envelope is what Beacon reads."""
        headers = _headers(target.secrets["api_token"]) | {"content-type": "application/json"}
        request = Request(method="POST", url=f"{self.base}/events", headers=headers, body=events[0].body)
        return Encoded(request=request, count=1)

    def read(self, response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
        """201 is the one success."""
        if response.status == 201:
            return Reading(settled=len(events))
        return Reading(
            settled=0,
            setback=_SETBACKS.get(response.status, Setback.TRANSIENT),
            words=words_of(response, tuple(target.secrets.values())),
            retry_after=retry_after(response.headers),
        )


def _headers(api_token: Secret) -> dict[str, str]:
    return {"authorization": f"Bearer {api_token.reveal()}"}


def answer(method: str, path: str, authorization: str, taken: list[dict[str, Any]], body: bytes) -> int:
    """Beacon itself: the status of its answer. What it takes is put into `taken`."""
    if authorization != f"Bearer {API_TOKEN}":
        return 401
    if (method, path) == ("POST", "/events"):
        taken.append(json.loads(body))
        return 201
    return 200
