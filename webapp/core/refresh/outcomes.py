"""What an answer to a refresh may be, and how a refresh may end."""

from enum import StrEnum
from typing import Final

from sqlalchemy.orm import Session

from webapp.core import audit
from webapp.core.audit import Act
from webapp.errors import VaultError, VendorError
from webapp.models import Connection
from webapp.providers.base import Grant


class Outcome(StrEnum):
    """How a refresh ended."""

    RENEWED = "renewed"
    #: no fault of the grant: tried again later
    LATER = "later"
    #: the vendor refuses the refresh token
    REFUSED = "refused"
    #: the vendor refuses our Client
    CLIENT_REFUSED = "client_refused"
    #: there is nothing to refresh it with
    NOTHING = "nothing"
    #: somebody else settled first: theirs holds
    FENCED = "fenced"


class Nothing:
    """No refresh token, or a provider that knows no refresh."""


NOTHING_TO_REFRESH: Final = Nothing()
Answer = Grant | VendorError | VaultError | Nothing


def record(session: Session, connection: Connection, act: Act, detail: str) -> None:
    """A line of the connection's timeline, by Hitchpost itself."""
    thing = f"connection:{connection.id}"
    audit.record(session, audit.HITCHPOST, act, thing, connection_id=connection.id, detail=detail)
