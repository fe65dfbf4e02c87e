"""Connect was pressed: open an intent, and say where the person goes now."""

from uuid import UUID

from webapp.core.installs import tie
from webapp.core.installs.begin import Begun, begin, open_an_intent
from webapp.core.installs.tie import Tie
from webapp.core.runtime import Runtime
from webapp.models import UserSession
from webapp.providers.base import Authorizes, Provider


def ask(
    runtime: Runtime, user_session: UserSession, provider: Provider, *, connection_id: UUID | None = None
) -> Begun:
    """As `begin`, for a vendor of either kind; one that takes authorization requests may be called for it.

    Raises VendorUnavailable or VendorAnswerInvalid when that vendor cannot be asked: nothing was begun.
    """
    if not isinstance(provider, Authorizes):
        with runtime.database.write() as session:
            return begin(session, user_session, provider, connection_id=connection_id)
    fresh = Tie()
    authorization = provider.authorization(runtime.http, fresh.state, fresh.verifier)
    with runtime.database.write() as session:
        install = open_an_intent(
            session, user_session, provider.name, provider.client_key(), connection_id=connection_id
        )
        tie.bind(runtime.vault, install, fresh, authorization)
        return Begun(install_id=install.id, address=authorization.address, leaves_by_page=True)
