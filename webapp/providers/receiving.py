"""Taking events: what a provider is given of them, what it makes of them, and what its answers mean.

Delivery is pure: `encode` makes a request of a run of events, `read` says what the answer means; the engine
does all input and output.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from webapp.lib.http import Request, Response
from webapp.lib.secret import Secret
from webapp.providers.forms import FormField

#: How the types of Events begin whose body is an OTLP request in protobuf, `otlp.logs`; of all others it is
#: the envelope, in JSON.
OTLP_TYPES = "otlp."


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An Event as an encoder sees it. `body` is as stored: the envelope, exact JSON, or an OTLP request."""

    seq: int
    type: str
    source: str
    subject: str | None
    state: str | None
    time: datetime
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where and how to deliver: a Destination with what its encoder needs."""

    kind: str
    account_key: str
    environment_key: str
    settings: Mapping[str, Any]
    details: Mapping[str, Any]
    #: the parts of the credential it is sent with: ingest_key, or access_token, or email and api_token
    secrets: Mapping[str, Secret] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One request that carries the first `count` events of the run it was made from.

    Without a request there is nothing in those events for this destination: they are settled as filtered.
    """

    request: Request | None
    count: int


class Setback(StrEnum):
    """Why events of a request are not settled."""

    #: no fault of the events: try the same again later
    TRANSIENT = "transient"
    #: the vendor asks to slow down
    RATE_LIMITED = "rate_limited"
    #: the key or access token was not accepted
    KEY_REFUSED = "key_refused"
    #: the request as a whole was refused for good, and which event is to blame is not said
    REFUSED = "refused"
    #: too much in one request
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an answer says: a settled prefix, then perhaps a setback for all behind it.

    Of the first `settled` events all were taken, except those in `rejected` (index → reason): refused.
    `settled < count` needs a `setback`.
    """

    settled: int
    rejected: Mapping[int, str] = field(default_factory=dict)
    setback: Setback | None = None
    #: the vendor's words, capped at 300 characters
    words: str = ""
    #: what is to be noted of a delivery though all events were taken, capped alike
    remark: str = ""
    #: seconds the vendor asks us to wait
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationKind:
    """An endpoint and its encoder, `baselime.events`, with its settings as form fields."""

    name: str
    title: str
    #: which credential it is sent with: the environment's ingest key, the connection's grant or API token
    credential_kind: str
    credential_scope: str = ""
    settings: tuple[FormField, ...] = ()
    #: the one signal of OpenTelemetry that it takes, as OTLP; "": every other event, as envelopes
    otlp_signal: str = ""
    #: bytes of bodies and number of events that one request may carry
    batch_bytes: int
    batch_events: int

    def carries(self, type: str) -> bool:
        """Whether the bodies of events of this type are what it writes."""
        if self.otlp_signal:
            return type == OTLP_TYPES + self.otlp_signal
        return not type.startswith(OTLP_TYPES)


@runtime_checkable
class Receives(Protocol):
    """Takes events. Pure: no call leaves from here."""

    @property
    def kinds(self) -> tuple[DestinationKind, ...]:
        """What it takes, each with its endpoint; none when this instance knows no endpoint of it."""
        ...

    def encode(self, events: Sequence[OutgoingEvent], target: Target) -> Encoded:
        """A request for a non-empty prefix of `events` under the vendor's limits."""
        ...

    def read(self, response: Response, events: Sequence[OutgoingEvent], target: Target) -> Reading:
        """What `response` means for the `events` that were encoded into its request."""
        ...


@runtime_checkable
class Rechecks(Protocol):
    """Can look whether a request whose answer was lost was taken, so that sending again makes no twin."""

    def recheck(self, events: Sequence[OutgoingEvent], target: Target) -> Request | None:
        """The question to ask before `events` are sent again; None: this kind cannot look."""
        ...

    def already_taken(
        self, response: Response, events: Sequence[OutgoingEvent], target: Target
    ) -> int | None:
        """How many of the first `events` the vendor has; None when the answer does not say."""
        ...
