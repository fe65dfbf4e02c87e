"""What providers declare, as pages draw it: kinds of destination, and forms to connect by."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from webapp.core.runtime import Runtime
from webapp.errors import Fault, Invalid, NotFound
from webapp.providers.base import Authorizes, Connects, Installs, Provider, TakesBack
from webapp.providers.forms import FormField
from webapp.providers.receiving import DestinationKind, Receives


def provider_named(runtime: Runtime, name: str) -> Provider:
    """The provider. Raises NotFound."""
    if name not in runtime.providers:
        raise NotFound("There is no such provider here.")
    return runtime.providers[name]


def kinds_of(runtime: Runtime, provider_name: str) -> tuple[DestinationKind, ...]:
    """The kinds of destination that a provider takes; none when it takes no events."""
    provider: object = runtime.providers.get(provider_name)
    return provider.kinds if isinstance(provider, Receives) else ()


def kind_named(runtime: Runtime, provider_name: str, kind_name: str) -> DestinationKind:
    """One of them. Raises NotFound."""
    for kind in kinds_of(runtime, provider_name):
        if kind.name == kind_name:
            return kind
    raise NotFound("There is no such kind of destination.")


def connects_by_install(provider: Provider) -> Installs | None:
    """The provider as one that connects by an install redirect; None when it does not."""
    ability: object = provider
    return ability if isinstance(ability, Installs) else None


def is_pasted(runtime: Runtime, name: str) -> bool:
    """Whether what its connections hold was pasted; no when this instance does not know the provider."""
    provider = runtime.providers.get(name)
    return provider is not None and connects_by_form(provider)


def connects_by_request(provider: Provider) -> bool:
    """Whether it connects by an authorization request of ours."""
    ability: object = provider
    return isinstance(ability, Authorizes)


_OF_AN_INSTALL = (
    "Needs: that you authorize it on the vendor's own page.",
    "Does: reads the list of your environments, keeps that access alive, and sends your events in order.",
    "Never: reads your data, or forwards anything before you chose where.",
)


def promises_of(provider: Provider) -> tuple[tuple[str, str], ...]:
    """What it needs, will do and will never do: a heading and a sentence each."""
    ability: object = provider
    sentences = ability.needs if isinstance(ability, Connects | Authorizes) else _OF_AN_INSTALL
    split = [sentence.partition(": ") for sentence in sentences]
    return tuple((head, rest[:1].upper() + rest[1:]) for head, _, rest in split)


class FormProvider(Provider, Connects, Protocol):
    """A provider that connects by a form."""


def form_of(runtime: Runtime, name: str) -> FormProvider:
    """The provider of that name. Raises NotFound when it has no form."""
    provider: Any = provider_named(runtime, name)
    if not isinstance(provider, Connects):
        raise NotFound("This vendor is not connected by a form.")
    return cast("FormProvider", provider)


def refuse_overlong(form: Sequence[FormField], values: Mapping[str, str]) -> None:
    """Raises Invalid, a Fault for each value that is longer than its field takes."""
    faults = [
        Fault(field.name, f"is longer than {field.max_length:,} characters: paste only what is asked for")
        for field in form
        if len(values[field.name]) > field.max_length
    ]
    if faults:
        raise Invalid(faults)


def what_we_made(
    runtime: Runtime, name: str, details: Mapping[str, Any]
) -> tuple[str, tuple[FormField, ...]]:
    """What of ours is at the vendor, in a sentence, and the form to delete it with; empty: nothing is."""
    provider: object = runtime.providers.get(name)
    made = provider.made(details) if isinstance(provider, TakesBack) else ""
    return (made, provider.take_back_form) if made and isinstance(provider, TakesBack) else ("", ())


def connects_by_form(provider: Provider) -> bool:
    """Whether it connects by a form that a person fills in."""
    ability: object = provider
    return isinstance(ability, Connects)


__all__ = [
    "DestinationKind",
    "FormField",
    "FormProvider",
    "Provider",
    "connects_by_form",
    "connects_by_install",
    "connects_by_request",
    "form_of",
    "is_pasted",
    "kind_named",
    "kinds_of",
    "promises_of",
    "provider_named",
    "refuse_overlong",
    "what_we_made",
]
