"""`python -m tests.bench.forwarding`: every row in one run on this machine, about ten minutes, as a table.

Each row stands beside its baseline, measured in turns. Everything is made in a temporary folder and removed.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.forwarding import accepting, backlog, delivering, fairness, overload, services
from tests.bench.forwarding.table import Row, markdown

Making = Callable[[Path, services.Services, argparse.Namespace], Iterator[Row]]

GROUPS: dict[str, Making] = {
    "accepting": lambda folder, given, asked: accepting.rows(
        folder, given, rounds=asked.rounds, seconds=asked.seconds
    ),
    "delivering": lambda folder, given, asked: delivering.rows(
        folder, given, rounds=asked.rounds, share=asked.share
    ),
    "backlog": lambda folder, given, asked: backlog.rows(folder, given, share=asked.share),
    "fairness": lambda folder, given, asked: fairness.rows(
        folder, given, rounds=asked.rounds, seconds=asked.seconds, share=asked.share
    ),
    "overload": lambda folder, given, asked: overload.rows(folder, given, seconds=5 * asked.seconds),
}


def measure(asked: argparse.Namespace) -> list[Row]:
    """The rows that were asked for."""
    rows: list[Row] = []
    with services.running() as given:
        for name in asked.rows:
            with tempfile.TemporaryDirectory(prefix="hitchpost-bench-") as folder:
                start = time.monotonic()
                for row in GROUPS[name](Path(folder), given, asked):
                    rows.append(row)
                    _say(f"{row.name}: {row.write(row.seen)} ({row.reached})")
                _say(f"— {name}: {time.monotonic() - start:.0f} s")
    return rows


def arguments() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.forwarding", description=__doc__)
    said = ", ".join(GROUPS)
    parser.add_argument("rows", nargs="*", type=_group, default=list(GROUPS), metavar="GROUP", help=said)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each, the median counts (3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load (4)")
    parser.add_argument("--share", type=float, default=1.0, help="of the backlogs (1)")
    return parser


def _group(name: str) -> str:
    if name not in GROUPS:
        message = f"no such group of rows: {name}"
        raise argparse.ArgumentTypeError(message)
    return name


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.stdout.write(markdown(measure(arguments().parse_args())))
