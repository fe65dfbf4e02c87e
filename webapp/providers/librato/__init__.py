"""Librato: connects by e-mail and API token, trades a strong token for a weak one, takes annotations.

Librato docs, "API Tokens and Token Roles", "Annotations" and "Measurements". The service itself is gone; a
compatible endpoint is reached by HITCHPOST_LIBRATO_URL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from webapp.errors import AccessRefused, Fault, Invalid
from webapp.lib.http import Http, Request, Response
from webapp.lib.secret import Secret
from webapp.providers.answers import errors_in, is_page, setback_of
from webapp.providers.base import EnvironmentListing, Proposal, StoredCredential
from webapp.providers.forms import FieldKind, FormField
from webapp.providers.librato import annotations, api, measurements
from webapp.providers.librato.api import Role
from webapp.providers.librato.paste import check_email, check_token
from webapp.providers.librato.words import is_rate_limit, wait_of, words_of
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Setback, Target
from webapp.settings import Settings

#: The field of the form to take back with.
_FULL = "full_token"
_MAY = {
    Role.FULL: "Full Access: it can send annotations and measurements, and also read, change and delete all "
    "that is in the account, other tokens included.",
    Role.RECORD: "Record Only: it can send annotations and measurements and read them, and nothing else.",
}


class Librato:
    """The provider. Abilities: Connects, DownScopes, TakesBack, ListsEnvironments, Receives and
    Rechecks.
    """

    name: ClassVar[str] = "librato"
    title: ClassVar[str] = "Librato"
    lists_with: ClassVar[tuple[str, str]] = ("api_token", "")
    farewell: ClassVar[str] = "Delete the API token at Librato: Integrations, API Tokens."
    form: ClassVar[tuple[FormField, ...]] = (
        FormField(name="email", label="E-mail", kind=FieldKind.EMAIL, max_length=254, help="Of the account."),
        FormField(
            name="api_token",
            label="API token",
            kind=FieldKind.SECRET,
            max_length=512,
            help="Integrations, API Tokens. Record Only is enough; View Only is not.",
        ),
        FormField(
            name="mint",
            label="With a Full Access token, make a Record Only one and forget mine",
            kind=FieldKind.FLAG,
            required=False,
            default="on",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = (
        "Needs: your account's e-mail and an API token, Record Only or Full Access.",
        "Does: posts annotations and measurements; looks for an annotation again when an answer was lost.",
        "Never: keeps a Full Access token unless you say so, or looks at other tokens' values.",
    )
    take_back_form: ClassVar[tuple[FormField, ...]] = (
        FormField(
            name=_FULL,
            label="A Full Access API token, to delete ours with",
            kind=FieldKind.SECRET,
            required=False,
            max_length=512,
            help="Used once, now, and not kept. Without it you delete our token by hand.",
        ),
    )
    kinds: ClassVar[tuple[DestinationKind, ...]] = (annotations.KIND, measurements.KIND)

    def __init__(self, settings: Settings) -> None:
        self._base = settings.librato_url
        self._events = f"{settings.public_url}/events/find"
        self._host = urlsplit(settings.public_url).netloc

    def propose(self, http: Http, values: Mapping[str, str]) -> Proposal:
        """Verify, find the role, refuse View Only. Nothing is made or kept yet."""
        email, api_token = check_email(values.get("email", "")), check_token(values.get("api_token", ""))
        login = self._login(http, email, api_token)
        try:
            api.verify(login)
        except AccessRefused as error:
            what = f"was refused by Librato (“{error}”): wrong e-mail or token, or the token is inactive"
            raise Invalid([Fault("api_token", what)]) from None
        role, row = api.find_role(login)
        if role is Role.VIEW:
            what = "is View Only: it cannot send anything. Make a Record Only one at Integrations, API Tokens"
            raise Invalid([Fault("api_token", what)])
        mint = role is Role.FULL and bool(values.get("mint"))
        return Proposal(
            label=email,
            credentials=(_stored(api_token),),
            environments=(EnvironmentListing(account_key=email, vendor_key=email, ingest_key=None),),
            details={
                "email": email,
                "role": role.value,
                "mint": mint,
                "token_id": row.id if row else "",
                "token_name": row.name if row else "",
            },
            findings=_findings(role, mint=mint),
        )

    def down_scope(self, http: Http, proposal: Proposal) -> Proposal:
        """With Full Access and the person's leave: mint a Record Only token of our own, drop theirs."""
        if not proposal.details.get("mint"):
            return proposal
        email, full = str(proposal.details["email"]), proposal.credentials[0].parts["api_token"]
        name = f"Hitchpost {self._host}"
        minted, token_id = api.make_token(self._login(http, email, full), name, Role.RECORD)
        details = {
            "email": email,
            "role": Role.RECORD.value,
            "mint": False,
            "token_id": token_id,
            "token_name": name,
            "minted": True,
        }
        return replace(proposal, credentials=(_stored(minted),), details=details)

    def made(self, details: Mapping[str, Any]) -> str:
        """The token that was minted, by its name and id."""
        if not details.get("minted"):
            return ""
        return (
            f"Hitchpost made itself the Record Only API token “{details['token_name']}” "
            f"(number {details['token_id']}) at Librato."
        )

    def take_back(self, http: Http, values: Mapping[str, str], details: Mapping[str, Any]) -> None:
        """Delete the minted token with a Full Access one."""
        full = check_token(values.get(_FULL, ""), _FULL)
        try:
            api.delete_token(self._login(http, str(details["email"]), full), str(details["token_id"]))
        except AccessRefused as error:
            what = f"was refused by Librato (“{error}”): it takes a Full Access token of this account"
            raise Invalid([Fault(_FULL, what)]) from None

    def _login(self, http: Http, email: str, api_token: Secret) -> api.Login:
        return api.Login(http=http, base=self._base, email=email, api_token=api_token)

    def verify(self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]) -> None:
        """Whether the token still works."""
        api.verify(self._login(http, str(details["email"]), secrets["api_token"]))

    def list_environments(
        self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]
    ) -> tuple[EnvironmentListing, ...]:
        """The account itself, if its token still works."""
        self.verify(http, secrets, details)
        email = str(details["email"])
        return (EnvironmentListing(account_key=email, vendor_key=email, ingest_key=None),)

    def encode(self, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
        """An annotation, or a batch of measurements."""
        if target.kind == measurements.KIND.name:
            return measurements.encode(events, target, self._base)
        return annotations.encode(events[0], target, self._base, self._events)

    def read(self, response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
        """What the answer means; a rate limit is never a refusal, and a 2xx may carry `errors`."""
        if 200 <= response.status < 300 and not is_page(response) and not errors_in(response):
            return Reading(settled=len(events))
        words = words_of(response, tuple(target.secrets.values()))
        return Reading(
            settled=0, setback=_setback(response), words=words, retry_after=wait_of(response.headers)
        )

    def recheck(self, events: Sequence[OutgoingEvent], target: Target) -> Request | None:
        """Measurements of one moment overwrite themselves; annotations would make twins."""
        if target.kind != annotations.KIND.name:
            return None
        return annotations.recheck(events[0], target, self._base)

    def already_taken(
        self, response: Response, events: Sequence[OutgoingEvent], target: Target
    ) -> int | None:
        """Whether the annotation is there."""
        return annotations.already_taken(response, events[0], target, self._events)


def _setback(response: Response) -> Setback:
    if is_rate_limit(response):
        return Setback.RATE_LIMITED
    if 200 <= response.status < 300 and not is_page(response):
        return Setback.REFUSED
    return setback_of(response)


def _stored(api_token: Secret) -> StoredCredential:
    return StoredCredential(kind="api_token", parts={"api_token": api_token})


def _findings(role: Role, *, mint: bool) -> tuple[str, ...]:
    if mint:
        return (
            f"Your token is {_MAY[role]}",
            "When you confirm, Hitchpost makes a Record Only token with it, keeps that, and forgets yours.",
        )
    return (f"Your token is {_MAY[role]}",)
