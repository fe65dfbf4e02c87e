"""What people paste: one refresh token, the read/write/delete triple, or the `api_config` JSON.

Last9 docs, "Getting started with API", Tokens, and "Declarative Alerting via IaC", config.json:
`{"api_config": {"read": {"refresh_token", "api_base_url", "org"}, "write": …, "delete": …}}`.
Every mistake that can be told apart gets its own words.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from webapp.errors import Fault, Invalid
from webapp.lib import strict_json
from webapp.lib.secret import Secret
from webapp.providers.last9.claims import Claims, Unreadable, read_claims

Scope = Literal["read", "write", "delete"]
SCOPES: tuple[Scope, ...] = ("read", "write", "delete")
FIELD = "refresh_tokens"

_LABEL = re.compile(r"(?im)^[\s\"'-]*(read|write|delete)[\w -]*[:=]\s*")
_CURLY = "\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e"
_INVISIBLE = re.compile("[\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff]")
_WHITE = re.compile(r"\s+")
_MASK = re.compile(r"X{6,}|\*{3,}|\.{3}|\u2026|\u2022{3,}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """One refresh token with what it says of itself."""

    scope: Scope
    refresh_token: Secret
    claims: Claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Paste:
    """All that a paste held."""

    tokens: tuple[Pasted, ...]
    #: what an api_config names besides; None otherwise
    base_url: str | None = None
    organization: str | None = None


def read_paste(text: str, *, now: datetime) -> Paste:
    """Take `text` apart. Raises Invalid with one Fault at the field that says what it is instead."""
    if not text.strip():
        raise refuse("is empty: paste the write refresh token from Last9's API Access page")
    _refuse_disguises(text)
    if text.lstrip().startswith(("{", "[")):
        return _read_json(text.strip(), now)
    found = [_read_token(label, piece, now) for label, piece in _pieces(text)]
    _refuse_twins(found)
    return Paste(tokens=tuple(found))


def refuse(what: str) -> Invalid:
    """The one fault of this field. `what` goes on from "The refresh token …"; it never holds the paste."""
    return Invalid([Fault(FIELD, what)])


def _refuse_disguises(text: str) -> None:
    """What looks like a token and is none: placeholders, screens' dots, an editor's quotes."""
    if any(mark in text for mark in _CURLY):
        raise refuse("is wrapped in curly quotes: an editor put them there, paste it without")
    if _INVISIBLE.search(text):
        raise refuse("holds an invisible character from a page or chat: copy it from Last9 itself")
    if _MASK.search(text):
        raise refuse("is masked or shortened (dots, stars or X's): reveal it in full before you copy it")
    if re.search(r"<[^>]*>|\$\{?\w|YOUR[_-]", text):
        raise refuse("is a placeholder: put the real refresh token in its place")


def _pieces(text: str) -> list[tuple[Scope | None, str]]:
    """Tokens with their labels, if any: `write: eyJ…`, one a line, or just one after another."""
    labels = list(_LABEL.finditer(text))
    if labels:
        ends = [label.start() for label in labels[1:]] + [len(text)]
        return [
            (_scope(label[1]), piece)
            for label, end in zip(labels, ends, strict=True)
            if (piece := text[label.end() : end].strip(" \t\r\n,\"'"))
        ] or [(None, "")]
    words = [word.strip(",;\"'`") for word in text.split()]
    if len(words) > 1 and words[0].lower() in {"bearer", "basic", "token", "curl"}:
        return [(None, text.strip())]
    if len(words) > 1 and not all(word.count(".") == 2 for word in words):
        joined = _WHITE.sub("", text)
        if joined.count(".") == 2:
            raise refuse("is broken by a space or a line break: copy it again in one piece")
    return [(None, word) for word in words if word]


def _scope(word: str) -> Scope:
    return next(scope for scope in SCOPES if scope == word.lower())


def _read_token(label: Scope | None, piece: str, now: datetime) -> Pasted:
    _refuse_foreign(piece)
    if _WHITE.search(piece):
        raise refuse("is broken by a space or a line break: copy it again in one piece")
    try:
        claims = read_claims(piece)
    except Unreadable as error:
        raise refuse(f"cannot be read: {error}") from None
    _refuse_claims(claims, now)
    scope = _scope_of(label, claims)
    return Pasted(scope=scope, refresh_token=Secret(piece), claims=claims)


def _refuse_foreign(piece: str) -> None:
    """Secrets of other services, and of Last9's other doors, by the look of them."""
    for pattern, what in _FOREIGN:
        if re.match(pattern, piece):
            raise refuse(what)


_FOREIGN = (
    (r"\Z", "is empty behind its label: paste the token there"),
    (r"(?i)bearer\b", "begins with “Bearer”: paste the token alone"),
    (
        r"(?i)basic\b",
        "is Basic authentication, which Last9 uses for sending telemetry: paste a refresh token",
    ),
    (r"(?i)curl\b", "is a whole curl command: paste the refresh token alone"),
    (r"(?i)x-last9-api-token\b", "is a whole header: paste the refresh token alone"),
    (r"(?i)authorization\b", "is a whole header: paste the refresh token alone"),
    (r"https?://", "is an address: it belongs in the field “Base URL”"),
    (r"hp_", "is a key of this Hitchpost: paste Last9's refresh token"),
    (r"gh[pousr]_|github_pat_", "is a GitHub token: paste Last9's refresh token"),
    (r"glpat-", "is a GitLab token: paste Last9's refresh token"),
    (r"xox[abprs]-", "is a Slack token: paste Last9's refresh token"),
    (r"(sk|pk|rk)[-_]", "is a key of another service: paste Last9's refresh token"),
    (r"AKIA[0-9A-Z]{16}\Z", "is an AWS access key: paste Last9's refresh token"),
    (r"AIza", "is a Google API key: paste Last9's refresh token"),
    (r"gl(sa|c)_", "is a Grafana token: paste Last9's refresh token"),
    (r"NRAK-", "is a New Relic key: paste Last9's refresh token"),
    (r"-----BEGIN", "is a private key or certificate: paste Last9's refresh token"),
    (r"[0-9a-f]{64}\Z", "looks like a Librato API token: paste Last9's refresh token"),
    (r"[0-9a-f]{32}\Z", "looks like a Baselime code or key: paste Last9's refresh token"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", "is an id (a UUID), not a token"),
    (r"[^@\s]+@[^@\s]+\.[a-z]+\Z", "is an e-mail address, not a token"),
)


def _refuse_claims(claims: Claims, now: datetime) -> None:
    if claims.organization is None:
        foreign = claims.names & {"iss", "azp", "kid"}
        where = "comes from another service" if foreign else "names no organization"
        raise refuse(f"is a token, but it {where}: copy a refresh token from Last9's API Access page")
    if claims.expires_at is not None and claims.expires_at <= now:
        when = claims.expires_at.strftime("%d %B %Y")
        raise refuse(f"expired on {when}: make a new one on Last9's API Access page")


def _scope_of(label: Scope | None, claims: Claims) -> Scope:
    named = [scope for scope in SCOPES if scope in claims.scopes]
    if label is not None and named and label not in named:
        raise refuse(f"is labelled “{label}” but is a {named[0]} token")
    if label is not None:
        return label
    if "write" in named or not named:
        return "write"  # a token without scopes is tried as what we need; Last9's answer names its scope
    return named[0]


def _refuse_twins(found: list[Pasted]) -> None:
    scopes = [pasted.scope for pasted in found]
    for scope in SCOPES:
        if scopes.count(scope) > 1:
            raise refuse(f"was pasted more than once for {scope}: keep one of each scope")
    if len({pasted.claims.organization for pasted in found}) > 1:
        raise refuse("is there for more than one organization: connect each by itself")


def _read_json(text: str, now: datetime) -> Paste:
    try:
        value = strict_json.loads(text.encode(), max_bytes=65_536)
    except Invalid as error:
        raise refuse(f"looks like JSON but {error.faults[0].what}") from None
    if isinstance(value, dict) and "access_token" in value:
        raise refuse("is an answer of the token endpoint: paste only its refresh_token")
    config = value.get("api_config") if isinstance(value, dict) else None
    if not isinstance(config, dict):
        raise refuse("is JSON without an api_config: paste the whole file, or the refresh token alone")
    entries = {scope: config[scope] for scope in SCOPES if scope in config}
    if not entries:
        raise refuse("has an api_config without read, write or delete")
    tokens = tuple(_read_entry(scope, entry, now) for scope, entry in entries.items())
    _refuse_twins(list(tokens))
    return Paste(
        tokens=tokens,
        base_url=_agreed(entries, "api_base_url", "base address"),
        organization=_agreed(entries, "org", "organization"),
    )


def _read_entry(scope: Scope, entry: strict_json.Json, now: datetime) -> Pasted:
    refresh_token = entry.get("refresh_token") if isinstance(entry, dict) else None
    if not isinstance(refresh_token, str) or not refresh_token.strip():
        raise refuse(f"is missing in api_config.{scope}")
    return _read_token(scope, refresh_token.strip(), now)


def _agreed(entries: dict[Scope, strict_json.Json], name: str, words: str) -> str | None:
    values = {
        value
        for entry in entries.values()
        if isinstance(entry, dict) and isinstance(value := entry.get(name), str)
    }
    if len(values) > 1:
        raise refuse(f"has an api_config that names more than one {words}")
    return next(iter(values), None)
