"""What people type where Librato's e-mail and API token belong, and what it is instead.

The documented tokens are 64 lower-case hex digits; older clients allowed `[a-z0-9]{22,65}`: that is the form.
"""

import re

from webapp.errors import Fault, Invalid
from webapp.lib.secret import Secret

_EMAIL = re.compile(r"[^@\s:]{1,64}@[^@\s:]+\.[^@\s:.]+\Z")
_TOKEN = re.compile(r"[a-z0-9]{22,65}\Z")
_CURLY = "\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e"
_INVISIBLE = re.compile("[\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff]")

_FOREIGN = (
    (r"\Z", "is empty: paste it from Integrations, API Tokens"),
    (r"(?i)basic\s", "is a whole Basic header: paste the API token alone"),
    (r"(?i)bearer\s", "begins with “Bearer”: paste the API token alone"),
    (r"(?i)(authorization|curl)\b", "is a whole header or command: paste the API token alone"),
    (r"https?://", "is an address, not a token"),
    (r"eyJ", "is a JWT, as Last9 has them: paste Librato's API token"),
    (r"hp_", "is a key of this Hitchpost: paste Librato's API token"),
    (r"gh[pousr]_|github_pat_", "is a GitHub token: paste Librato's API token"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", "is an id (a UUID), not a token"),
    (r"\S+:\S+\Z", "is e-mail and token together: put each in its own field"),
    (r"[^@\s]+@[^@\s]+\Z", "is an e-mail address: it belongs in the field above"),
    (r"<.*>\Z|\$|YOUR", "is a placeholder: put the real API token in its place"),
    (r".*(\*{3}|\.{3}|\u2026|\u2022{3})", "is masked or shortened: reveal it in full before you copy it"),
    (r"[0-9a-f]{32}\Z", "is too short for a token of Librato (it looks like a Baselime key)"),
)


def check_email(text: str) -> str:
    """The account's e-mail, trimmed, lower case. Raises Invalid at its field."""
    email = text.strip()
    if not email:
        raise Invalid([Fault("email", "is empty: type the account's e-mail")])
    if not _EMAIL.match(email) or not email.isprintable() or any(mark in email for mark in _CURLY):
        raise Invalid([Fault("email", "is not an e-mail address")])
    return email.lower()


def check_token(text: str, field: str = "api_token") -> Secret:
    """The API token, trimmed. Raises Invalid at `field`, with words that never hold the paste."""
    api_token = text.strip()
    if any(mark in api_token for mark in _CURLY):
        raise _refuse(field, "is wrapped in curly quotes: paste it without")
    if _INVISIBLE.search(api_token):
        raise _refuse(field, "holds an invisible character from a page or chat: copy it from Librato itself")
    api_token = api_token.strip("\"'`")
    for pattern, what in _FOREIGN:
        if re.match(pattern, api_token):
            raise _refuse(field, what)
    if re.search(r"\s", api_token):
        raise _refuse(field, "is broken by a space or a line break: copy it again in one piece")
    if re.search(r"[A-Z]", api_token):
        raise _refuse(field, "holds capital letters, which Librato's tokens do not have")
    if not re.fullmatch(r"[a-z0-9]*", api_token):
        raise _refuse(field, "holds a character that Librato's tokens do not have")
    if not _TOKEN.match(api_token):
        what = "short: it was cut off, copy it again" if len(api_token) < 22 else "long: was it pasted twice?"
        raise _refuse(field, f"is too {what}")
    return Secret(api_token)


def _refuse(field: str, what: str) -> Invalid:
    return Invalid([Fault(field, what)])
