"""The code traded for a grant by one holder, and its workspaces listed, with no transaction open meanwhile.

The code is sent again only after a failure that surely gave no grant: no connection was made, or the vendor
said 429 or 503, which mean that it did not handle the request (RFC 6585 §4, RFC 9110 §15.6.4). After a lost
answer, any other 5xx or a page the code may be spent, and a second use can revoke what it gave (RFC 6749
§10.5).
"""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from webapp.core import credentials, notices
from webapp.core.connections import moment_of
from webapp.core.installs.endings import Ending
from webapp.core.installs.ends import finish
from webapp.core.refresh import client_breaker
from webapp.core.runtime import Runtime
from webapp.errors import (
    AccessRefused,
    ClientRefused,
    GrantRefused,
    VendorAnswerInvalid,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import Install, InstallState
from webapp.providers.base import Authorizes, EnvironmentListing, Grant, Installs, ListsEnvironments

PENDING_LIFE = timedelta(minutes=15)
#: The n-th try comes no earlier than n of these after the code.
_SPACING_SECONDS = 4.0
_WORDS_CHARACTERS = 300


def advance(runtime: Runtime, install_id: UUID) -> None:
    """Do what the install waits for: trade its code, list its workspaces. Nothing if somebody is at it."""
    with runtime.database.write() as session:
        taken = _take(session, runtime.vault, install_id)
    if taken is not None:
        _exchange(runtime, install_id, *taken)
    with runtime.database.read() as session:
        install = session.get(Install, install_id)
    if install is not None and install.state is InstallState.PENDING and install.listing is None:
        _list(runtime, install)


def _take(session: Session, vault: Vault, install_id: UUID) -> tuple[UUID, str, Mapping[str, Secret]] | None:
    install = session.get(Install, install_id, with_for_update=True)
    now = moment_of(session)
    if install is None or install.state is not InstallState.RECEIVED or install.expires_at <= now:
        return None
    if install.tries and (now - _received(install)).total_seconds() < _SPACING_SECONDS * install.tries:
        return None
    install.state, install.lease, install.tries = InstallState.EXCHANGING, uuid4(), install.tries + 1
    return install.lease, install.provider, credentials.open_for_install(vault, install)


def _exchange(
    runtime: Runtime, install_id: UUID, lease: UUID, provider_name: str, parts: Mapping[str, Secret]
) -> None:
    answer: Grant | VendorError
    try:
        answer = _trade(runtime, provider_name, parts)
    except VendorError as error:
        answer = error
    with runtime.database.write() as session:
        install = session.get(Install, install_id, with_for_update=True)
        if install is None or (install.state, install.lease) != (InstallState.EXCHANGING, lease):
            return
        install.lease = None
        if isinstance(answer, Grant):
            _hold(session, runtime.vault, install, answer)
        elif _gave_nothing(answer):
            _try_later(session, install, answer)
        else:
            _give_up(session, install, answer)


def _trade(runtime: Runtime, provider_name: str, parts: Mapping[str, Secret]) -> Grant:
    provider: object = runtime.providers[provider_name]
    if isinstance(provider, Authorizes):
        return provider.redeem(runtime.http, parts["code"], parts["verifier"])
    assert isinstance(provider, Installs)  # noqa: S101 - only these two kinds of provider have installs
    return provider.exchange(runtime.http, parts["code"])


def _hold(session: Session, vault: Vault, install: Install, grant: Grant) -> None:
    now = moment_of(session)
    parts = {
        "access_token": grant.access_token,
        "lifetime": Secret(repr(grant.lifetime)),
        "received_at": Secret(now.isoformat()),
    }
    if grant.refresh_token is not None:
        parts["refresh_token"] = grant.refresh_token
    install.sealed = credentials.seal_for_install(vault, install, parts)
    install.state, install.tries, install.words = InstallState.PENDING, 0, None
    install.expires_at = now + PENDING_LIFE
    client_breaker.close(session, install.client_key)


def _gave_nothing(error: VendorError) -> bool:
    if isinstance(error, VendorRateLimited):
        return True
    return isinstance(error, VendorUnavailable) and (not error.sent or error.status == 503)


def _try_later(session: Session, install: Install, error: VendorError) -> None:
    install.state, install.words = InstallState.RECEIVED, str(error)[:_WORDS_CHARACTERS]
    if isinstance(error, VendorUnavailable) and error.retry_after:
        waited = (moment_of(session) - _received(install)).total_seconds() + error.retry_after
        install.tries = max(install.tries, math.ceil(waited / _SPACING_SECONDS))


def _give_up(session: Session, install: Install, error: VendorError) -> None:
    if isinstance(error, ClientRefused):
        # The breaker stays closed: anybody can send us a bad code, and so stop everybody's refreshes.
        day = moment_of(session).date()
        notices.tell(
            session,
            dedupe_key=f"install:{install.client_key}:{day}",
            kind="client_refused",
            text=f"{install.provider} refused our own client id or secret when somebody tried to connect "
            f"({error}). Check the configured client id and secret.",
        )
    endings = {
        GrantRefused: Ending.CODE_REFUSED,
        ClientRefused: Ending.CLIENT_REFUSED,
        VendorAnswerInvalid: Ending.VENDOR_NONSENSE,
    }
    ending = endings.get(type(error), Ending.VENDOR_UNCLEAR)
    finish(session, install, InstallState.FAILED, ending, words=str(error))


def _list(runtime: Runtime, install: Install) -> None:
    provider = runtime.providers[install.provider]
    assert isinstance(provider, ListsEnvironments)  # noqa: S101 - as for exchange
    grant = credentials.open_for_install(runtime.vault, install)
    answer: tuple[EnvironmentListing, ...] | VendorError
    try:
        answer = provider.list_environments(runtime.http, grant, {})
    except VendorError as error:
        answer = error
    with runtime.database.write() as session:
        fresh = session.get(Install, install.id, with_for_update=True)
        if fresh is None or fresh.state is not InstallState.PENDING or fresh.listing is not None:
            return
        if isinstance(answer, AccessRefused):
            finish(session, fresh, InstallState.FAILED, Ending.ACCESS_REFUSED, words=str(answer))
        elif isinstance(answer, VendorError):
            fresh.words = str(answer)[:_WORDS_CHARACTERS]
        elif not answer:
            finish(session, fresh, InstallState.REFUSED, Ending.NO_ENVIRONMENT)
        else:
            _keep_listing(runtime.vault, fresh, grant, answer)


def _keep_listing(
    vault: Vault, install: Install, grant: Mapping[str, Secret], listings: tuple[EnvironmentListing, ...]
) -> None:
    names: dict[str, list[str]] = {}
    keys: dict[str, dict[str, str]] = {}
    labels = {one.account_key: one.account_label for one in listings}
    for one in listings:
        names.setdefault(one.account_key, []).append(one.vendor_key)
        if one.ingest_key is not None:
            keys.setdefault(one.account_key, {})[one.vendor_key] = one.ingest_key.reveal()
    shown: list[Any] = [
        {"account": account, "label": labels[account] or account, "environments": sorted(environments)}
        for account, environments in sorted(names.items())
    ]
    sealed = {**grant, "ingest_keys": Secret(json.dumps(keys))}
    install.sealed = credentials.seal_for_install(vault, install, sealed)
    install.listing, install.words = shown, None


def _received(install: Install) -> Any:
    return install.received_at or install.created_at
