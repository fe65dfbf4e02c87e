"""Forms that end, by redirect, at a vendor's own page: the browser must be told that they may."""

from webapp.core.queries.kinds import connects_by_install
from webapp.ui._headers import allow_form_to
from webapp.ui._session import runtime


def allow_form_to_vendor(name: str) -> bool:
    """Let this page's forms lead to that vendor's consent page. Whether it has one."""
    provider = runtime().providers.get(name)
    ability = connects_by_install(provider) if provider else None
    if ability is None:
        return False
    allow_form_to(ability.console_origin())
    return True
