"""The stage of a campaign: real parts behind proxies and liars, and users with destinations of all kinds."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import ColumnElement, make_url, select, tuple_, update
from sqlalchemy.exc import SQLAlchemyError

from tests import instances, seeding, servers, vendors
from tests.faults.clocks import Clock
from tests.faults.evidence import ENDPOINTS, Aim
from tests.faults.history import History
from tests.faults.liar import Liar
from tests.faults.load import POISON
from tests.faults.namespaces import Hosts
from tests.faults.proxy import Leg, Streets
from tests.seeding import Connected
from tests.services import postgres, redis
from webapp.core.runtime import Runtime
from webapp.models import Destination
from webapp.sandbox import Sandbox, serve
from webapp.sandbox.last9.tokens import ORGANIZATION
from webapp.sandbox.librato.tokens import EMAIL

SQLITE, POSTGRES = "sqlite", "postgres"
USERS = ("u0", "u1", "u2")
#: The vendors' fronts, by what the sandbox calls each.
FRONTS = {"baselime": "baselime_events", "last9": "last9", "librato": "librato"}
_WANTS = "deploy."
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Held(NamedTuple):
    """A lease, as it stands at one moment: who settles or renews it changes it."""

    token: UUID
    owner: str
    due_at: datetime


@dataclass(kw_only=True)
class Stage:
    """Everything that a fault may lay hands on. What is None is not part of this set-up."""

    folder: Path
    history: History
    sandbox: Sandbox
    liars: Mapping[str, Liar]
    #: `intake`, `postgres`, `redis` and the vendors: each between us and one other part
    legs: Mapping[str, Leg]
    instance: servers.Instance
    #: looks into the same database from outside, past every proxy
    runtime: Runtime
    key: str
    aims: Sequence[Aim]
    url: str
    cluster: postgres.Cluster | None = None
    broker: redis.RedisServer | None = None
    #: where the database lies on a small disk of its own
    disk: Path | None = None
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    #: where its processes run
    hosts: Hosts | None = None

    def hasten(self) -> None:
        """Let the time pass that destinations wait for after failures, if the database can be reached."""
        self._let_pass(Destination.due_at.is_not(None) & Destination.lease_token.is_(None))

    def expire(self, leases: Collection[Held]) -> None:
        """Let the time of these leases pass, of those that are still as they were."""
        row = tuple_(Destination.lease_token, Destination.lease_owner, Destination.due_at)
        self._let_pass(row.in_(leases))

    def leases(self) -> set[Held]:
        """Every lease; none while the database cannot be reached."""
        held = select(Destination.lease_token, Destination.lease_owner, Destination.due_at)
        with suppress(SQLAlchemyError), self.runtime.database.read() as session:
            return {Held(*row) for row in session.execute(held.where(Destination.lease_token.is_not(None)))}
        return set()

    def _let_pass(self, which: ColumnElement[bool]) -> None:
        change = update(Destination).where(which).values(due_at=_LONG_AGO)
        try:
            with self.runtime.database.write() as session:
                session.execute(change, execution_options={"synchronize_session": False})
        except SQLAlchemyError as error:
            self.history.note("not hastened", error=type(error).__name__)

    def mend(self) -> None:
        """Start whatever has ended, the services first."""
        deadline = time.monotonic() + 60
        while (self.cluster and self.cluster.ended) or (self.broker and self.broker.ended):
            for service in (self.cluster, self.broker):
                if service and service.ended:
                    _try_start(service, deadline)
        self.instance.mend()


def _try_start(service: postgres.Cluster | redis.RedisServer, deadline: float) -> None:
    # After a kill its children hold the old shared memory until they notice.
    try:
        service.start()
    except postgres.processes.DidNotStart:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stage is to be able to do beside the usual."""

    setup: str = SQLITE
    webs: int = 1
    workers: int = 1
    beats: int = 1
    #: the database on a disk of its own, that can be filled
    disk: Path | None = None
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    #: where its processes run; None: here
    hosts: Hosts | None = None

    @property
    def here(self) -> str:
        """This machine, as its processes see it."""
        return self.hosts.here if self.hosts else "127.0.0.1"


@contextmanager
def opened(folder: Path, history: History, plan: Plan) -> Iterator[Stage]:
    """A stage whose instance has not been started yet."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(serve(port=0))
        streets = stack.enter_context(Streets(plan.here))
        liars = {name: stack.enter_context(Liar(name, sandbox.urls[front])) for name, front in FRONTS.items()}
        legs = {name: streets.lead_to(liar.address) for name, liar in liars.items()}
        # Its tokens name the host that is to be called.
        sandbox.world.begin_with(last9_host=f"{plan.here}:{legs['last9'].port}")
        services = _services(stack, folder, plan)
        urls = {"database": services.url, "broker": services.broker_url}
        for name, part in (("postgres", "database"), ("redis", "broker")):
            if plan.setup == POSTGRES:
                legs[name], urls[part] = _through(streets, urls[part], plan)
        addresses = _addresses(sandbox, legs, plan)
        runtime = stack.enter_context(instances.running(services.url, **addresses))
        instance, legs["intake"] = _instance(streets, folder, plan, urls, addresses)
        stack.callback(instance.stop)
        aims = _seed(runtime, sandbox)
        for vendor, endpoint in ENDPOINTS.items():
            vendors.Vendors(sandbox).fault(vendor, endpoint, "poison", marker=POISON)
        yield Stage(
            folder=folder,
            history=history,
            sandbox=sandbox,
            liars=liars,
            legs=legs,
            instance=instance,
            runtime=runtime,
            key=seeding.api_key(runtime),
            aims=aims,
            url=instance.url,
            cluster=services.cluster,
            broker=services.broker,
            disk=plan.disk,
            clocks=plan.clocks,
            hosts=plan.hosts,
        )


@dataclass(frozen=True)
class _Services:
    url: str
    broker_url: str = ""
    cluster: postgres.Cluster | None = None
    broker: redis.RedisServer | None = None


def _services(stack: ExitStack, folder: Path, plan: Plan) -> _Services:
    if plan.setup == SQLITE:
        return _Services(f"sqlite:///{(plan.disk or folder) / 'hitchpost.db'}")
    under = plan.clocks["database"].under if "database" in plan.clocks else ()
    programs = postgres.find_programs()
    cluster = stack.enter_context(closing(postgres.Cluster(programs, folder=plan.disk, under=under)))
    broker = stack.enter_context(closing(redis.RedisServer(redis.find_program())))
    cluster.start()
    broker.start()
    return _Services(cluster.url, broker.url, cluster, broker)


def _through(streets: Streets, url: str, plan: Plan) -> tuple[Leg, str]:
    address = make_url(url)
    leg = streets.lead_to((address.host or "", address.port or 0))
    return leg, address.set(host=plan.here, port=leg.port).render_as_string(hide_password=False)


def _addresses(sandbox: Sandbox, legs: Mapping[str, Leg], plan: Plan) -> dict[str, Any]:
    fronts = {FRONTS[name]: f"http://{plan.here}:{legs[name].port}" for name in FRONTS}
    return vendors.addresses({**sandbox.urls, **fronts})


def _instance(
    streets: Streets, folder: Path, plan: Plan, urls: Mapping[str, str], addresses: Mapping[str, str]
) -> tuple[servers.Instance, Leg]:
    """The instance, and the leg before its web processes, which is what the world calls."""
    intake = streets.lead_to()
    common: dict[str, Any] = {
        "public_url": f"http://{plan.here}:{intake.port}",
        # A full disk is to be met, not foreseen.
        "disk_reserve_bytes": "0",
        "extra": plan.clocks["ours"].environment if "ours" in plan.clocks else {},
        **addresses,
    }
    instance: servers.Instance
    if plan.setup == SQLITE:
        instance = servers.Embedded(folder, urls["database"], **common)
    else:
        counts = {"webs": plan.webs, "workers": plan.workers, "beats": plan.beats}
        instance = servers.Separate(
            folder,
            urls["database"],
            urls["broker"],
            hosts=plan.hosts.all if plan.hosts else (),
            **counts,
            **common,
        )
    doors = [urlsplit(door) for door in instance.doors]
    intake.targets = [(door.hostname or "", door.port or 0) for door in doors]
    return instance, intake


def _seed(runtime: Runtime, sandbox: Sandbox) -> list[Aim]:
    """Each user forwards to Baselime; the last only some types; the first to all vendors."""
    console = sandbox.urls["console"]
    first, *middle = [seeding.connect(runtime, console, user) for user in USERS[:-1]]
    last = seeding.connect(runtime, console, USERS[-1], types=[f"{_WANTS}*"])
    aims = [_at_baselime(one) for one in (first, *middle)] + [_at_baselime(last, _WANTS)]
    them = vendors.Vendors(sandbox)
    who = vendors.sign_in(runtime, first.external_id)
    for vendor, kind, account in (
        ("last9", "last9.change_events", ORGANIZATION),
        ("librato", "librato.annotations", EMAIL),
    ):
        made = vendors.connect(runtime, who, vendor, them.pasted(vendor))
        aims.append(Aim(vendors.forward(runtime, made.id, kind), first.external_id, vendor, account))
    return aims


def _at_baselime(one: Connected, wants: str = "") -> Aim:
    return Aim(one.destination_id, one.external_id, "baselime", one.account, wants)
