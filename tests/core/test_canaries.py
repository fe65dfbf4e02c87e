"""After whole lives, and every way they fail, the database holds no secret in any reading of its bytes."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from tests.canaries import dump, found, readings
from tests.fake_vendor import FakeHttp, FakeVendor, listing
from webapp.core import connections, environments, installs, refresh, sessions, users
from webapp.core.audit import HITCHPOST
from webapp.core.installs import Browser, Received
from webapp.core.runtime import Runtime
from webapp.errors import ClientRefused, GrantRefused, VendorError, VendorUnavailable
from webapp.lib.secret import Secret
from webapp.models import Connection, Credential, CredentialKind, Install, SessionKind, UserSession


def test_the_search_finds_what_is_there(runtime: Runtime) -> None:
    for number, reading in enumerate(readings("canary-that-sings")):
        with runtime.database.write() as session:
            users.ensure_external(session, f"{number} {reading.decode()}")
        assert reading in dump(runtime)


@pytest.fixture
def lives(  # noqa: PLR0917 - fixtures, by name
    runtime: Runtime,
    vendor: FakeVendor,
    inbox: FakeHttp,
    ada: UserSession,
    bob: UserSession,
    come_back: Callable[..., Received],
    connect: Callable[..., Connection],
) -> list[str]:
    """Lead several connections through their lives; what was secret in them."""
    secrets = ["client-secret-canary"]

    def code(text: str) -> str:
        secrets.append(text)
        return text

    kept = connect(ada, code("code-canary-kept-0001"))
    vendor.environments = listing("acme/prod", "acme/staging", "birch/prod", key="rotated")
    environments.fetch(runtime, kept.id)
    with runtime.database.write() as session:
        connections.refresh_now(session, HITCHPOST, kept.id)
    refresh.sweep(runtime)
    for fault in (VendorUnavailable("no"), ClientRefused("no", status=401), GrantRefused("no", status=400)):
        vendor.refresh_faults = [fault]
        with runtime.database.read() as session:
            grants = session.scalars(select(Credential.id).where(Credential.kind == CredentialKind.GRANT))
            ids = list(grants)
        refresh.refresh_one(runtime, ids[0])
    installs.announce(runtime, kept.id, [])

    vendor.environments = listing("cobalt/prod", key="doomed")
    ended = connect(bob, code("code-canary-ended-0001"))
    connections.disconnect(runtime, HITCHPOST, ended.id)

    waiting = come_back(code("code-canary-waiting-001"))
    assert waiting.new_binding is not None
    secrets.append(waiting.new_binding.reveal())
    installs.open_page(runtime, waiting.install_id, Browser(session=None, candidate=waiting.new_binding))

    proving = come_back(code("code-canary-proving-001"), ada).install_id
    installs.start_proof(runtime, proving, Browser(session=ada))
    typed = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", inbox.inbox[-1][1]["message"])
    assert typed is not None
    secrets += [typed[0], typed[0].replace("-", "")]

    failures: list[VendorError] = [GrantRefused("no", status=400), VendorUnavailable("no", sent=False)]
    for number, failure in enumerate(failures):
        vendor.exchange_faults = [failure]
        come_back(code(f"code-canary-failing-{number}"), ada)
    cancelled = come_back(code("code-canary-cancelled-1"), ada).install_id
    with runtime.database.write() as session:
        installs.cancel(session, cancelled, Browser(session=ada))

    secrets += [f"access-canary-{number}" for number in range(1, vendor.counts["exchange"] + 1)]
    secrets += [f"refresh-canary-{number}" for number in range(1, vendor.counts["exchange"] + 1)]
    secrets += [f"access-canary-r{number}" for number in range(1, vendor.counts["refresh"] + 1)]
    secrets += [
        f"{key}-canary-{name}"
        for key in ("key", "rotated", "doomed")
        for name in ("acme-prod", "acme-staging", "birch-prod", "cobalt-prod")
    ]
    with runtime.database.write() as session:
        cookie = sessions.open(session, ada.user_id, SessionKind.LOGIN)
    secrets.append(cookie.reveal())
    return secrets


def test_no_secret_lies_in_the_database(runtime: Runtime, lives: list[str]) -> None:
    everything = dump(runtime)
    assert found(lives, everything) == []


def test_every_end_leaves_nothing_sealed(runtime: Runtime, lives: list[str]) -> None:
    with runtime.database.read() as session:
        ended = session.scalars(select(Install).where(Install.ending.is_not(None))).all()
        confirmed = session.scalars(select(Install).where(Install.state == "confirmed")).all()
    assert ended
    assert confirmed
    assert all(one.sealed is None and one.proofs is None for one in (*ended, *confirmed))


def test_nothing_secret_shows_in_what_is_printed(runtime: Runtime, lives: list[str]) -> None:
    with runtime.database.read() as session:
        rows = [*session.scalars(select(Install)), *session.scalars(select(Credential))]
    callback = installs.Callback(provider="baselime", code=Secret(lives[1]))
    printed = f"{rows} {callback} {runtime}"
    assert [secret for secret in lives if secret in printed] == []
