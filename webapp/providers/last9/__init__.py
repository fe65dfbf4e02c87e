"""Last9 (formerly Levitate): connects by pasted refresh tokens, refreshes per scope, takes change events.

Last9 docs, "Getting started with API", "Change Events" and "Declarative Alerting via IaC".
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from webapp.errors import AccessRefused, Fault, GrantRefused, Invalid
from webapp.lib import clock
from webapp.lib.http import Http, Response
from webapp.lib.secret import Secret
from webapp.providers.base import EnvironmentListing, Grant, Proposal, StoredCredential
from webapp.providers.forms import FieldKind, FormField
from webapp.providers.last9 import api, change_events
from webapp.providers.last9.address import Address, Refused, check_host, is_organization, read_address
from webapp.providers.last9.paste import FIELD, Paste, Pasted, read_paste, refuse
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Target
from webapp.settings import Settings

_DEFAULT_HOST = "app.last9.io"


class Last9:
    """The provider. Abilities: Connects, Refreshes, ListsEnvironments and Receives."""

    name: ClassVar[str] = "last9"
    title: ClassVar[str] = "Last9"
    lists_with: ClassVar[tuple[str, str]] = ("grant", "write")
    farewell: ClassVar[str] = "An Admin can revoke the refresh token at Last9: Settings, API Access."
    form: ClassVar[tuple[FormField, ...]] = (
        FormField(
            name=FIELD,
            label="Refresh token",
            kind=FieldKind.SECRET_TEXT,
            help="The write refresh token from API Access. The read/write/delete triple and the api_config "
            "JSON are understood too; only write is needed.",
            max_length=65_536,
        ),
        FormField(
            name="base_url",
            label="Base URL",
            kind=FieldKind.URL,
            required=False,
            help="From API Access, if yours is not https://app.last9.io. Any of …/api, …/api/v4 and "
            "…/organizations/<org> at its end is fine.",
            max_length=300,
        ),
    )
    needs: ClassVar[tuple[str, ...]] = (
        "Needs: one write refresh token, made by an Admin of your organization.",
        "Does: sends change events; reads the names of your data sources.",
        "Never: deletes anything, stores a data source's password, or keeps a token that is not needed.",
    )
    kinds: ClassVar[tuple[DestinationKind, ...]] = (change_events.KIND,)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def propose(self, http: Http, values: Mapping[str, str]) -> Proposal:
        """Take the paste apart, trade the write token once, look at the account. Nothing is kept here."""
        paste = read_paste(values.get(FIELD, ""), now=clock.now())
        write = _write_of(paste)
        address = self._address(values.get("base_url") or paste.base_url or "", write)
        organization = _organization(paste, write, address)
        base = self._base(address.host)
        kept = [pasted for pasted in paste.tokens if pasted.scope in self._settings.last9_scopes]
        grants = {pasted.scope: _exchange(http, base, pasted) for pasted in kept}
        sources = _look(http, base, organization, grants["write"].access_token)
        return Proposal(
            label=organization,
            credentials=tuple(_stored(pasted, grants[pasted.scope]) for pasted in kept),
            environments=(_environment(organization, sources),),
            details={"host": address.host, "organization": organization, "data_sources": list(sources)},
            findings=_findings(paste, kept, write, address.host, sources),
        )

    def client_key(self) -> str:
        """There is no registration at Last9: nothing of ours can be refused."""
        return self.name

    def refresh(self, http: Http, refresh_token: Secret, *, scope: str, details: Mapping[str, Any]) -> Grant:
        """Trade the refresh token; the one we hold is kept, and another that comes back is a spare one."""
        return api.exchange(http, self._base(str(details["host"])), refresh_token)

    def list_environments(
        self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]
    ) -> tuple[EnvironmentListing, ...]:
        """The organization itself; asking for its data sources shows that it is still there."""
        organization = str(details["organization"])
        base = self._base(str(details["host"]))
        sources = api.data_sources(http, base, organization, secrets["access_token"])
        return (_environment(organization, sources),)

    def encode(self, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
        """One event a call."""
        return change_events.encode(events[0], target, self._base(str(target.details["host"])))

    def read(self, response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
        """What the answer means for that event."""
        return change_events.read(response, target)

    def _base(self, host: str) -> str:
        """Where calls go: never to a host that the operator has not allowed, whatever a row says."""
        return self._settings.last9_url or f"https://{check_host(host, self._settings.last9_hosts)}"

    def _address(self, text: str, write: Pasted) -> Address:
        try:
            if not text.strip():
                return Address(check_host(write.claims.host or _DEFAULT_HOST, self._allowed()), None)
            address = read_address(text, self._settings.last9_hosts, self._settings.last9_url)
            _refuse_other_host(address, write)
            return address
        except Refused as error:
            where = "base_url" if text.strip() else FIELD
            raise Invalid([Fault(where, str(error))]) from None

    def _allowed(self) -> tuple[str, ...]:
        own = urlsplit(self._settings.last9_url).netloc
        return (*self._settings.last9_hosts, own) if own else self._settings.last9_hosts


def _environment(organization: str, sources: Sequence[str]) -> EnvironmentListing:
    """An organization is one environment; its data sources are a setting of the destination."""
    return EnvironmentListing(
        account_key=organization,
        vendor_key=organization,
        ingest_key=None,
        details={"data_sources": list(sources)},
    )


def _write_of(paste: Paste) -> Pasted:
    for pasted in paste.tokens:
        if pasted.scope == "write":
            return pasted
    scopes = " and ".join(pasted.scope for pasted in paste.tokens)
    raise refuse(f"is there for {scopes} only: sending change events needs the write one")


def _refuse_other_host(address: Address, write: Pasted) -> None:
    if write.claims.host is not None and write.claims.host.lower() != address.host:
        raise Refused(f"is not the host that the token is for ({write.claims.host[:100]})")


def _organization(paste: Paste, write: Pasted, address: Address) -> str:
    organization = write.claims.organization or ""
    if not is_organization(organization):
        raise refuse("names an organization with characters that no slug has")
    if address.organization not in {None, organization}:
        what = f"names the organization {address.organization!r}, the token is for {organization!r}"
        raise Invalid([Fault("base_url", what)])
    if paste.organization not in {None, organization}:
        raise refuse(f"is for the organization {organization!r}, but its api_config names another")
    return organization


def _exchange(http: Http, base: str, pasted: Pasted) -> Grant:
    try:
        grant = api.exchange(http, base, pasted.refresh_token)
    except GrantRefused as error:
        raise refuse(
            f"was refused by Last9 (“{error}”): it was revoked, or it is an access token. "
            "Copy the refresh token, or make a new one on API Access"
        ) from None
    scopes = grant.scope.split()
    if scopes and pasted.scope not in scopes:
        raise refuse(f"is a {' and '.join(scopes)} token where a {pasted.scope} one is needed")
    return grant


def _look(http: Http, base: str, organization: str, access_token: Secret) -> tuple[str, ...]:
    try:
        return api.data_sources(http, base, organization, access_token)
    except AccessRefused as error:
        raise refuse(f"was traded, but Last9 does not let it look at {organization!r} (“{error}”)") from None


def _stored(pasted: Pasted, grant: Grant) -> StoredCredential:
    parts = {"access_token": grant.access_token, "refresh_token": pasted.refresh_token}
    if grant.spare_refresh_token is not None:
        parts["spare_refresh_token"] = grant.spare_refresh_token
    return StoredCredential(kind="grant", scope=pasted.scope, parts=parts, lifetime=grant.lifetime)


_COULD = {
    "read": "read could look at everything",
    "write": "write sends change events, and could change dashboards and rules",
    "delete": "delete could remove data for good",
}


def _findings(
    paste: Paste, kept: Sequence[Pasted], write: Pasted, host: str, sources: Sequence[str]
) -> tuple[str, ...]:
    found = [f"Organization {write.claims.organization} at {host}."]
    if write.claims.email:
        found.append(f"Made by {write.claims.email[:200]}.")
    if write.claims.expires_at:
        found.append(f"This refresh token dies on {write.claims.expires_at:%d %B %Y}.")
    found.append(f"Data sources: {', '.join(sources)[:300]}." if sources else "It has no data source yet.")
    found += [f"Kept: {pasted.scope} ({_COULD[pasted.scope]})." for pasted in kept]
    found += [f"Dropped: {one.scope} ({_COULD[one.scope]})." for one in paste.tokens if one not in kept]
    return tuple(found)
