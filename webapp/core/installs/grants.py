"""What a pending install holds, sealed: the grant of a code, or the credentials of a paste.

Both become the same when their owner confirms: credentials to store, the environments with their keys, and
what is to be remembered of the account.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from webapp.core.installs.workspaces import Workspace
from webapp.lib.secret import Secret
from webapp.models import CredentialKind
from webapp.providers.base import EnvironmentListing, Proposal, StoredCredential

_SHORTEST_LIFE = 1.0


def pack(proposal: Proposal, received_at: datetime) -> dict[str, Secret]:
    """What is sealed of a paste."""
    credentials = [
        {
            "kind": one.kind,
            "scope": one.scope,
            "lifetime": one.lifetime,
            "parts": {name: part.reveal() for name, part in one.parts.items()},
        }
        for one in proposal.credentials
    ]
    held = {"label": proposal.label, "credentials": credentials, "details": dict(proposal.details)}
    return {"proposal": Secret(json.dumps(held)), "received_at": Secret(received_at.isoformat())}


def unpack(parts: Mapping[str, Secret]) -> Proposal | None:
    """The paste, without its environments and findings; None for the grant of a code."""
    if "proposal" not in parts:
        return None
    held: dict[str, Any] = json.loads(parts["proposal"].reveal())
    return Proposal(
        label=held["label"],
        credentials=tuple(
            StoredCredential(
                kind=one["kind"],
                scope=one["scope"],
                lifetime=one["lifetime"],
                parts={name: Secret(value) for name, value in one["parts"].items()},
            )
            for one in held["credentials"]
        ),
        environments=(),
        details=held["details"],
    )


def received_at(parts: Mapping[str, Secret]) -> datetime:
    """When the vendor's answer came: lifetimes count from there."""
    return datetime.fromisoformat(parts["received_at"].reveal())


def credentials_in(parts: Mapping[str, Secret], now: datetime) -> Sequence[StoredCredential]:
    """What is to be stored, with the life that is left of each."""
    age = (now - received_at(parts)).total_seconds()
    proposal = unpack(parts)
    if proposal is not None:
        return [
            one if one.lifetime is None else replace(one, lifetime=max(one.lifetime - age, _SHORTEST_LIFE))
            for one in proposal.credentials
        ]
    names = [name for name in ("access_token", "refresh_token") if name in parts]
    grant = StoredCredential(
        kind=CredentialKind.GRANT.value,
        parts={name: parts[name] for name in names},
        lifetime=max(float(parts["lifetime"].reveal()) - age, _SHORTEST_LIFE),
    )
    return [grant]


def listings_in(parts: Mapping[str, Secret], chosen: Sequence[Workspace]) -> list[EnvironmentListing]:
    """The environments of the chosen workspaces, with the keys that were listed."""
    keys = json.loads(parts["ingest_keys"].reveal()) if "ingest_keys" in parts else {}
    return [
        EnvironmentListing(
            account_key=one.account_key,
            vendor_key=name,
            ingest_key=Secret(key) if (key := keys.get(one.account_key, {}).get(name)) else None,
        )
        for one in chosen
        for name in one.environments
    ]
