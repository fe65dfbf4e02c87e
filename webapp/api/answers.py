"""Answers: what the interface says of each noun; nothing that is not named here goes out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """What is answered; read from the attributes of the core's rows."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class AcceptedAnswer(Answer):
    """What became of a request's events; from here on none of them is lost."""

    accepted: int = Field(description="Events stored by this request.")
    duplicates: int = Field(description="Events that an earlier request stored already.")
    ids: tuple[str, ...] = Field(description="The id of each event here, in the order they were sent.")


class PlaceAnswer(Answer):
    """Where an event is, seen from one destination."""

    destination: UUID = Field(validation_alias="destination_id")
    connection: UUID = Field(validation_alias="connection_id")
    account: str = Field(validation_alias="account_key")
    environment: str
    kind: str
    standing: str = Field(
        description="waiting, held, delivered, filtered, before (accepted before it began), dead, "
        "expired or ended (it waited when the destination ended)."
    )
    at: datetime | None = Field(description="When it was settled, as far as that is kept.")
    reason: str | None = Field(description="Why it waits, or was refused.")
    due_at: datetime | None = Field(description="When it is tried next, if it waits.")
    dead_letter: UUID | None = Field(validation_alias="letter_id")
    possibly_delivered: bool = Field(
        description="A request that carried it was sent and never answered: it may be there, and twice."
    )


class BacklogAnswer(Answer):
    """How much waits for the slowest destination of a user, beside the most that may."""

    user: UUID = Field(validation_alias="user_id")
    events: int
    bytes: int = Field(description="Of the events' bodies, as stored.")
    most_events: int
    most_bytes: int
    share: float = Field(description="How full it is, by whichever is nearer: at 1 new events are refused.")


class EventAnswer(Answer):
    """One event, and where it is."""

    id: str
    seq: int = Field(description="Its place in its user's stream.")
    user: UUID
    accepted_at: datetime
    envelope: dict[str, Any] = Field(description="The event as it is sent.")
    places: tuple[PlaceAnswer, ...]


class ConnectionAnswer(Answer):
    """The lasting link between a user and one account at a vendor."""

    id: UUID
    user: UUID = Field(description="The user it belongs to.", validation_alias="owner_id")
    provider: str
    label: str = Field(description="The account, in a person's words.")
    state: str = Field(description="active, degraded, needs_reconnect, paused or disconnected.")
    reason: str | None = Field(description="Why it is not simply active, in one sentence.")
    created_at: datetime
    expires_at: datetime | None = Field(description="When the access token ends; null: nothing that expires.")
    refresh_at: datetime | None = Field(description="When the access token is refreshed next.")
    last_delivered_at: datetime | None
    waiting: int = Field(description="Events accepted and not yet settled, over all its destinations.")
    destinations: int
    held: int = Field(description="Destinations that stand still.")


class EnvironmentAnswer(Answer):
    """One environment of the account, as the vendor lists it."""

    id: UUID
    account: str = Field(validation_alias="account_key")
    environment: str = Field(validation_alias="vendor_key")
    state: str = Field(description="present, or missing from the vendor's list.")
    missing_since: datetime | None


class ConnectionDetailAnswer(Answer):
    """One connection, with its environments."""

    connection: ConnectionAnswer = Field(validation_alias="row")
    environments: tuple[EnvironmentAnswer, ...]
    environments_fetched_at: datetime | None
    disconnected_at: datetime | None
    revoking_until: datetime | None = Field(
        description="Until when at most the vendor is asked again to revoke what it did not confirm at the "
        "disconnect, and that alone stays sealed here; null: nothing is left."
    )


class ConnectionPage(Answer):
    """Some connections; `next` is the `after` of the page behind them."""

    items: tuple[ConnectionAnswer, ...] = Field(validation_alias="rows")
    next: str | None


class AccessTokenAnswer(Answer):
    """An access token that works now. Keep it no longer than `expires_at`, and in no log."""

    access_token: str
    expires_at: datetime | None


class DisconnectedAnswer(Answer):
    """A connection that ended."""

    id: UUID
    at_the_vendor: str = Field(description="What is left to do at the vendor, for its owner; may be empty.")


class LedgerAnswer(Answer):
    """What became of every event: accepted = delivered + filtered + dead + expired + waiting."""

    accepted: int
    delivered: int
    filtered: int
    dead: int
    expired: int
    waiting: int


class DestinationAnswer(Answer):
    """Where a user's events go: one environment, one kind."""

    id: UUID
    connection: UUID = Field(validation_alias="connection_id")
    user: UUID = Field(validation_alias="owner_id")
    provider: str
    account: str = Field(validation_alias="account_key")
    environment: str
    kind: str
    settings: dict[str, Any]
    hold: str | None = Field(
        description="Why it stands still: paused, key_refused, failing, gone or disconnected."
    )
    reason: str | None
    failures: int = Field(description="Tries in a row that failed.")
    failing_since: datetime | None
    last_delivered_at: datetime | None
    cursor_seq: int = Field(description="The last seq settled here.")
    head_seq: int = Field(description="The last seq accepted for this user.")
    tail_seq: int = Field(description="The first seq still kept: how far back a rewind can go.")
    ledger: LedgerAnswer
    created_at: datetime
    closed_at: datetime | None


class DestinationDetailAnswer(DestinationAnswer):
    """One destination, looked at by itself."""

    drained_in_seconds: float | None = Field(
        description="About how long until nothing waits here, at the pace of its last requests; null while "
        "that cannot be told: it is held, fails, or has delivered nothing yet."
    )


class RewindAnswer(Answer):
    """What a rewind would send again."""

    first_seq: int
    events: int


class DestinationPage(Answer):
    """Some destinations, newest first; `next` is the `after` of the page behind them."""

    items: tuple[DestinationAnswer, ...] = Field(validation_alias="rows")
    next: str | None


class RequestAnswer(Answer):
    """A request as it would go out, its secrets `***`."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str = Field(description="As text; of OTLP as the JSON that it has, though protobuf is sent.")
    body_bytes: int = Field(description="How many bytes are sent, but for compression.")


class PreviewAnswer(Answer):
    """What settings would make of the latest events; nothing is sent for it, and nothing kept."""

    request: RequestAnswer | None = Field(description="Of the newest event that would be sent.")
    reason: str | None = Field(description="Why there is no request.")
    event: str | None = Field(
        validation_alias="event_id",
        description="The event's id; null beside a request: none is kept, so a sample stands in.",
    )
    type: str | None
    looked_at: int = Field(description="So many of the latest events were looked at.")
    wanted: int = Field(description="So many of them would be sent.")


class DeadLetterAnswer(Answer):
    """An event that one destination could not take, with the reason."""

    id: UUID
    destination: UUID = Field(validation_alias="destination_id")
    connection: UUID = Field(validation_alias="connection_id")
    account: str = Field(validation_alias="account_key")
    environment: str
    kind: str
    event: str = Field(
        validation_alias="event_id", description="The event's id, as it was answered at first."
    )
    seq: int
    type: str
    reason: str
    witness: str | None = Field(
        description="What shows that the event is to blame and not its destination; null: not kept."
    )
    state: str = Field(description="open, queued, replayed, discarded or superseded.")
    created_at: datetime
    changed_at: datetime


class QueuedAnswer(Answer):
    """What waits to be sent again."""

    queued: int = Field(description="So many dead letters were open and are sent again.")


class DeadLetterPage(Answer):
    """Some dead letters, newest first; `next` is the `after` of the page behind them."""

    items: tuple[DeadLetterAnswer, ...] = Field(validation_alias="rows")
    next: str | None


class SourceAnswer(Answer):
    """A sender that signs what it sends for one user: GitHub."""

    id: UUID
    kind: str
    name: str
    user: UUID = Field(description="Whose events it sends.", validation_alias="owner_id")
    address: str = Field(description="Where it sends to: the payload URL at GitHub.")
    created_at: datetime
    used_at: datetime | None = Field(description="When something with a good signature came last.")
    previous_until: datetime | None = Field(description="Until when the secret before this one signs too.")
    ended_at: datetime | None


class SourceSecretAnswer(Answer):
    """A source with its new secret, which no later answer shows."""

    source: SourceAnswer
    secret: str


class SourcePage(Answer):
    """Some sources, newest first; `next` is the `after` of the page behind them."""

    items: tuple[SourceAnswer, ...]
    next: str | None


class UserAnswer(Answer):
    """What there is of a user: all of it goes when they are deleted."""

    id: UUID
    open_connections: int
    connections: int = Field(description="Those that were disconnected too.")
    destinations: int
    events: int = Field(description="How many are kept here.")
    waiting: int = Field(description="How many deliveries of them are still to come.")
    dead_letters: int
    sources: int
    api_keys: int
    deleting_since: datetime | None = Field(
        description="Since when they are being deleted.", validation_alias="begun_at"
    )


class ConnectSessionAnswer(Answer):
    """A link that works once: send the user's browser there."""

    url: str
    expires_at: datetime
