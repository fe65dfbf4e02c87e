"""Last9's tokens: JWTs of one scope each, refresh tokens traded for access tokens.

The claims are those that Last9's own client programs read. Documented (Last9 docs, Getting started with
API): the life of 24 hours, `expires_at` and `issued_at` in Unix seconds, and the words for an expired
token. The refresh token comes back unchanged.
"""

import secrets
import threading
from typing import Any

from webapp.sandbox.desk import Desk
from webapp.sandbox.families import Families
from webapp.sandbox.last9.refusals import RefusedError
from webapp.sandbox.signing import read, sign, stable

SCOPES = ("read", "write", "delete")
ORGANIZATION = "sandbox-org"
EMAIL = "ada@sandbox.example"
MADE = 1_767_225_600
"""When the account's refresh tokens were made: fixed, so that they are the same in every process."""

# A write token reads too, as Last9's own clients rely on.
# Chosen: the docs are silent on what else a delete token can do; here it can only delete.
ALLOWED = {"read": ("read", "write"), "write": ("write",)}


class Tokens:
    """Issues and checks the tokens of one organization."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._families = Families()
        self._epoch = 0.0
        self._serials = dict.fromkeys(SCOPES, 0)
        self._revoked: set[str] = set()

    def forget(self) -> None:
        """Refuse every access token and rotated refresh token issued until now; unrevoke the first ones."""
        with self._lock:
            self._epoch = self._desk.now()
            self._serials = dict.fromkeys(SCOPES, 0)
            self._revoked.clear()
        self._families.forget()

    def refresh_tokens(self) -> dict[str, str]:
        """Return the account's refresh token of each scope, as its API Access page shows them."""
        return {scope: self._refresh_token(scope, self._family(scope), 0) for scope in SCOPES}

    def revoke(self, scope: str) -> None:
        """Revoke this scope's refresh token; the account gets another in its place."""
        with self._lock:
            self._revoked.add(self._family(scope))
            self._serials[scope] += 1

    def exchange(self, refresh_token: str, host: str) -> dict[str, object]:
        """Trade a refresh token for a new access token of its scope."""
        # Chosen: the docs are silent on the texts of all refusals here, and on 400 or 401.
        claims = read("last9 refresh", refresh_token)
        if claims is None:
            raise RefusedError(400, "invalid refresh token: token is malformed or not a refresh token")
        _check_host(claims, host)
        family, generation = str(claims["jti"]), int(claims.get("gen", 0))
        if "exp" in claims and claims["exp"] <= self._desk.now():
            raise RefusedError(401, "refresh token is expired")
        if family in self._revoked or (generation and claims["iat"] < self._epoch):
            raise RefusedError(401, "refresh token is revoked")
        if not self._families.takes(family, generation) or self._fault("revoked"):
            raise RefusedError(401, "refresh token is revoked")
        return self._answer(claims["scopes"][0], family, generation, refresh_token)

    def check(self, access_token: str, host: str, need: str, endpoint: str) -> None:
        """Refuse an access token that is not good for an endpoint with this need."""
        claims = read("last9 access", access_token)
        if claims is None:
            raise RefusedError(400, "invalid refresh token: token is malformed")
        _check_host(claims, host)
        if claims["exp"] <= self._desk.now() or self._desk.faults.take("last9", endpoint, ("expired",)):
            raise RefusedError(401, "Authorization token is expired")
        # Documented: revoking a refresh token kills the access tokens made from it. Chosen: the text.
        gone = claims["fam"] in self._revoked or self._families.revoked(claims["fam"])
        if gone or claims["iat"] < self._epoch:
            raise RefusedError(401, "Authorization token is revoked")
        if not set(claims["scopes"]) & set(ALLOWED[need]):
            raise RefusedError(403, "insufficient permissions")

    def _answer(self, scope: str, family: str, generation: int, refresh_token: str) -> dict[str, object]:
        now, life = self._desk.now(), self._desk.settings.last9_access_token_seconds
        if self._fault("rotate"):
            following = self._families.rotate(family, generation)
            if following is None:
                raise RefusedError(401, "refresh token is revoked")
            refresh_token = self._refresh_token(scope, family, following)
        claims = {**self._claims(scope), "iat": now, "exp": int(now + life)}
        return {
            "access_token": sign("last9 access", {**claims, "fam": family, "jti": secrets.token_hex(8)}),
            "expires_at": int(now + life),
            "issued_at": int(now),
            "refresh_token": refresh_token,
            "type": "Bearer",
            "scopes": [scope],
        }

    def _refresh_token(self, scope: str, family: str, generation: int) -> str:
        life = self._desk.settings.last9_refresh_token_seconds
        claims = {**self._claims(scope), "iat": MADE, "jti": family}
        if generation:
            claims |= {"gen": generation, "iat": self._desk.now()}
        # Whether they carry `exp` is unknown: clients treat it as optional, so it is a setting.
        if life is not None:
            claims["exp"] = int(self._desk.now() + life)
        return sign("last9 refresh", claims)

    def _claims(self, scope: str) -> dict[str, Any]:
        return {
            "aud": [self._desk.settings.last9_host],
            "organization_slug": ORGANIZATION,
            "scopes": [scope],
            "email": EMAIL,
        }

    def _family(self, scope: str) -> str:
        return stable(f"last9 {scope} {self._serials[scope]}", 16)

    def _fault(self, kind: str) -> bool:
        return self._desk.faults.take("last9", "token", (kind,)) is not None


def scope_of(endpoint: str, body: bytes) -> str | None:
    """Return the scope a token request is for, to count exchanges by scope."""
    if endpoint != "token":
        return None
    # A refresh token is the only long text in such a body, wherever it stands.
    for piece in body.decode("utf-8", "replace").split('"'):
        claims = read("last9 refresh", piece)
        if claims:
            return str(claims["scopes"][0])
    return None


def _check_host(claims: dict[str, Any], host: str) -> None:
    """A host other than the token's first audience is a bad request, as Last9's MCP server notes."""
    audience = str(claims["aud"][0]).removeprefix("https://").removeprefix("http://")
    if audience.rstrip("/").removesuffix("/api").lower() != host.lower():
        raise RefusedError(400, "Bad Request")
