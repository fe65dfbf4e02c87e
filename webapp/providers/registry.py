"""The one visible table of providers, in the order that pages show them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from webapp.providers.base import DestinationKind
from webapp.providers.baselime import Baselime
from webapp.providers.last9 import Last9
from webapp.providers.librato import Librato

if TYPE_CHECKING:
    from webapp.providers.base import Provider
    from webapp.settings import Settings

#: Every kind of destination, by name: what a provider takes does not depend on settings.
KINDS: Mapping[str, DestinationKind] = {
    kind.name: kind for provider in (Baselime, Last9, Librato) for kind in provider.kinds
}


def make_providers(settings: "Settings") -> "Mapping[str, Provider]":
    """Every provider, by name."""
    table: tuple[Provider, ...] = (Baselime(settings), Last9(settings), Librato(settings))
    return {provider.name: provider for provider in table}
