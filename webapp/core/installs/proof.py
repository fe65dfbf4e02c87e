"""Proof that whoever confirms can read the workspace: a one-time code goes in as an event and is typed back.

Each workspace gets a code of its own, of 50 random bits; the row keeps keyed digests. Five tries, 10 min.
"""

import hmac
import json
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from webapp.core import credentials
from webapp.core.connections import moment_of
from webapp.core.installs import courier
from webapp.core.installs.browser import Browser, admit
from webapp.core.installs.endings import Ending
from webapp.core.installs.ends import expire, finish
from webapp.core.installs.page import PROOF_TRIES
from webapp.core.installs.workspaces import judge, workspaces_of
from webapp.core.runtime import Runtime
from webapp.errors import Conflict, Forbidden, VendorUnavailable
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import Install, InstallState

PROOF_LIFE = timedelta(minutes=10)
#: Crockford's base 32: no letter that is taken for another.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HALF = 5
_LONGEST = 64
_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1"})
_TEXT = (
    "Hitchpost proof code: {code}. Type it only into a page that you opened yourself, and only if you are "
    "connecting this workspace just now. Never use a code that somebody sent you; send this one to nobody."
)


def start_proof(runtime: Runtime, install_id: UUID, browser: Browser) -> None:
    """Send a code into one environment of each available workspace.

    Raises Conflict unless a grant waits and its workspaces are known, VendorUnavailable when no code got in:
    then it can be tried again.
    """
    with runtime.database.write() as session:
        install = _owned(session, install_id, browser)
        if install.state is not InstallState.PENDING or install.listing is None:
            raise Conflict("there is nothing to prove now")
        judge(session, install)
        free = {one.account_key for one in workspaces_of(session, install) if one.available}
        keys = json.loads(credentials.open_for_install(runtime.vault, install)["ingest_keys"].reveal())
        codes = {account: _new_code() for account in sorted(free & keys.keys())}
        if not codes:
            raise Conflict("no workspace can be proven: the vendor lists no key to send a code with")
        install.proofs = {
            account: _proof(runtime.vault, install, account, code, keys) for account, code in codes.items()
        }
        install.state, install.tries = InstallState.PROVING, 0
        install.expires_at = moment_of(session) + PROOF_LIFE
    _send(runtime, install, codes, keys)


def check_proof(runtime: Runtime, install_id: UUID, browser: Browser, typed: Secret) -> bool:
    """Whether `typed` is the code of a workspace not proven yet, which then is. Five wrong ones end it.

    Raises Conflict when no code is waited for.
    """
    with runtime.database.write() as session:
        expire(session, install_id)
    with runtime.database.write() as session:
        install = _owned(session, install_id, browser)
        proofs: dict[str, Any] = install.proofs or {}
        open_state = install.state in {InstallState.PROVING, InstallState.PROVEN}
        if not open_state or install.tries >= PROOF_TRIES:
            raise Conflict("no code is waited for")
        matches = [account for account in proofs if _matches(runtime.vault, install, account, typed)]
        if not matches:
            install.tries += 1
            if install.tries >= PROOF_TRIES and install.state is InstallState.PROVING:
                finish(session, install, InstallState.FAILED, Ending.PROOF_FAILED)
            return False
        install.proofs = proofs | {account: proofs[account] | {"proven": True} for account in matches}
        install.state = InstallState.PROVEN
        return True


def _owned(session: Any, install_id: UUID, browser: Browser) -> Install:
    install = admit(session, install_id, browser)
    if browser.session is None:
        raise Forbidden("sign in first")
    return install


def _send(
    runtime: Runtime, install: Install, codes: dict[str, Secret], keys: dict[str, dict[str, str]]
) -> None:
    refused: dict[str, str] = {}
    for account, code in codes.items():
        environment = _environment(keys[account])
        text = _TEXT.format(code=code.reveal())
        key = Secret(keys[account][environment])
        try:
            receiver = courier.receiver_of(runtime, install.provider)
            target = courier.target(receiver, (account, environment), key)
            if not courier.send(runtime, receiver, target, type="hitchpost.proof", text=text):
                refused[account] = "this vendor has no place for such an event"
        except VendorUnavailable as error:
            refused[account] = str(error)
    if refused:
        _take_back(runtime, install, refused)


def _take_back(runtime: Runtime, before: Install, refused: dict[str, str]) -> None:
    """Codes that did not get in are not waited for; when none did, the grant is pending as before."""
    words = next(iter(refused.values()))
    with runtime.database.write() as session:
        install = session.get_one(Install, before.id, with_for_update=True)
        if install.state is not InstallState.PROVING:
            return
        left = {account: proof for account, proof in (install.proofs or {}).items() if account not in refused}
        install.words, install.proofs = words, left or None
        if not left:
            install.state = InstallState.PENDING
    if not left:
        raise VendorUnavailable(f"no code could be sent: {words}. Try again in a moment")


def _proof(
    vault: Vault, install: Install, account: str, code: Secret, keys: dict[str, dict[str, str]]
) -> dict[str, Any]:
    return {
        "digest": _digests(vault, install, account, code)[0],
        "environment": _environment(keys[account]),
        "proven": False,
    }


def _matches(vault: Vault, install: Install, account: str, typed: Secret) -> bool:
    proof = (install.proofs or {})[account]
    plain = Secret(
        "".join(typed.reveal()[:_LONGEST].upper().translate(_LOOKALIKES).replace("-", " ").split())
    )
    found = [hmac.compare_digest(proof["digest"], one) for one in _digests(vault, install, account, plain)]
    return any(found) and not proof["proven"]


def _digests(vault: Vault, install: Install, account: str, code: Secret) -> tuple[str, ...]:
    plain = Secret(code.reveal().replace("-", ""))
    return tuple(one.hex() for one in vault.digests(f"proof:{install.id}:{account}", plain))


def _new_code() -> Secret:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(2 * _HALF))
    return Secret(f"{letters[:_HALF]}-{letters[_HALF:]}")


def _environment(keys: dict[str, str]) -> str:
    return min(keys)
