"""What must be right before a process may start: settings, the key ring, the schema. Every fault at once."""

import os
import stat
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from webapp.core import restores
from webapp.core.runtime import Bell, Runtime, silent
from webapp.errors import SettingsError
from webapp.lib import schema
from webapp.lib.mail import Server
from webapp.lib.vault import key_id_of, parse_keys
from webapp.models import AuditHead, Credential, Install, Revocation, Source
from webapp.providers.registry import taken_names
from webapp.settings import PREFIX, Settings

_SECRET_CHARACTERS = 32
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def start(settings: Settings, *, wake: Callable[[Bell], None] = silent) -> Runtime:
    """Join the parts of this process. Raises SettingsError with every fault; nothing is left open then."""
    faults = of_settings(settings)
    if faults:
        raise SettingsError(faults)
    runtime = Runtime.start(settings, wake=wake)
    faults = of_database(runtime)
    if faults:
        runtime.close()
        raise SettingsError(faults)
    restores.is_held(runtime)
    return runtime


def of_settings(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """Every fault of the settings taken together, as lines that name settings and no values."""
    faults = [*_keys(settings), *_secret_key(settings), *_addresses(settings)]
    faults += [*_ways_out(settings), *_vendor_names(settings)]
    if settings.is_production:
        faults += [*_unsafe(settings), *_unsafe_vendors(settings), *_open_doors(settings)]
        faults += _readable_files(os.environ if environ is None else environ)
    return faults


def of_database(runtime: Runtime) -> list[str]:
    """Every fault of the database: out of reach, behind this code, or sealed under keys that are not here."""
    try:
        return of_schema(runtime) or of_keys(runtime)
    except SQLAlchemyError as error:
        return [f"{PREFIX}DATABASE_URL: the database cannot be used ({type(error).__name__})"]


def _keys(settings: Settings) -> Iterator[str]:
    try:
        parse_keys(settings.vault_keys.get_secret_value())
    except SettingsError as error:
        yield from error.faults


def _secret_key(settings: Settings) -> Iterator[str]:
    secret = settings.secret_key.get_secret_value()
    if not secret:
        yield f"{PREFIX}SECRET_KEY is empty: make one with `hitchpost keys new --secret`"
    elif len(secret) < _SECRET_CHARACTERS or len(set(secret)) < _SECRET_CHARACTERS // 4:
        yield f"{PREFIX}SECRET_KEY is too easy to guess: it needs {_SECRET_CHARACTERS} random characters"


def _addresses(settings: Settings) -> Iterator[str]:
    try:
        if make_url(settings.database_url.get_secret_value()).get_backend_name() not in {
            "sqlite",
            "postgresql",
        }:
            yield f"{PREFIX}DATABASE_URL is to begin with sqlite:/// or postgresql://"
    except ArgumentError:
        yield f"{PREFIX}DATABASE_URL is not a database address"
    broker = urlsplit(settings.broker_url.get_secret_value())
    if broker.scheme not in {"memory", "redis", "rediss", "unix"}:
        yield f"{PREFIX}BROKER_URL is to begin with memory:// or redis://"


def _ways_out(settings: Settings) -> Iterator[str]:
    url = settings.smtp_url.get_secret_value()
    try:
        if url:
            Server.parse(url)
    except ValueError as error:
        yield f"{PREFIX}SMTP_URL {error}"
    if url and parseaddr(settings.mail_from)[1].count("@") != 1:
        yield f"{PREFIX}MAIL_FROM names no address that mail can come from"
    if settings.webhook_url and not settings.webhook_secret.get_secret_value():
        yield f"{PREFIX}WEBHOOK_SECRET is empty: make one with `hitchpost notices secret`"
    for name in ("webhook_secret", "webhook_secret_previous"):
        secret = getattr(settings, name).get_secret_value()
        if secret and not _is_webhook_secret(secret):
            yield f"{PREFIX}{name.upper()} is to be whsec_ and 24 to 64 bytes in base64"


def _is_webhook_secret(secret: str) -> bool:
    try:
        return secret.startswith("whsec_") and 24 <= len(b64decode(secret[6:], validate=True)) <= 64
    except ValueError:
        return False


def _unsafe(settings: Settings) -> Iterator[str]:
    if not settings.public_url.startswith("https://"):
        yield f"{PREFIX}PUBLIC_URL is not https: sessions and codes would travel in the open"
    if settings.debug:
        yield f"{PREFIX}DEBUG is on: error pages would show what is inside"
    if settings.allow_private_vendors:
        yield f"{PREFIX}ALLOW_PRIVATE_VENDORS is on: it is for the sandbox of development"
    for name in ("baselime_client_id", "baselime_client_secret", "baselime_client_secret_previous"):
        value = getattr(settings, name)
        plain = value if isinstance(value, str) else value.get_secret_value()
        if "sandbox" in plain:
            yield f"{PREFIX}{name.upper()} is the sandbox's own"
    for name in sorted(n for n in type(settings).model_fields if n.endswith("_url") and n != "public_url"):
        value = getattr(settings, name)
        if isinstance(value, str) and value.startswith("http://"):
            yield f"{PREFIX}{name.upper()} is not https"


def _vendor_names(settings: Settings) -> Iterator[str]:
    for name in sorted(taken_names() & settings.oauth2.keys()):
        yield f"{PREFIX}OAUTH2 {name}: the name is that of a provider of its own: choose another"


def _unsafe_vendors(settings: Settings) -> Iterator[str]:
    for name, vendor in sorted(settings.oauth2.items()):
        secrets = (vendor.client_secret, vendor.client_secret_previous)
        for field, address in (("issuer", vendor.issuer), ("events_url", vendor.events_url)):
            if address.startswith("http://"):
                yield f"{PREFIX}OAUTH2 {name}.{field} is not https"
        if "sandbox" in vendor.client_id or any("sandbox" in one.get_secret_value() for one in secrets):
            yield f"{PREFIX}OAUTH2 {name}: its client id or secret is a sandbox's own"


def _open_doors(settings: Settings) -> Iterator[str]:
    for name, address in (("DATABASE_URL", settings.database_url), ("BROKER_URL", settings.broker_url)):
        parts = urlsplit(address.get_secret_value())
        far = parts.hostname is not None and parts.hostname not in _LOOPBACK
        if parts.scheme not in {"sqlite", "memory"} and far and not parts.password:
            yield f"{PREFIX}{name} names another machine and no password"


def _readable_files(environ: Mapping[str, str]) -> Iterator[str]:
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable.endswith("_FILE"):
            path = Path(environ[variable])
            if path.exists() and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXO | stat.S_IWGRP):
                yield f"{variable} names a file that others may read: chmod 600 it"


def of_schema(runtime: Runtime) -> list[str]:
    """The fault of a schema that is behind. Raises SQLAlchemyError when the database cannot be used."""
    # A revision that this code does not know is a newer one: old code goes on while a new release rolls out.
    if not schema.is_behind(runtime.database):
        return []
    return [f"{PREFIX}DATABASE_URL: the schema is older than this code: run `hitchpost migrate`"]


def of_keys(runtime: Runtime) -> list[str]:
    """Every key that the ring lacks and that stored secrets need. Raises SQLAlchemyError, as above."""
    with runtime.database.read() as session:
        used = set(
            session.scalars(select(Credential.key_id).where(Credential.sealed.is_not(None)).distinct())
        )
        held = session.scalars(select(Install.sealed).where(Install.sealed.is_not(None)))
        used |= {key_id_of(sealed) for sealed in held if sealed is not None}
        for table in (Revocation, Source, AuditHead):
            found = session.scalars(select(table.sealed).where(table.sealed.is_not(None)))
            used |= {key_id_of(sealed) for sealed in found if sealed is not None}
    missing = sorted(used - runtime.vault.key_ids)
    return [
        f"{PREFIX}VAULT_KEYS lacks key {key_id!r}, under which stored secrets are sealed"
        for key_id in missing
    ]
