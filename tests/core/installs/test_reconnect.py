"""A reconnect takes nothing away: the old grant stays until the new one works."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.fake_vendor import FakeVendor
from webapp.core import installs
from webapp.core.installs import Browser
from webapp.core.runtime import Runtime
from webapp.errors import VendorUnavailable
from webapp.models import Connection, Credential, CredentialKind, UserSession

Connect = Callable[..., Connection]


@pytest.mark.parametrize("fault", [None, VendorUnavailable("answered 503", status=503)])
def test_the_old_grant_stays_until_the_new_one_works(  # noqa: PLR0917 - fixtures, by name
    runtime: Runtime,
    vendor: FakeVendor,
    ada: UserSession,
    connect: Connect,
    asked_for: Callable[..., UUID],
    fault: Exception | None,
) -> None:
    first = connect(ada)
    before = grant_of(runtime, first.id)
    vendor.list_faults = [fault] * 9 if fault else []
    install_id = asked_for(ada, "code-0002", connection_id=first.id)
    installs.open_page(runtime, install_id, Browser(session=ada))
    assert grant_of(runtime, first.id) == before
    with runtime.database.write() as session:
        installs.cancel(session, install_id, Browser(session=ada))
    assert grant_of(runtime, first.id) == before
    vendor.list_faults = []
    connect(ada, "code-0003", connection_id=first.id)
    after = grant_of(runtime, first.id)
    assert (after[0], after[1] != before[1]) == (before[0] + 1, True)


def grant_of(runtime: Runtime, connection_id: UUID) -> tuple[int, bytes | None]:
    chosen = select(Credential.generation, Credential.sealed)
    chosen = chosen.where(Credential.connection_id == connection_id, Credential.kind == CredentialKind.GRANT)
    with runtime.database.read() as session:
        generation, sealed = session.execute(chosen).one()
        return generation, sealed
