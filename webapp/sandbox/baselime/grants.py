"""What developers granted: codes, access tokens and refresh tokens.

Documented (Baselime docs, API Integration): a code lives 3 minutes, an access token 24 hours, a refresh
token until access is revoked, and a refresh returns no new one.
"""

import secrets
import threading
from dataclasses import dataclass
from typing import Any

from webapp.sandbox.desk import Desk
from webapp.sandbox.families import Families
from webapp.sandbox.signing import read, sign

ACCESS_PREFIX = "sandbox-access-"
REFRESH_PREFIX = "sandbox-refresh-"


class RefusedError(Exception):
    """A code or token that is not taken; the text is for the answer."""


@dataclass
class _Code:
    developer: str
    born: float
    spent: bool = False


class Grants:
    """Issues codes and tokens and takes them back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._families = Families()
        self._codes: dict[str, _Code] = {}
        self._revoked_at: dict[str, float] = {}
        self._epoch = 0.0

    def forget(self) -> None:
        """Forget every code and token: none issued until now is taken any more."""
        with self._lock:
            self._codes.clear()
            self._revoked_at.clear()
            self._epoch = self._desk.now()
        self._families.forget()

    def revoke(self, developer: str) -> None:
        """Take back what this developer granted until now."""
        with self._lock:
            self._revoked_at[developer] = self._desk.now()

    def code(self, developer: str) -> str:
        """Return a code as in the docs' example: 32 lower-case hex digits."""
        code = secrets.token_hex(16)
        with self._lock:
            self._codes[code] = _Code(developer, self._desk.now())
        return code

    def exchange(self, code: str) -> dict[str, object]:
        """Trade a code for tokens, once."""
        with self._lock:
            found = self._codes.get(code)
            if found is None:
                raise RefusedError("Unknown code")
            # Chosen: the docs are silent on reuse; RFC 6749 4.1.2 says a code is used once.
            if found.spent:
                raise RefusedError("The code was used already")
            if self._desk.now() - found.born > self._desk.settings.code_seconds:
                raise RefusedError("The code has expired")
            found.spent = True
        family = secrets.token_hex(8)
        return {
            "accessToken": self._access_token(found.developer, family),
            "refreshToken": self._refresh_token(found.developer, family, 0),
            **self._life(),
        }

    def refresh(self, refresh_token: str) -> dict[str, object]:
        """Return a new access token; a new refresh token only while the rotate fault is on."""
        claims = self._claims("refresh", REFRESH_PREFIX, refresh_token)
        if claims is None:
            raise RefusedError("Unknown refresh token")
        family, generation = str(claims["fam"]), int(claims["gen"])
        if self._is_revoked(claims) or not self._families.takes(family, generation):
            raise RefusedError("The refresh token was revoked")
        if self._desk.faults.take("baselime", "token", ("revoked",)):
            raise RefusedError("The refresh token was revoked")
        answer: dict[str, object] = {"accessToken": self._access_token(claims["sub"], family)}
        if self._desk.faults.take("baselime", "token", ("rotate",)):
            following = self._families.rotate(family, generation)
            if following is None:
                raise RefusedError("The refresh token was revoked")
            answer["refreshToken"] = self._refresh_token(claims["sub"], family, following)
        return answer | self._life()

    def developer(self, access_token: str) -> str:
        """Return whose access token this is."""
        claims = self._claims("access", ACCESS_PREFIX, access_token)
        # Chosen: the docs are silent on whether revoking kills access tokens too; here it does.
        if claims is None or self._is_revoked(claims) or self._families.revoked(str(claims["fam"])):
            raise RefusedError("Unauthorised")
        if claims["exp"] <= self._desk.now() or self._desk.faults.take(
            "baselime", "environments", ("expired",)
        ):
            raise RefusedError("The access token has expired")
        return str(claims["sub"])

    def _claims(self, purpose: str, prefix: str, text: str) -> dict[str, Any] | None:
        if not text.startswith(prefix):
            return None
        claims = read(f"baselime {purpose}", text.removeprefix(prefix))
        return claims if claims is not None and claims["iat"] >= self._epoch else None

    def _is_revoked(self, claims: dict[str, Any]) -> bool:
        return bool(claims["iat"] <= self._revoked_at.get(claims["sub"], 0))

    def _access_token(self, developer: str, family: str) -> str:
        now = self._desk.now()
        life = self._desk.settings.access_token_seconds
        claims = {"sub": developer, "fam": family, "iat": now, "exp": now + life, "jti": secrets.token_hex(6)}
        return ACCESS_PREFIX + sign("baselime access", claims)

    def _refresh_token(self, developer: str, family: str, generation: int) -> str:
        claims = {"sub": developer, "fam": family, "gen": generation, "iat": self._desk.now()}
        return REFRESH_PREFIX + sign("baselime refresh", claims)

    def _life(self) -> dict[str, object]:
        return {"expiresIn": int(self._desk.settings.access_token_seconds), "tokenType": "Bearer"}
