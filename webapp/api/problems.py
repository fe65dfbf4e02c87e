"""Problems: every kind of refusal of the interface, and what each means: the text of its page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One kind of refusal. Its page at `/problems/<slug>` says what it means and what to do."""

    slug: str
    status: int
    title: str
    #: what happened, and what to do next: the text of its page
    meaning: str

    @property
    def type(self) -> str:
        """The problem's type: a path on this instance (RFC 9457 §3.1.1)."""
        return f"/problems/{self.slug}"


BAD_REQUEST = Problem(
    slug="bad-request",
    status=400,
    title="The request could not be read",
    meaning="The request breaks HTTP or ended early. Send it again, whole; if it is compressed, look at how.",
)
UNAUTHORIZED = Problem(
    slug="unauthorized",
    status=401,
    title="No valid API key",
    meaning="The request carries no API key, or one that is unknown, revoked or expired. "
    "Send `Authorization: Bearer hp_…`; an admin makes keys under Admin, API keys.",
)
SIGNATURE_WRONG = Problem(
    slug="signature-wrong",
    status=401,
    title="The signature is wrong",
    meaning="What came is not signed with the secret of this source. Put the secret that its page showed "
    "into the sender's settings, or let the page make a new one; the one before it is good for another day.",
)
FORBIDDEN = Problem(
    slug="forbidden",
    status=403,
    title="The API key does not allow this",
    meaning="The API key is good, but lacks the scope that this operation names, or is bound to another "
    "user. Use a key that has the scope.",
)
NOT_FOUND = Problem(
    slug="not-found",
    status=404,
    title="No such thing",
    meaning="There is nothing at this address, or nothing that this API key may see.",
)
METHOD_NOT_ALLOWED = Problem(
    slug="method-not-allowed",
    status=405,
    title="This address does not take that method",
    meaning="The address exists, and takes only the methods that the answer's Allow header names.",
)
CONFLICT = Problem(
    slug="conflict",
    status=409,
    title="The present state does not allow this",
    meaning="What was asked does not fit the state that the thing is in now. Read it again, then decide.",
)
IDENTITY_CONFLICT = Problem(
    slug="identity-conflict",
    status=409,
    title="Another event has this identity",
    meaning="An event is known by its user, source and id. One with the same identity and other content was "
    "accepted before, so nothing of this request was stored. Send the unchanged event, or give the new one "
    "an id of its own. `errors` names every such item.",
)
TOO_LARGE = Problem(
    slug="too-large",
    status=413,
    title="The body is too large",
    meaning="A body may have 6,000,000 bytes (65,536 where it is no events), before and after decompression. "
    "Nothing was stored: send less at once.",
)
UNSUPPORTED_MEDIA_TYPE = Problem(
    slug="unsupported-media-type",
    status=415,
    title="This form of body is not understood",
    meaning="The Content-Type is none that this address takes, or the Content-Encoding is not gzip. "
    "The Accept-Post and Accept-Encoding headers of the answer name what is taken.",
)
INVALID_EVENTS = Problem(
    slug="invalid-events",
    status=422,
    title="Some events have faults",
    meaning="A request is all or nothing: at least one event has a fault, so none was stored. `errors` names "
    "every faulty item by a JSON Pointer (RFC 6901) and says what is wrong. Mend them and send the whole "
    "request again.",
)
INVALID = Problem(
    slug="invalid-request",
    status=422,
    title="The request has faults",
    meaning="A query parameter or a member of the body is wrong. `errors` names each one and says what is "
    "wrong; nothing was changed.",
)
TOO_MANY_REQUESTS = Problem(
    slug="too-many-requests",
    status=429,
    title="Too many requests",
    meaning="This API key asks faster than it may. Wait for the seconds of the Retry-After header.",
)
BACKLOG_FULL = Problem(
    slug="backlog-full",
    status=429,
    title="As much waits for this user as may",
    meaning="A destination of this user takes nothing, or too slowly, and the limit of what may wait for it "
    "is reached; `detail` says which. Nothing was stored. Send the same request again after the seconds of "
    "the Retry-After header. The destination's page says why it does not catch up: mend that, or disconnect "
    "it; an admin can raise `HITCHPOST_BACKLOG_EVENTS` and `HITCHPOST_BACKLOG_BYTES`.",
)
TOO_MANY_EVENTS = Problem(
    slug="too-many-events",
    status=429,
    title="Too many events for this user",
    meaning="More events come for this user than `HITCHPOST_EVENTS_PER_SECOND` allows. Nothing was stored: "
    "send the same request again after the seconds of the Retry-After header.",
)
INTERNAL = Problem(
    slug="internal-error",
    status=500,
    title="Something went wrong here",
    meaning="A fault of Hitchpost's own; the request was not carried out. Sending it again is safe. "
    "If it stays, give an admin the `instance` of the answer: the logs know it by that.",
)
VENDOR = Problem(
    slug="vendor-failed",
    status=502,
    title="The vendor did not do it",
    meaning="The vendor behind this connection refused, or gave no usable answer; `detail` has its words. "
    "Look at the connection's state: it says whether its owner has to act.",
)
OVERLOADED = Problem(
    slug="overloaded",
    status=503,
    title="Not now",
    meaning="The database is busy or full, and nothing was stored. Send the same request again after the "
    "seconds of the Retry-After header: an event that did arrive is answered as a duplicate.",
)

#: Every problem there is, as the pages list them.
PROBLEMS = (
    BAD_REQUEST,
    UNAUTHORIZED,
    SIGNATURE_WRONG,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    CONFLICT,
    IDENTITY_CONFLICT,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_EVENTS,
    INVALID,
    TOO_MANY_REQUESTS,
    BACKLOG_FULL,
    TOO_MANY_EVENTS,
    INTERNAL,
    VENDOR,
    OVERLOADED,
)
