"""What Hitchpost remembers: one noun, or one small family of nouns, a file."""

from webapp.models.base import Base
from webapp.models.connections import Account, Connection, ConnectionState, Environment, EnvironmentState
from webapp.models.credentials import Credential, CredentialKind, Revocation
from webapp.models.installs import OPEN_STATES, Install, InstallState
from webapp.models.notices import Errand, ErrandState, Incident, Notice, Way
from webapp.models.people import ApiKey, LinkKind, OneTimeLink, Role, SessionKind, User, UserSession
from webapp.models.records import AuditHead, AuditLine, Breaker, Instance, Pace, Process
from webapp.models.sources import Source
from webapp.models.streams import (
    Attempt,
    AttemptOutcome,
    DeadLetter,
    DeadLetterState,
    Destination,
    Event,
    Hold,
    Stream,
)

__all__ = [
    "OPEN_STATES",
    "Account",
    "ApiKey",
    "Attempt",
    "AttemptOutcome",
    "AuditHead",
    "AuditLine",
    "Base",
    "Breaker",
    "Connection",
    "ConnectionState",
    "Credential",
    "CredentialKind",
    "DeadLetter",
    "DeadLetterState",
    "Destination",
    "Environment",
    "EnvironmentState",
    "Errand",
    "ErrandState",
    "Event",
    "Hold",
    "Incident",
    "Install",
    "InstallState",
    "Instance",
    "LinkKind",
    "Notice",
    "OneTimeLink",
    "Pace",
    "Process",
    "Revocation",
    "Role",
    "SessionKind",
    "Source",
    "Stream",
    "User",
    "UserSession",
    "Way",
]
