"""The settings: read once from `HITCHPOST_*` or `HITCHPOST_*_FILE`; every fault is told at once."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from webapp.errors import SettingsError
from webapp.oauth2_vendors import OAuth2Vendor, VendorName, check_address, read_vendors

PREFIX = "HITCHPOST_"


class Stage(StrEnum):
    """Where this instance runs: production refuses every unsafe setting."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class InstallProof(StrEnum):
    """Which grants must be proven by typing back a code sent into the workspace."""

    #: those that nobody here asked for
    STRICT = "strict"
    ALWAYS = "always"
    #: for an instance with one user only
    OFF = "off"


class Settings(BaseModel):
    """Every setting, typed. Secrets print as `**********`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    stage: Stage = Stage.DEVELOPMENT
    #: what other people's browsers call this instance; links and redirect addresses are built from it alone
    public_url: str = "http://127.0.0.1:8000"
    port: int = Field(default=8000, ge=0, le=65535)
    #: the address to listen on
    bind: str = "127.0.0.1"
    #: proxies in front whose X-Forwarded-* headers are believed
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    debug: bool = False
    log_format: str = Field(default="text", pattern="^(text|json)$")

    database_url: SecretStr = SecretStr("sqlite:///var/hitchpost.db")
    #: `memory://` runs the worker inside the web process; a Redis address leaves it to `workers`
    broker_url: SecretStr = SecretStr("memory://localhost/")
    vault_keys: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")

    baselime_client_id: str = ""
    baselime_client_secret: SecretStr = SecretStr("")
    #: while the vendor changes over: the one that is tried when the other is refused
    baselime_client_secret_previous: SecretStr = SecretStr("")
    baselime_console_url: str = "https://console.baselime.io"
    baselime_api_url: str = "https://api.baselime.io"
    baselime_events_url: str = "https://events.baselime.io"
    baselime_otel_url: str = "https://otel.baselime.io"
    #: hosts a pasted Last9 address may name; `*.` stands for any one label
    last9_hosts: tuple[str, ...] = ("*.last9.io",)
    #: which scopes of a Last9 paste are kept; `read` and `delete` serve host apps that ask for them
    last9_scopes: tuple[str, ...] = ("write",)
    #: a base address that overrides https://<host of the token>; for the sandbox and compatible services
    last9_url: str = ""
    librato_url: str = "https://metrics-api.librato.com"
    #: vendors that follow the OAuth 2 standards, by the name they get here
    oauth2: Mapping[VendorName, OAuth2Vendor] = Field(default_factory=dict)
    #: how fast one Client's due grants are refreshed, by all processes together
    refreshes_per_second: float = Field(default=20.0, ge=0.1, le=1000.0)
    #: outgoing calls may reach loopback and private addresses
    allow_private_vendors: bool = False

    #: where mail is handed over: `smtp://user:password@host:587` (STARTTLS) or `smtps://…`; empty: nowhere
    smtp_url: SecretStr = SecretStr("")
    #: whom mail comes from, `Hitchpost <hitchpost@example.org>` or the bare address
    mail_from: str = ""
    #: the host app's address for webhooks; empty: none are sent
    webhook_url: str = ""
    #: `whsec_…`: what webhooks are signed with, and while it changes the one before
    webhook_secret: SecretStr = SecretStr("")
    webhook_secret_previous: SecretStr = SecretStr("")
    #: webhooks may reach loopback and private addresses
    allow_private_webhook: bool = False

    #: the most that may wait for the slowest destination of one user
    backlog_events: int = Field(default=5_000_000, ge=1)
    backlog_bytes: int = Field(default=5_000_000_000, ge=1_000_000)
    #: with less free on the disk of an SQLite file, no events are taken
    disk_reserve_bytes: int = Field(default=256_000_000, ge=0)
    #: events that may come for one user in each web process; 0: as many as come
    events_per_second: int = Field(default=0, ge=0)

    install_proof: InstallProof = InstallProof.STRICT
    #: origins a connect session may return to
    return_origins: tuple[str, ...] = ()
    #: the host app's name on pages, and where its users continue an install that began without a session
    app_name: str = "the app"
    continue_url: str = ""

    @field_validator("last9_hosts", "last9_scopes", "return_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("oauth2", mode="before")
    @classmethod
    def _vendors(cls, value: object) -> object:
        return read_vendors(value) if isinstance(value, str) else value

    @field_validator("last9_scopes")
    @classmethod
    def _scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "write" not in value or not set(value) <= {"read", "write", "delete"}:
            message = "takes write, and beside it read and delete"
            raise ValueError(message)
        return value

    @field_validator(
        "public_url",
        "baselime_console_url",
        "baselime_api_url",
        "baselime_events_url",
        "baselime_otel_url",
        "librato_url",
        "last9_url",
    )
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            check_address(value)
        return value.rstrip("/")

    @field_validator("webhook_url")
    @classmethod
    def _webhook_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.fragment
            or "@" in parts.netloc
        ):
            message = "is not an http(s) address without a name or password in it"
            raise ValueError(message)
        return value

    @property
    def is_production(self) -> bool:
        """Whether every unsafe setting is to be refused."""
        return self.stage is Stage.PRODUCTION

    @property
    def embedded(self) -> bool:
        """Whether the worker lives inside the web process."""
        return self.broker_url.get_secret_value().startswith("memory:")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment once. Raises SettingsError with every fault: settings named, values never."""
        values, faults = _read(os.environ if environ is None else environ, frozenset(cls.model_fields))
        try:
            settings = cls(**values)
        except ValidationError as error:
            faults += [
                f"{_named(item['loc'])} {item['msg'].removeprefix('Value error, ')}"
                for item in error.errors(include_input=False, include_url=False)
            ]
        if faults:
            raise SettingsError(faults)
        return settings


def _named(place: tuple[int | str, ...]) -> str:
    """The setting that a fault is in; of one that holds several, also where in it."""
    name, *inside = map(str, place)
    return f"{PREFIX}{name.upper()}" + (f" {'.'.join(inside)}:" if inside else "")


def _read(environ: Mapping[str, str], names: frozenset[str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults: list[str] = []
    for name in sorted(names):
        variable = PREFIX + name.upper()
        plain, path = environ.get(variable), environ.get(variable + "_FILE")
        if plain is not None and path is not None:
            faults.append(f"{variable} and {variable}_FILE are both set: keep one")
        elif plain is not None:
            values[name] = plain
        elif path is not None:
            try:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                faults.append(f"{variable}_FILE cannot be read: {type(error).__name__}")
    return values, faults
