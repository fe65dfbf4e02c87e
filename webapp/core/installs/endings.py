"""How an install can end without a link: what happened, what is safe, and the one thing to do next."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Words:
    """What the page of an ending says. `{vendor}` stands for the provider's title."""

    title: str
    happened: str
    safe: str
    next: str
    #: whether "start again from here" is the thing to do
    start_again: bool = True


class Ending(StrEnum):
    """Why an install ended. Stored in its row; its words are in `words`."""

    UNANSWERED = "unanswered"
    DECLINED = "declined"
    CODE_REFUSED = "code_refused"
    CODE_SEEN = "code_seen"
    UNASKED = "unasked"
    CLIENT_REFUSED = "client_refused"
    VENDOR_DOWN = "vendor_down"
    VENDOR_UNCLEAR = "vendor_unclear"
    VENDOR_NONSENSE = "vendor_nonsense"
    INTERRUPTED = "interrupted"
    NO_ENVIRONMENT = "no_environment"
    HELD_ELSEWHERE = "held_elsewhere"
    OTHER_ACCOUNT = "other_account"
    ACCESS_REFUSED = "access_refused"
    NOT_CONFIRMED = "not_confirmed"
    PROOF_FAILED = "proof_failed"
    PROOF_EXPIRED = "proof_expired"
    CANCELLED = "cancelled"
    BEGUN_AGAIN = "begun_again"
    REPLACED = "replaced"

    def words(self, vendor: str) -> Words:
        """The words of its page, for the vendor of that title."""
        words = _WORDS[self]
        return Words(
            title=words.title.format(vendor=vendor),
            happened=words.happened.format(vendor=vendor),
            safe=words.safe.format(vendor=vendor),
            next=words.next.format(vendor=vendor),
            start_again=words.start_again,
        )


_NOTHING_KEPT = "Nothing was connected, and nothing of this attempt is kept."
_NOTHING_BEGAN = "Nothing was connected."
_AGAIN = "Start again from here."

_WORDS = {
    Ending.UNANSWERED: Words(
        "No answer came from {vendor}",
        "You went to {vendor} to install, and did not come back within ten minutes. You may have declined "
        "or closed the page: {vendor} does not tell.",
        _NOTHING_BEGAN,
        "If you still want to connect, start again from here.",
    ),
    Ending.DECLINED: Words(
        "{vendor} did not grant access",
        "{vendor} sent you back with an error instead of a code.",
        _NOTHING_BEGAN,
        "If you still want to connect, start again from here.",
    ),
    Ending.CODE_REFUSED: Words(
        "{vendor} did not accept the code",
        "The code that {vendor} sent with you was refused: it had expired, or it was used before.",
        _NOTHING_KEPT,
        "Start again from here: {vendor} gives you a new code.",
    ),
    Ending.CODE_SEEN: Words(
        "This code was used already",
        "The code in this address came here before, in another browser or session.",
        "It was not used a second time, and nothing changed.",
        "Start again from here, and follow no link that somebody sent you.",
    ),
    Ending.UNASKED: Words(
        "This answer was not asked for here",
        "This browser came from {vendor} with an answer that no attempt of this session waits for: the "
        "attempt was over, it began in another browser, or somebody else made the address.",
        "Nothing was sent to {vendor}, and nothing was connected.",
        "Start again from here, and follow no link that somebody sent you.",
    ),
    Ending.CLIENT_REFUSED: Words(
        "{vendor} does not know this service",
        "{vendor} refused this service's own client id or secret. It is not your fault.",
        _NOTHING_KEPT,
        "Tell the people who run this service; they see it on their health page. Then start again from here.",
    ),
    Ending.VENDOR_DOWN: Words(
        "{vendor} cannot be reached",
        "Every try to trade the code failed before {vendor} took it, until its time was over.",
        _NOTHING_KEPT,
        "Start again from here in a few minutes.",
    ),
    Ending.VENDOR_UNCLEAR: Words(
        "{vendor} gave no clear answer",
        "The code was sent to {vendor}, and the answer was lost or was a page meant for people. The code may "
        "be used up, so it was not sent twice.",
        _NOTHING_KEPT,
        "Start again from here: {vendor} gives you a new code.",
    ),
    Ending.VENDOR_NONSENSE: Words(
        "{vendor}'s answer makes no sense",
        "{vendor} answered, but not in the way it documents, so nothing of it was trusted.",
        _NOTHING_KEPT,
        "Start again from here. If it happens again, tell the people who run this service.",
    ),
    Ending.INTERRUPTED: Words(
        "We were interrupted",
        "This service stopped while it traded the code with {vendor}. The code may be used up.",
        _NOTHING_KEPT,
        "Start again from here: {vendor} gives you a new code.",
    ),
    Ending.NO_ENVIRONMENT: Words(
        "There is no environment to connect",
        "{vendor} granted access, but lists no environment.",
        _NOTHING_KEPT,
        "Make an environment at {vendor}, then start again from here.",
    ),
    Ending.HELD_ELSEWHERE: Words(
        "These workspaces are not available here",
        "Every workspace in this grant is connected here by somebody else, who has been told.",
        _NOTHING_KEPT,
        "Ask the people of your workspace who connected it; when they disconnect it, start again from here.",
        start_again=False,
    ),
    Ending.OTHER_ACCOUNT: Words(
        "This is another account",
        "You were reconnecting one connection, but {vendor} granted access to other workspaces.",
        "Your connection is as it was, and nothing of this attempt is kept.",
        "Sign in at {vendor} as the one who connected it and start again, or connect this account anew.",
    ),
    Ending.ACCESS_REFUSED: Words(
        "{vendor} took its grant back",
        "{vendor} granted access and then refused to list the environments with it.",
        _NOTHING_KEPT,
        _AGAIN,
    ),
    Ending.NOT_CONFIRMED: Words(
        "This was not confirmed in time",
        "The grant waited fifteen minutes for you to confirm it.",
        "Nothing was connected, and the grant was forgotten.",
        _AGAIN,
    ),
    Ending.PROOF_FAILED: Words(
        "The code was wrong five times",
        "The code typed back was not the one sent into the workspace, five times.",
        "Nothing was connected, and the grant was forgotten.",
        "Start again from here, and read the code in your own workspace.",
    ),
    Ending.PROOF_EXPIRED: Words(
        "The code was not typed back in time",
        "A code that is sent into a workspace works for ten minutes.",
        "Nothing was connected, and the grant was forgotten.",
        _AGAIN,
    ),
    Ending.CANCELLED: Words(
        "Cancelled",
        "You cancelled, or the connection it was for was disconnected.",
        "Nothing was connected, and the grant was forgotten.",
        "Nothing is left to do here. To end {vendor}'s side too, remove the integration there.",
    ),
    Ending.BEGUN_AGAIN: Words(
        "You started again",
        "A newer attempt took this one's place.",
        _NOTHING_KEPT,
        "Go on with the newer attempt.",
        start_again=False,
    ),
    Ending.REPLACED: Words(
        "A newer grant took its place",
        "The same workspaces were connected by another attempt that you confirmed.",
        "That connection stands; the grant of this attempt was forgotten.",
        "Nothing is left to do here.",
        start_again=False,
    ),
}
