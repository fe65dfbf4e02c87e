"""What can be told: the kinds of notices, and the types of webhooks (Standard Webhooks 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class News(StrEnum):
    """Every type of webhook."""

    CONNECTED = "connection.connected"
    RECONNECTED = "connection.reconnected"
    DEGRADED = "connection.degraded"
    NEEDS_RECONNECT = "connection.needs_reconnect"
    RECOVERED = "connection.recovered"
    PAUSED = "connection.paused"
    RESUMED = "connection.resumed"
    DISCONNECTED = "connection.disconnected"
    NOT_REVOKED = "connection.not_revoked"
    DESTINATION_HELD = "destination.held"
    DESTINATION_EXPIRING = "destination.expiring"
    VENDOR_INCIDENT = "vendor.incident"
    VENDOR_RECOVERED = "vendor.recovered"
    TEST = "hitchpost.test"


#: What each type says: the API's page shows it.
ABOUT: Mapping[News, str] = {
    News.CONNECTED: "A user confirmed a new connection.",
    News.RECONNECTED: "A user renewed a connection; its destinations and their places in the stream stayed.",
    News.DEGRADED: "It works, but has needed a look for ten minutes. Told once an incident.",
    News.NEEDS_RECONNECT: "The vendor refuses its access for good: send the user to `link`.",
    News.RECOVERED: "What one of the types above or `destination.held` told of is over.",
    News.PAUSED: "A person stopped it; its events wait.",
    News.RESUMED: "A person let it go on.",
    News.DISCONNECTED: "It ended; `at_the_vendor` says what its owner has still to do there.",
    News.NOT_REVOKED: "The vendor did not confirm within three days that our access has ended there too.",
    News.DESTINATION_HELD: "One of its destinations stands still until somebody acts; its events wait.",
    News.DESTINATION_EXPIRING: "A destination has stood still for 23 days; after 30, what waits is given up.",
    News.VENDOR_INCIDENT: "A vendor fails several connections, or refuses our own client: told once for all.",
    News.VENDOR_RECOVERED: "That is over.",
    News.TEST: "`hitchpost notices test` was run.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How one kind of notice is told."""

    #: of its mail, before what it is about
    subject: str
    news: News | None = None
    #: it tells its owner of the trouble that the connection is in: the incident is told by it
    of_trouble: bool = False
    #: its mail offers a link that begins the reconnect
    reconnects: bool = False
    #: a trouble of the vendor explains it: its mail waits until that is over
    waits_for_vendor: bool = False


_USUAL = Kind(subject="Hitchpost has something to tell you")

_KINDS: Mapping[str, Kind] = {
    "needs_reconnect": Kind(
        subject="Please reconnect", news=News.NEEDS_RECONNECT, of_trouble=True, reconnects=True
    ),
    "connection.degraded": Kind(subject="Needs a look", news=News.DEGRADED, of_trouble=True, reconnects=True),
    "connection.not_revoked": Kind(subject="Remove our access", news=News.NOT_REVOKED),
    "destination.key_refused": Kind(
        subject="Stands still", news=News.DESTINATION_HELD, of_trouble=True, reconnects=True
    ),
    "destination.failing": Kind(
        subject="Stands still", news=News.DESTINATION_HELD, of_trouble=True, waits_for_vendor=True
    ),
    "destination.expiry": Kind(subject="Events will be given up", news=News.DESTINATION_EXPIRING),
    "workspace_wanted": Kind(subject="Somebody else tried to connect this"),
    "stream.gap": Kind(subject="A stream has a gap"),
    "client_refused": Kind(subject="A vendor refuses our client", news=News.VENDOR_INCIDENT),
    "vendor.incident": Kind(subject="A vendor has trouble", news=News.VENDOR_INCIDENT),
    "backlog.filling": Kind(subject="A backlog nears its limit"),
    "host.down": Kind(subject="A vendor's host does not answer"),
    "vendor.recovered": Kind(subject="A vendor is well again", news=News.VENDOR_RECOVERED),
    "webhook.gone": Kind(subject="The host app takes no webhooks any more"),
    "test": Kind(subject="A test"),
}
#: The mail that sums up for an admin what owners were told within an hour.
DIGEST = "digest"


def kind_of(name: str) -> Kind:
    """How notices of that kind are told."""
    return _KINDS.get(name, _USUAL)


def names_where(*, of_trouble: bool = False, waits_for_vendor: bool = False) -> tuple[str, ...]:
    """The kinds with every trait that is asked for."""
    return tuple(
        name
        for name, kind in _KINDS.items()
        if kind.of_trouble >= of_trouble and kind.waits_for_vendor >= waits_for_vendor
    )
