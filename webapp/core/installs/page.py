"""What the page of an install shows, and what may be done there."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.core import sessions
from webapp.core.installs.browser import Browser, admit, claim
from webapp.core.installs.endings import Ending
from webapp.core.installs.ends import expire
from webapp.core.installs.exchange import advance
from webapp.core.installs.workspaces import (
    Change,
    Workspace,
    change_of,
    judge,
    linked,
    target_of,
    workspaces_of,
)
from webapp.core.runtime import Runtime
from webapp.lib.secret import Secret
from webapp.lib.vault import Vault
from webapp.models import Install, InstallState
from webapp.settings import InstallProof

PROOF_TRIES = 5
#: A confirmation after a proof needs a sign-in this recent.
REAUTHENTICATED_MINUTES = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An install as its owner sees it."""

    id: UUID
    provider: str
    state: InstallState
    ending: Ending | None
    #: the vendor's words at the last trouble
    words: str | None
    expires_at: datetime
    #: False: whoever looks is to sign in before anything can be done
    signed_in: bool
    solicited: bool
    #: the connection that this reconnects, or that it became
    connection_id: UUID | None
    #: empty until the vendor has listed them
    workspaces: tuple[Workspace, ...]
    #: what a paste was found to be, in sentences; empty for the grant of a code
    findings: tuple[str, ...]
    #: what a confirmation would do to a connection that is there already
    change: Change | None
    #: a click is not enough: the code sent into each workspace is to be typed back
    needs_proof: bool
    tries_left: int
    needs_reauthentication: bool
    may_confirm: bool
    #: goes back with the confirmation: nothing but what this page shows will be linked
    seal: str

    @property
    def of_accounts(self) -> bool:
        """Whether the vendor knows no environments beside the account itself."""
        return all(one.environments == (one.account_key,) for one in self.workspaces)

    @property
    def waiting(self) -> bool:
        """Whether the page should look again by itself."""
        working = self.state in {InstallState.RECEIVED, InstallState.EXCHANGING}
        return working or (self.state is InstallState.PENDING and not self.workspaces)


def open_page(runtime: Runtime, install_id: UUID, browser: Browser) -> Page:
    """The page for this browser, after doing what the install waits for (a code to trade, a list to fetch).

    Raises NotFound when it is not this browser's.
    """
    with runtime.database.write() as session:
        claim(session, runtime.vault, install_id, browser)
        expire(session, install_id)
    advance(runtime, install_id)
    with runtime.database.write() as session:
        return view(session, runtime, install_id, browser)


def view(session: Session, runtime: Runtime, install_id: UUID, browser: Browser) -> Page:
    """As `open_page`, but as it stands: nobody is called."""
    install = admit(session, install_id, browser)
    judge(session, install)
    workspaces = workspaces_of(session, install)
    chosen = linked(install, workspaces)
    target = target_of(session, install, chosen)
    proof = needs_proof(install, runtime.settings.install_proof)
    ready = install.state is InstallState.PROVEN or (install.state is InstallState.PENDING and not proof)
    return Page(
        id=install.id,
        provider=install.provider,
        state=install.state,
        ending=Ending(install.ending) if install.ending else None,
        words=install.words,
        expires_at=install.expires_at,
        signed_in=browser.session is not None,
        solicited=install.solicited,
        connection_id=install.connection_id,
        workspaces=workspaces,
        findings=tuple(install.findings or ()),
        change=change_of(session, target, chosen) if install.state is not InstallState.CONFIRMED else None,
        needs_proof=proof and install.state is InstallState.PENDING,
        tries_left=max(PROOF_TRIES - install.tries, 0),
        needs_reauthentication=must_reauthenticate(install, browser),
        may_confirm=ready and browser.session is not None and bool(chosen),
        seal=seals(runtime.vault, install, browser, chosen, target.id if target else None)[0],
    )


def needs_proof(install: Install, policy: InstallProof) -> bool:
    """Whether this grant is linked only after a code was typed back."""
    if install.findings is not None:
        return False  # pasted: whoever holds the secret has shown enough
    if install.state_digest is not None:
        return False  # tied by state and PKCE to the session that asked: nobody else's code can be in it
    if policy is InstallProof.STRICT:
        return not install.solicited
    return policy is InstallProof.ALWAYS


def must_reauthenticate(install: Install, browser: Browser) -> bool:
    """Whether its owner is to sign in again before confirming what they proved."""
    if install.state is not InstallState.PROVEN or browser.session is None:
        return False
    return not sessions.is_recent(browser.session, minutes=REAUTHENTICATED_MINUTES)


def seals(
    vault: Vault, install: Install, browser: Browser, chosen: tuple[Workspace, ...], target: UUID | None
) -> tuple[str, ...]:
    """What ties a confirmation to this session, this install and the list shown; one per key of the ring."""
    owner = browser.session.id if browser.session else None
    shown = [[one.account_key, *one.environments] for one in chosen]
    text = Secret(json.dumps([str(owner), str(install.id), str(target), shown]))
    return tuple(digest.hex() for digest in vault.digests("install-shown", text))
