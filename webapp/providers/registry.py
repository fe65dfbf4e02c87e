"""The one visible table of providers, in the order that pages show them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from webapp.providers.base import DestinationKind, Provider, Receives
from webapp.providers.baselime import Baselime
from webapp.providers.last9 import Last9
from webapp.providers.librato import Librato

if TYPE_CHECKING:
    from webapp.settings import Settings


class _Row(Provider, Receives, Protocol):
    """A provider's class."""

    def __init__(self, settings: "Settings") -> None:
        """What a provider needs to know of this instance."""


TABLE: tuple[type[_Row], ...] = (Baselime, Last9, Librato)

#: Every kind of destination, by name: what a provider takes does not depend on settings.
KINDS: Mapping[str, DestinationKind] = {kind.name: kind for provider in TABLE for kind in provider.kinds}


def make_providers(settings: "Settings") -> Mapping[str, Provider]:
    """Every provider, by name."""
    return {provider.name: provider(settings) for provider in TABLE}
