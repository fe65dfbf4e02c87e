"""What a process costs: the CPU seconds of it and everything it started, as Linux counts them."""

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(*roots: int) -> float:
    """User and system time of these processes and their descendants, ended children included."""
    parents: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            _read(folder, parents, ticks)
    total, left = 0, list(roots)
    while left:
        pid = left.pop()
        total += ticks.get(pid, 0)
        left += parents.get(pid, ())
    return total / _TICK


def _read(folder: Path, parents: dict[int, list[int]], ticks: dict[int, int]) -> None:
    try:
        fields = (folder / "stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return
    pid = int(folder.name)
    parents.setdefault(int(fields[1]), []).append(pid)
    ticks[pid] = sum(int(field) for field in fields[11:15])
