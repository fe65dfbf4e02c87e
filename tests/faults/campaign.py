"""`python -m tests.faults.campaign --setup postgres --minutes 10`: load, a nemesis with a seed, a verdict.

What was sent, acknowledged and struck is kept in a history file. The same seed strikes the same faults in the
same order; what the processes were doing at each moment is theirs.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults.clocks import Clock
from tests.faults.course import Campaign, Orders, Report
from tests.faults.history import History
from tests.faults.namespaces import Hosts
from tests.faults.nemesis import FAULTS, known, usual
from tests.faults.stage import POSTGRES, SQLITE, Plan, Stage, opened

_DISK_BYTES = {SQLITE: 24_000_000, POSTGRES: 280_000_000}


def run(folder: Path, orders: Orders) -> Report:
    """A whole campaign in a folder that is empty."""
    with staged(folder, orders) as stage:
        return Campaign(stage, orders).run()


@contextmanager
def staged(folder: Path, orders: Orders) -> Iterator[Stage]:
    """A stage that is equipped for these orders."""
    with ExitStack() as stack:
        shared = stack.enter_context(_shared_folder())
        disk = stack.enter_context(_small_disk(shared, orders.setup)) if "disk" in orders.faults else None
        clocks = _clocks(shared, orders.setup) if "clock" in orders.faults else {}
        plan = Plan(
            setup=orders.setup,
            webs=orders.webs,
            workers=orders.workers,
            beats=orders.beats,
            disk=disk,
            clocks=clocks,
            hosts=stack.enter_context(Hosts(orders.hosts)) if orders.hosts else None,
        )
        history = History.at(folder / "history.jsonl")
        stack.callback(history.close)
        yield stack.enter_context(opened(folder, history, plan))


@contextmanager
def _shared_folder() -> Iterator[Path]:
    """One that every user of this machine may enter: PostgreSQL refuses to run as root."""
    with tempfile.TemporaryDirectory(prefix="hitchpost-campaign-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def _small_disk(folder: Path, setup: str) -> Iterator[Path | None]:
    """A tmpfs; None where this user may mount nothing."""
    disk = folder / "disk"
    disk.mkdir()
    size = f"size={_DISK_BYTES[setup]},mode=0755"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield disk
    finally:
        umount = ["umount", "--lazy", str(disk)]
        subprocess.run(umount, check=True)


def _clocks(folder: Path, setup: str) -> dict[str, Clock]:
    names = ("ours", "database") if setup == POSTGRES else ("ours",)
    return {name: Clock(folder, name) for name in names}


def main() -> None:
    """Run it and say what was found; status 1 if any promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=(SQLITE, POSTGRES), default=SQLITE)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--strikes", type=int, help="so many faults, however long that takes")
    parser.add_argument(
        "--restarts", type=int, help="so many rolling restarts by SIGTERM, and no other fault"
    )
    parser.add_argument("--faults", default="all", help=f"some of {', '.join(FAULTS)}, by commas")
    parser.add_argument("--webs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--beats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="for histories and logs; kept")
    parser.add_argument("--until-failure", action="store_true", help="with the next seed, again and again")
    asked = parser.parse_args()
    chosen = usual(asked.setup) if asked.faults == "all" else asked.faults.split(",")
    if asked.restarts:
        chosen = ["roll"]
    if strange := sorted(set(chosen) - set(known(asked.setup))):
        parser.error(f"{', '.join(strange)}: known on {asked.setup} are {', '.join(known(asked.setup))}")
    orders = Orders(
        seed=asked.seed,
        faults=chosen,
        setup=asked.setup,
        strikes=asked.restarts or asked.strikes,
        in_order=bool(asked.restarts),
        seconds=asked.minutes * 60,
        webs=asked.webs,
        workers=asked.workers,
        beats=asked.beats,
    )
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="hitchpost-campaign-"))
    while True:
        faults = tell(orders, folder / f"{orders.setup}-{orders.seed}", run)
        if faults or not asked.until_failure:
            sys.exit(1 if faults else 0)
        orders = replace(orders, seed=orders.seed + 1)


def tell(orders: Orders, folder: Path, how: Callable[[Path, Orders], Report]) -> int:
    """Run, print what was done and found; how many faults."""
    folder.mkdir(parents=True)
    kinds = ", ".join(dict.fromkeys(orders.faults))
    say(f"{orders.setup}, seed {orders.seed}, faults {kinds}: {folder / 'history.jsonl'}")
    report = how(folder, orders)
    verdict = report.verdict
    struck = ", ".join(f"{count} × {name}" for name, count in sorted(report.struck.items()))
    say(f"  {sum(report.struck.values())} faults in {report.seconds:.0f} s: {struck}")
    took = f"{verdict.arrivals:,} arrivals, {verdict.dead:,} dead letters"
    again = f"{verdict.duplicates:,} duplicates in {verdict.repeats} repeats"
    say(f"  {verdict.events:,} events acknowledged, {took}")
    say(f"  {again}; {report.lost_answers} lost answers, {report.broken} broken connections of host apps")
    for fault in verdict.faults:
        say(f"  ✗ {fault}")
    say("  verdict: " + (f"{len(verdict.faults)} promises broken" if verdict.faults else "nothing lost"))
    return len(verdict.faults)


def say(line: str) -> None:
    """To the person who waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
