"""Vendors that follow the OAuth 2 standards, as settings: any number of them, by the name each gets here."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from webapp.errors import Invalid
from webapp.lib import strict_json

_MAX_BYTES = 262_144
_MOST_ADDRESS = 2_000
#: Visible ASCII: what an id, a secret and a scope are made of (RFC 6749 appendix A).
_VISIBLE = r"^[\x21-\x7e]*$"
#: What we put into an authorization request ourselves, or what would make it another one.
_OURS = frozenset(
    {
        "client_id",
        "client_secret",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)

#: In code, tables and URLs, like the names of the other providers.
VendorName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class OAuth2Vendor(BaseModel):
    """One vendor: who it is, our Client there, and where it takes events."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: what people read
    title: str = Field(min_length=1, max_length=60)
    #: exactly as its metadata name it (RFC 8414 §3.3)
    issuer: str = Field(max_length=500)
    client_id: str = Field(min_length=1, max_length=500, pattern=_VISIBLE)
    #: empty: a public Client, which PKCE alone protects
    client_secret: SecretStr = SecretStr("")
    #: while the vendor changes over: the one that is tried when the other is refused
    client_secret_previous: SecretStr = SecretStr("")
    scopes: str = Field(default="openid offline_access", max_length=2000, pattern=r"^[\x20-\x7e]*$")
    #: what this vendor wants in an authorization request beyond the standards (an `audience`, say)
    parameters: Mapping[str, str] = Field(default_factory=dict)
    #: where it takes CloudEvents batches; empty: it serves host apps that ask for access tokens
    events_url: str = Field(default="", max_length=1000)

    @field_validator("title")
    @classmethod
    def _title(cls, value: str) -> str:
        if not value.isprintable() or value != value.strip():
            message = "has characters that cannot be printed, or spaces around it"
            raise ValueError(message)
        return value

    @field_validator("client_secret", "client_secret_previous")
    @classmethod
    def _secret(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(_VISIBLE, value.get_secret_value()):
            message = "has characters beyond visible ASCII"
            raise ValueError(message)
        return value

    @field_validator("parameters")
    @classmethod
    def _parameters(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if taken := sorted(_OURS & set(value)):
            message = f"sets {', '.join(taken)}, which Hitchpost sets itself"
            raise ValueError(message)
        return value

    @field_validator("issuer", "events_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            check_address(value)
        return value


def check_address(value: str) -> None:
    """Raises ValueError for what is no http(s) address, or has a user, a query or a fragment."""
    visible = re.fullmatch(_VISIBLE, value) is not None and len(value) <= _MOST_ADDRESS
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        if "[" in parts.netloc:
            IPv6Address(parts.hostname or "")
    except ValueError:
        known = False
    if not visible or not known or parts.query or parts.fragment or "@" in parts.netloc:
        message = "is not an http(s) address without a query"
        raise ValueError(message)


def read_vendors(text: str) -> Any:
    """The JSON of the setting, as pydantic reads it next. Raises ValueError without repeating any of it."""
    if not text.strip():
        return {}
    try:
        return strict_json.loads(text.encode(), max_bytes=_MAX_BYTES)
    except Invalid as error:
        raise ValueError(str(error).removeprefix("the body ")) from None
