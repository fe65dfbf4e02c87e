"""`python -m tests.faults.hosts --minutes 5`: a campaign whose processes are on hosts of their own.

Each host is a network namespace with a web process, a worker and a beat; PostgreSQL, Redis, the vendors and
the balancer are reached over a bridge. Beside every other fault, cables are pulled. Needs root and `ip`.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.faults import campaign
from tests.faults.course import Orders
from tests.faults.nemesis import CABLE, usual
from tests.faults.stage import POSTGRES


def main() -> None:
    """Run it and say what was found; status 1 if any promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--faults", help="by commas; else all, and the cable as often as all others")
    parser.add_argument("--folder", type=Path, help="for histories and logs; kept")
    asked = parser.parse_args()
    others = usual(POSTGRES)
    orders = Orders(
        seed=asked.seed,
        setup=POSTGRES,
        faults=asked.faults.split(",") if asked.faults else others + [CABLE] * len(others),
        seconds=asked.minutes * 60,
        webs=asked.hosts,
        workers=asked.hosts,
        beats=asked.hosts,
        hosts=asked.hosts,
    )
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="hitchpost-hosts-"))
    sys.exit(1 if campaign.tell(orders, folder / f"hosts-{orders.seed}", campaign.run) else 0)


if __name__ == "__main__":
    main()
