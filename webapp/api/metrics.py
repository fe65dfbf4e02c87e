"""Metrics: the instance's figures for Prometheus, read from the database at each scrape.

They name vendors and states, never users or accounts. All processes give the same figures: scrape one.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webapp.api.callers import authorize, runtime
from webapp.api.refusals import Refusal, respond
from webapp.core.api_keys import Scope
from webapp.core.queries.backlogs import fullest_backlog
from webapp.core.queries.health import Health, read_health
from webapp.core.queries.ledgers import count_wrong
from webapp.core.queries.pace import longest_drains
from webapp.core.queries.totals import Totals, read_totals
from webapp.core.runtime import Runtime

blueprint = Blueprint("api_metrics", __name__)

_FORWARDING = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")


@blueprint.get("/metrics")
def metrics() -> Response:
    """The figures: for this machine itself, and for API keys with the scope metrics:read."""
    if not _asked_by_this_machine():
        authorize(Scope.METRICS_READ)
    registry = CollectorRegistry()
    registry.register(_Figures(runtime()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


@blueprint.errorhandler(Refusal)
def _refuse(refusal: Refusal) -> Response:
    return respond(refusal.problem, refusal.detail, headers=refusal.headers)


def _asked_by_this_machine() -> bool:
    """Whether loopback asks for itself: behind a proxy on this machine, all the world comes from there."""
    if any(name in request.headers for name in _FORWARDING):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


class _Figures(Collector):
    """Reads everything when asked, in one read transaction."""

    def __init__(self, parts: Runtime) -> None:
        self._runtime = parts

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: a registry must not scrape in order to register."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Every family of figures."""
        with self._runtime.database.read() as session:
            health, totals = read_health(session), read_totals(session)
            fullest = fullest_backlog(self._runtime, session)
            wrong, drains = count_wrong(session), longest_drains(session)
        yield from _of_events(totals)
        yield _of_drains(totals, drains)
        yield GaugeMetricFamily(
            "hitchpost_ledgers_wrong", "Destinations whose ledger does not add up: a fault.", value=wrong
        )
        yield GaugeMetricFamily(
            "hitchpost_backlog_fullest_ratio",
            "How full the fullest backlog of a user is: at 1 new events of that user are refused.",
            value=fullest.share if fullest else 0.0,
        )
        yield from _of_work(health)
        yield from _of_states(health)


def _of_events(totals: Totals) -> Iterable[Metric]:
    yield CounterMetricFamily("hitchpost_events_accepted", "Events accepted.", value=totals.accepted)
    settled = CounterMetricFamily(
        "hitchpost_events_settled", "Events settled at destinations.", labels=("kind", "outcome")
    )
    waiting = GaugeMetricFamily(
        "hitchpost_events_waiting",
        "Events accepted and not settled yet, summed over destinations.",
        labels=("kind",),
    )
    for kind, ledger in totals.by_kind.items():
        for outcome in ("delivered", "filtered", "dead", "expired"):
            settled.add_metric((kind, outcome), getattr(ledger, outcome))
        waiting.add_metric((kind,), ledger.waiting)
    yield settled
    yield waiting


def _of_drains(totals: Totals, drains: Mapping[str, float]) -> Metric:
    """A kind for which something waits, and of which nobody can tell, has no figure."""
    drained = GaugeMetricFamily(
        "hitchpost_drained_seconds",
        "About how long until nothing waits at the slowest destination, at the pace of its last requests.",
        labels=("kind",),
    )
    for kind, ledger in totals.by_kind.items():
        if kind in drains or not ledger.waiting:
            drained.add_metric((kind,), drains.get(kind, 0.0))
    return drained


def _of_work(health: Health) -> Iterable[Metric]:
    count = GaugeMetricFamily("hitchpost_due", "Pieces of work that are due now.", labels=("work",))
    age = GaugeMetricFamily(
        "hitchpost_due_age_seconds", "For how long the oldest piece of work is due.", labels=("work",)
    )
    for due in health.due:
        name = due.work.replace(" ", "_")
        count.add_metric((name,), due.count)
        age.add_metric((name,), (health.now - due.oldest).total_seconds() if due.oldest else 0.0)
    yield count
    yield age
    alive = GaugeMetricFamily("hitchpost_processes", "Processes seen lately.", labels=("kind",))
    for kind in ("web", "worker", "beat"):
        alive.add_metric((kind,), sum(row.alive for row in health.processes if row.kind == kind))
    yield alive


def _of_states(health: Health) -> Iterable[Metric]:
    connections = GaugeMetricFamily("hitchpost_connections", "Connections by state.", labels=("state",))
    for state, number in health.connections.items():
        connections.add_metric((state.value,), number)
    yield connections
    held = GaugeMetricFamily(
        "hitchpost_destinations_held", "Destinations that stand still, by reason.", labels=("hold",)
    )
    for hold, number in health.holds.items():
        held.add_metric((hold.value,), number)
    yield held
    yield GaugeMetricFamily(
        "hitchpost_dead_letters_open", "Dead letters that nobody saw to.", value=health.dead_letters
    )
    open_breakers = GaugeMetricFamily("hitchpost_breakers_open", "Open breakers by scope.", labels=("scope",))
    for scope in sorted({row.scope for row in health.breakers}):
        still = [row for row in health.breakers if row.scope == scope and row.open_until > health.now]
        open_breakers.add_metric((scope,), len(still))
    yield open_breakers
