"""What a provider can be asked: small abilities, each a protocol. A provider states only those it has.

These are conversations: exchange, refresh, list, verify. Each takes the one outgoing `http`. Taking events is
an ability without any, and has a room of its own: `receiving`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from webapp.lib.http import Http
from webapp.lib.secret import Secret
from webapp.providers.forms import FormField


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Our registration at a provider (RFC 6749 §2). `key` tells several of one provider apart."""

    key: str
    client_id: str
    client_secret: Secret
    #: the one redirect address registered there
    redirect_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a code, a paste or a refresh gives. Lifetime counts from the moment the answer was received."""

    access_token: Secret
    #: None when the answer has none: the one we hold stays good
    refresh_token: Secret | None
    #: another one that came along: tried only when the one we hold is refused
    spare_refresh_token: Secret | None = None
    #: seconds
    lifetime: float
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentListing:
    """One environment as the vendor lists it."""

    #: the Account it belongs to: a workspace, an organization, an e-mail
    account_key: str
    vendor_key: str
    #: the key events are sent with; None where the vendor lists none or where the grant itself is used
    ingest_key: Secret | None
    #: the Account in a person's words, where its key is none
    account_label: str = ""
    #: what else was seen, to be remembered in the connection's details; never a secret
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """One credential to be sealed: `parts` are the strings that are secret together."""

    #: a value of models.CredentialKind
    kind: str
    scope: str = ""
    parts: Mapping[str, Secret] = field(repr=False)
    #: seconds from now until it dies; None: it does not by itself
    lifetime: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a pasted form amounts to, after the vendor was asked: shown for confirmation, then stored."""

    label: str
    credentials: tuple[StoredCredential, ...]
    environments: tuple[EnvironmentListing, ...]
    #: what the provider needs to remember of the account; never a secret
    details: Mapping[str, Any] = field(default_factory=dict)
    #: sentences for the person: what was found, what is kept, what is dropped
    findings: tuple[str, ...] = ()


class Provider(Protocol):
    """A vendor. `name` is its word in code, tables and URLs; `title` is what people read."""

    @property
    def name(self) -> str:
        """Lower case, an identifier."""
        ...

    @property
    def title(self) -> str:
        """As the vendor writes it."""
        ...

    @property
    def farewell(self) -> str:
        """A sentence on what is left to do at the vendor after a disconnect; "": nothing."""
        ...


@runtime_checkable
class Installs(Protocol):
    """Connects by an install redirect with a code."""

    #: how long a code lives, in seconds
    code_seconds: ClassVar[float]

    def client(self) -> Client:
        """Our registration, from settings."""
        ...

    def install_url(self) -> str:
        """Where the vendor's consent page is."""
        ...

    def console_origin(self) -> str:
        """The origin whose Referer a solicited callback carries."""
        ...

    def exchange(self, http: Http, code: Secret) -> Grant:
        """Trade a code for a grant.

        Raises GrantRefused, ClientRefused, VendorUnavailable, VendorAnswerInvalid.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """Where a person authorizes us, and what the answer will be held to."""

    #: with the state in it: never logged
    address: str = field(repr=False)
    #: the vendor announces that its answers name the issuer: one that does not is not its own (RFC 9207)
    names_issuer: bool


@runtime_checkable
class Authorizes(Protocol):
    """Connects by an authorization request of ours, whose state, PKCE verifier and issuer tie the code to
    the session that asked (RFC 9700 §2.1): what comes back without them is nobody's.
    """

    #: how long a code lives, in seconds
    code_seconds: ClassVar[float]

    @property
    def needs(self) -> tuple[str, ...]:
        """Sentences: what it needs, will do, will never do."""
        ...

    def client(self) -> Client:
        """Our registration, from settings."""
        ...

    def client_key(self) -> str:
        """Our registration; stable per client id."""
        ...

    def issuer(self) -> str:
        """Who answers, as its answers name it."""
        ...

    def authorization(self, http: Http, state: Secret, verifier: Secret) -> Authorization:
        """The request that a browser carries there.

        Raises VendorUnavailable, VendorAnswerInvalid: it cannot be asked, or lacks what this needs.
        """
        ...

    def redeem(self, http: Http, code: Secret, verifier: Secret) -> Grant:
        """Trade a code, with the verifier of its request, for a grant. Raises as `Installs.exchange`."""
        ...


@runtime_checkable
class Connects(Protocol):
    """Connects by a form."""

    form: ClassVar[tuple[FormField, ...]]
    #: sentences: what it needs, will do, will never do
    needs: ClassVar[tuple[str, ...]]

    def propose(self, http: Http, values: Mapping[str, str]) -> Proposal:
        """Check what was pasted, with the vendor. Raises Invalid (a Fault per field) or VendorUnavailable."""
        ...


@runtime_checkable
class Refreshes(Protocol):
    """Keeps a grant alive by its refresh token."""

    def client_key(self) -> str:
        """Which Client is charged with a refused secret; stable per registration."""
        ...

    def refresh(self, http: Http, refresh_token: Secret, *, scope: str, details: Mapping[str, Any]) -> Grant:
        """Raises GrantRefused, ClientRefused, VendorUnavailable (RateLimited), VendorAnswerInvalid."""
        ...


@runtime_checkable
class ListsEnvironments(Protocol):
    """Lists the environments that a connection reaches."""

    #: the credential to ask with: a value of models.CredentialKind, and a scope
    lists_with: ClassVar[tuple[str, str]]

    def list_environments(
        self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]
    ) -> tuple[EnvironmentListing, ...]:
        """All of them. Raises AccessRefused, VendorUnavailable, VendorAnswerInvalid: never a partial list."""
        ...


@runtime_checkable
class Revokes(Protocol):
    """Can end a credential at the vendor."""

    def revoke(self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]) -> None:
        """Raises VendorUnavailable when it should be tried again."""
        ...


@runtime_checkable
class DownScopes(Protocol):
    """Can trade a credential for a weaker one of its own before anything is stored."""

    def down_scope(self, http: Http, proposal: Proposal) -> Proposal:
        """The proposal to store instead; the same one when there is nothing to weaken. Raises VendorError."""
        ...


@runtime_checkable
class TakesBack(Protocol):
    """Makes something of its own at the vendor, and deletes it with a secret given for that moment."""

    #: what is asked for, all of it optional
    take_back_form: ClassVar[tuple[FormField, ...]]

    def made(self, details: Mapping[str, Any]) -> str:
        """What of ours is at the vendor, in a sentence; "": nothing."""
        ...

    def take_back(self, http: Http, values: Mapping[str, str], details: Mapping[str, Any]) -> None:
        """Delete it. Raises Invalid (a Fault per field) or VendorError: then it is still there."""
        ...
