"""`python -m tests.faults.disconnects --rounds 1000`: disconnects racing refreshes, on both databases.

After each round nothing sealed may be left here, and nothing that the vendor granted may live on there; but
for what an unwilling vendor did not take back: that is sealed to be given back later, and then is gone too.
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

from sqlalchemy import select, update

from tests.core.grants import make_grants
from tests.fake_vendor import FakeHttp, FakeVendor, running_with
from tests.services import postgres
from webapp.core import connections, credentials, refresh, revocation
from webapp.core.audit import HITCHPOST
from webapp.core.runtime import Runtime
from webapp.errors import VendorUnavailable
from webapp.lib.database import db_time
from webapp.lib.http import Http
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential, Revocation
from webapp.providers.base import Grant


class Revoking(FakeVendor):
    """A vendor that rotates refresh tokens, takes them back, and knows which still work."""

    farewell: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.rotates = True
        self.alive: set[str] = set()
        #: the share of revocations that it answers 503
        self.unwilling = 0.0
        self.chance = random.Random(7)

    def refresh(self, http: Http, refresh_token: Secret, *, scope: str, details: Mapping[str, Any]) -> Grant:
        grant = super().refresh(http, refresh_token, scope=scope, details=details)
        assert grant.refresh_token is not None
        with self.lock:
            self.alive.discard(refresh_token.reveal())
            self.alive.add(grant.refresh_token.reveal())
        return grant

    def revoke(self, http: Http, secrets: Mapping[str, Secret], details: Mapping[str, Any]) -> None:
        with self.lock:
            if self.chance.random() < self.unwilling:
                self.counts["revocations refused"] += 1
                raise VendorUnavailable("it answered 503", status=503)
            self.alive.discard(secrets["refresh_token"].reveal())


@dataclass
class Report:
    """What the rounds found."""

    rounds: int = 0
    #: in how many the refresh came first, in the middle, or not at all
    outcomes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    #: how many were still to be given back after a round
    kept: int = 0


def race(
    runtime: Runtime, vendor: Revoking, rounds: int, chance: random.Random, *, unwilling: float
) -> Report:
    """Disconnect and refresh one connection after another, both at once."""
    report = Report(rounds=rounds)
    for grant in make_grants(runtime, rounds):
        vendor.alive.add(f"refresh-canary-{grant.connection_id}")
        vendor.unwilling = unwilling
        vendor.delay = chance.choice((0.0, 0.0, 0.002, 0.005))
        outcome = _round(runtime, grant, wait=chance.random() * 0.008)
        report.outcomes[outcome] = report.outcomes.get(outcome, 0) + 1
        report.kept += _kept(runtime, grant, vendor, report)
        vendor.unwilling = 0.0
        revoke_all(runtime)
        report.faults += _faults(runtime, grant, vendor)
    return report


def _kept(runtime: Runtime, grant: Credential, vendor: Revoking, report: Report) -> int:
    """How many are still to be given back; whatever lives on at the vendor must be among them."""
    with runtime.database.read() as session:
        rows = list(session.scalars(select(Revocation)))
    kept = {credentials.open_for_revocation(runtime.vault, row)["refresh_token"].reveal() for row in rows}
    if vendor.alive - kept:
        report.faults.append(f"{grant.connection_id} lives on at the vendor, and nobody will ask again")
    return len(rows)


def revoke_all(runtime: Runtime) -> None:
    """Let time pass for what is still to be given back, and give it back."""
    with runtime.database.write() as session:
        session.execute(update(Revocation).values(due_at=db_time()))
    revocation.sweep(runtime)


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
        waiting = session.scalar(select(Revocation.id))
    faults = []
    if state is not ConnectionState.DISCONNECTED:
        faults.append(f"{grant.connection_id} came back as {state}")
    if tuple(row) != (None, None, None) or waiting is not None:
        faults.append(f"{grant.connection_id} kept something sealed or due")
    if vendor.alive:
        faults.append(f"{grant.connection_id} lives on at the vendor")
        vendor.alive.clear()
    return faults


def run(database_url: str, rounds: int, seed: int, *, unwilling: float = 0.0) -> Report:
    """So many rounds on one database, at a vendor that refuses that share of revocations for now."""
    vendor = Revoking()
    with running_with(vendor, FakeHttp(), database_url) as runtime:
        return race(runtime, vendor, rounds, random.Random(seed), unwilling=unwilling)


def main() -> None:
    """Run on both databases; status 1 if anything came back or lives on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--unwilling", type=float, default=0.5, help="share of revocations refused for now")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    asked = parser.parse_args()
    faults = 0
    cluster = postgres.Cluster(postgres.find_programs())
    with tempfile.TemporaryDirectory() as folder, closing(cluster):
        for url in (f"sqlite:///{Path(folder) / 'hitchpost.db'}", cluster.start().url):
            report = run(url, asked.rounds, asked.seed, unwilling=asked.unwilling)
            sys.stdout.write(f"{url.partition(':')[0]}, seed {asked.seed}: {report.rounds} races, ")
            sys.stdout.write(f"refreshes {report.outcomes}, {report.kept} given back later, ")
            sys.stdout.write(f"{len(report.faults)} faults\n")
            sys.stdout.writelines(f"  ✗ {fault}\n" for fault in report.faults)
            faults += len(report.faults)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
