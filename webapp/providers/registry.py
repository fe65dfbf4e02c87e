"""The one visible table of providers, in the order that pages show them.

Three are rows of their own; every entry of `HITCHPOST_OAUTH2` is one more by the same code.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

from webapp.providers.base import Provider
from webapp.providers.baselime import Baselime
from webapp.providers.last9 import Last9
from webapp.providers.librato import Librato
from webapp.providers.oauth2 import StandardVendor, cloudevents
from webapp.providers.receiving import DestinationKind, Receives

if TYPE_CHECKING:
    from webapp.settings import Settings


class _Row(Provider, Receives, Protocol):
    """A provider's class."""

    name: ClassVar[str]
    kinds: ClassVar[tuple[DestinationKind, ...]]

    def __init__(self, settings: "Settings") -> None:
        """What a provider needs to know of this instance."""


TABLE: tuple[type[_Row], ...] = (Baselime, Last9, Librato)

#: Every kind of destination of theirs, by name: what a provider takes does not depend on settings.
KINDS: Mapping[str, DestinationKind] = {kind.name: kind for provider in TABLE for kind in provider.kinds}


def kind_named(name: str) -> DestinationKind | None:
    """The kind of destination of that name, of theirs or of any standard vendor's; None: there is none."""
    return KINDS.get(name) or cloudevents.kind_named(name)


def taken_names() -> frozenset[str]:
    """The names that a standard vendor cannot have."""
    return frozenset(provider.name for provider in TABLE)


def make_providers(settings: "Settings") -> Mapping[str, Provider]:
    """Every provider, by name."""
    standard = {name: StandardVendor(name, vendor, settings) for name, vendor in settings.oauth2.items()}
    own: dict[str, Provider] = {provider.name: provider(settings) for provider in TABLE}
    return own | {name: provider for name, provider in standard.items() if name not in own}
