"""The one tree of errors; each class says what happened, and each face maps the tree once.

HitchpostError
├── SettingsError            a setting is missing, wrong or unsafe
├── VaultError               a sealed value could not be opened
│   ├── KeyMissing           sealed under a key that the key ring lacks
│   └── SealBroken           changed, moved or truncated
├── NotFound                 no such thing, or not yours
├── Conflict                 the state of things does not allow it
│   ├── Fenced               somebody else holds it now
│   └── IdentityConflict     another event is known under this identity
├── Forbidden                known, but not allowed
├── Invalid                  bad input, with every fault and where it is
├── Overloaded               not now: try again later
│   ├── BacklogFull          as much waits for this user as may
│   └── EventsTooFast        more events come for this user than may
├── NotMailed                a mail was not taken, or nobody knows
└── VendorError              the vendor's answer, in its own words
    ├── VendorUnavailable    no usable answer: network, timeout, 5xx, HTML, 3xx
    │   └── VendorRateLimited
    ├── VendorAnswerInvalid  an answer that fails our validator
    ├── GrantRefused         this code or refresh token is not accepted
    ├── ClientRefused        our own client id or secret is not accepted
    └── AccessRefused        this access token or key is not accepted
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of an input: `where` is a JSON Pointer (RFC 6901) or a field's name, `what` a sentence."""

    where: str
    what: str


class HitchpostError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class SettingsError(HitchpostError):
    """The configuration has faults."""

    def __init__(self, faults: Sequence[str]) -> None:
        """`faults` are whole lines that name the setting and never its value."""
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class VaultError(HitchpostError):
    """A sealed value could not be opened."""


class KeyMissing(VaultError):
    """The key ring lacks the key that a sealed value names."""


class SealBroken(VaultError):
    """A sealed value was changed, moved or cut short."""


class NotFound(HitchpostError):
    """There is no such thing here."""


class Conflict(HitchpostError):
    """The present state does not allow this."""


class Fenced(Conflict):
    """Somebody else holds this now; what was under way is discarded."""


class IdentityConflict(Conflict):
    """Another event is known under the same user, source and id."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """One Fault for each event in conflict: a JSON Pointer to it, and the event that has its identity."""
        self.faults = tuple(faults)
        super().__init__()


class Forbidden(HitchpostError):
    """This is not allowed."""


class Overloaded(HitchpostError):
    """Too much is waiting already; try again later."""

    def __init__(self, message: str | None = None, *, retry_after: float = 1.0) -> None:
        """`retry_after` is in seconds."""
        super().__init__(message)
        self.retry_after = retry_after


class BacklogFull(Overloaded):
    """As much waits for this user's destinations as may."""

    def __init__(self, message: str | None = None, *, stream_id: UUID, retry_after: float) -> None:
        """`stream_id` is the user's."""
        super().__init__(message, retry_after=retry_after)
        self.stream_id = stream_id


class EventsTooFast(Overloaded):
    """More events come for this user than may."""


class Invalid(HitchpostError):
    """The input has faults."""

    def __init__(self, faults: Sequence[Fault], message: str | None = None) -> None:
        super().__init__(message or "; ".join(f"{fault.where}: {fault.what}" for fault in faults[:5]))
        self.faults = tuple(faults)


class NotMailed(HitchpostError):
    """The mail was not taken."""

    def __init__(
        self, message: str, *, code: int | None = None, final: bool = False, unsure: bool = False
    ) -> None:
        """`code` is SMTP's reply. `final`: this address will never take it; `unsure`: it may have arrived."""
        super().__init__(message)
        self.code = code
        self.final = final
        self.unsure = unsure


class VendorError(HitchpostError):
    """The vendor did not do what was asked."""

    def __init__(
        self, message: str | None = None, *, status: int | None = None, code: str | None = None
    ) -> None:
        """`message` may be shown: the vendor's words, capped; `code` is the wire's error code if any."""
        super().__init__(message)
        self.status = status
        self.code = code


class VendorUnavailable(VendorError):
    """The vendor gave no usable answer."""

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int | None = None,
        sent: bool = True,
        retry_after: float | None = None,
    ) -> None:
        """`sent` is False only when the vendor surely never saw the request; `retry_after` is in seconds."""
        super().__init__(message, status=status)
        self.sent = sent
        self.retry_after = retry_after


class VendorRateLimited(VendorUnavailable):
    """The vendor asks us to slow down."""


class VendorAnswerInvalid(VendorError):
    """The vendor's answer does not have the documented shape."""


class GrantRefused(VendorError):
    """The vendor does not accept this code or refresh token."""


class ClientRefused(VendorError):
    """The vendor does not accept our own client id or secret."""


class AccessRefused(VendorError):
    """The vendor does not accept this access token or key."""
