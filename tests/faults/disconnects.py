"""`python -m tests.faults.disconnects --rounds 1000`: disconnects racing refreshes, on both databases.

After each round nothing sealed may be left here, and nothing that the vendor granted may live on there.
"""

import argparse
import random
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import select

from tests.core.grants import make_grants
from tests.fake_vendor import FakeHttp, FakeVendor, running_with
from tests.services import postgres
from webapp.core import connections, refresh
from webapp.core.audit import HITCHPOST
from webapp.core.runtime import Runtime
from webapp.lib.http import Http
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential
from webapp.providers.base import Grant


class Revoking(FakeVendor):
    """A vendor that rotates refresh tokens, takes them back, and knows which still work."""

    farewell: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.rotates = True
        self.alive: set[str] = set()

    def refresh(self, http: Http, refresh_token: Secret, *, scope: str, details: Mapping[str, Any]) -> Grant:
        grant = super().refresh(http, refresh_token, scope=scope, details=details)
        assert grant.refresh_token is not None
        with self.lock:
            self.alive.discard(refresh_token.reveal())
            self.alive.add(grant.refresh_token.reveal())
        return grant

    def revoke(self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]) -> None:
        with self.lock:
            self.alive.discard(secrets["refresh_token"].reveal())


@dataclass
class Report:
    """What the rounds found."""

    rounds: int = 0
    #: in how many the refresh came first, in the middle, or not at all
    outcomes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def race(runtime: Runtime, vendor: Revoking, rounds: int, chance: random.Random) -> Report:
    """Disconnect and refresh one connection after another, both at once."""
    report = Report(rounds=rounds)
    for grant in make_grants(runtime, rounds):
        vendor.alive.add(f"refresh-canary-{grant.connection_id}")
        vendor.delay = chance.choice((0.0, 0.0, 0.002, 0.005))
        outcome = _round(runtime, grant, wait=chance.random() * 0.008)
        report.outcomes[outcome] = report.outcomes.get(outcome, 0) + 1
        report.faults += _faults(runtime, grant, vendor)
    return report


def _round(runtime: Runtime, grant: Credential, *, wait: float) -> str:
    outcomes: list[object] = []
    start, over = threading.Barrier(2), threading.Event()

    def renew() -> None:
        start.wait()
        outcomes.append(refresh.refresh_one(runtime, grant.id))

    thread = threading.Thread(target=renew)
    thread.start()
    start.wait()
    over.wait(wait)
    connections.disconnect(runtime, HITCHPOST, grant.connection_id)
    thread.join()
    refresh.sweep(runtime)
    return str(outcomes[0])


def _faults(runtime: Runtime, grant: Credential, vendor: Revoking) -> list[str]:
    with runtime.database.read() as session:
        state = session.get_one(Connection, grant.connection_id).state
        row = session.execute(
            select(Credential.sealed, Credential.refresh_at, Credential.lease).where(
                Credential.id == grant.id
            )
        ).one()
    faults = []
    if state is not ConnectionState.DISCONNECTED:
        faults.append(f"{grant.connection_id} came back as {state}")
    if tuple(row) != (None, None, None):
        faults.append(f"{grant.connection_id} kept something sealed or due")
    if vendor.alive:
        faults.append(f"{grant.connection_id} lives on at the vendor")
        vendor.alive.clear()
    return faults


def run(database_url: str, rounds: int, seed: int) -> Report:
    """So many rounds on one database."""
    vendor = Revoking()
    with running_with(vendor, FakeHttp(), database_url) as runtime:
        return race(runtime, vendor, rounds, random.Random(seed))


def main() -> None:
    """Run on both databases; status 1 if anything came back or lives on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    asked = parser.parse_args()
    faults = 0
    cluster = postgres.Cluster(postgres.find_programs())
    with tempfile.TemporaryDirectory() as folder, closing(cluster):
        for url in (f"sqlite:///{Path(folder) / 'hitchpost.db'}", cluster.start().url):
            report = run(url, asked.rounds, asked.seed)
            sys.stdout.write(f"{url.partition(':')[0]}, seed {asked.seed}: {report.rounds} races, ")
            sys.stdout.write(f"refreshes {report.outcomes}, {len(report.faults)} faults\n")
            sys.stdout.writelines(f"  ✗ {fault}\n" for fault in report.faults)
            faults += len(report.faults)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
