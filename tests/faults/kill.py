"""`python -m tests.faults.kill --kills 200`: a long campaign, half embedded, half on separate processes."""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests import instances, servers
from tests.faults.campaign import Campaign, Report
from tests.services import postgres, redis
from webapp.sandbox import Sandbox, serve


def vendor_settings(sandbox: Sandbox) -> dict[str, str]:
    """Settings that send everything for Baselime to this sandbox."""
    return {
        "baselime_api_url": sandbox.urls["baselime"],
        "baselime_console_url": sandbox.urls["baselime"],
        "baselime_events_url": sandbox.urls["baselime_events"],
    }


def embedded(folder: Path, kills: int, seed: int, *, in_order: bool = False) -> Report:
    """A campaign against `hitchpost run` on SQLite."""
    url = f"sqlite:///{folder / 'hitchpost.db'}"
    with serve(port=0) as sandbox, instances.running(url, **vendor_settings(sandbox)) as runtime:
        instance = servers.Embedded(folder, url, **vendor_settings(sandbox))
        try:
            return Campaign(instance, sandbox, runtime).run(kills, seed, in_order=in_order)
        finally:
            instance.stop()


def separate(
    folder: Path, database_url: str, broker_url: str, kills: int, seed: int, *, in_order: bool = False
) -> Report:
    """A campaign against the processes of the Procfile, on PostgreSQL and Redis."""
    with serve(port=0) as sandbox, instances.running(database_url, **vendor_settings(sandbox)) as runtime:
        instance = servers.Separate(folder, database_url, broker_url, **vendor_settings(sandbox))
        try:
            return Campaign(instance, sandbox, runtime).run(kills, seed, in_order=in_order)
        finally:
            instance.stop()


@contextmanager
def _services() -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(postgres.Cluster(postgres.find_programs()))).start()
        server = stack.enter_context(closing(redis.RedisServer(redis.find_program()))).start()
        yield cluster.url, server.url


def main() -> None:
    """Run both and say what was found; status 1 if any promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    asked = parser.parse_args()
    _say(f"seed {asked.seed}")
    faults = 0
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second, _services() as urls:
        faults += _tell("embedded", embedded(Path(first), asked.kills - asked.kills // 2, asked.seed))
        faults += _tell("separate", separate(Path(second), *urls, asked.kills // 2, asked.seed + 1))
    sys.exit(1 if faults else 0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _tell(name: str, report: Report) -> int:
    kills = ", ".join(f"{count} × {part}" for part, count in sorted(report.kills.items()))
    _say(f"{name}: {sum(report.kills.values())} kills ({kills}) in {report.seconds:.0f} s")
    _say(f"  {report.verdict.events} events acknowledged, {report.verdict.repeats} batches repeated")
    for fault in report.verdict.faults:
        _say(f"  ✗ {fault}")
    for status in sorted(set(report.unexpected)):
        _say(f"  ✗ a host app was answered {status}")
    return len(report.verdict.faults) + len(report.unexpected)


if __name__ == "__main__":
    main()
