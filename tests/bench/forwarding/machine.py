"""What a process costs: CPU seconds and memory of it and everything it started, as Linux counts them."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICK, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(*roots: int) -> float:
    """User and system time of these processes and their descendants, ended children included."""
    return sum(int(field) for fields in _family(*roots) for field in fields[11:15]) / _TICK


def resident_bytes(*roots: int) -> int:
    """What these processes and their descendants hold in memory; what they share counts for each."""
    return sum(int(fields[21]) for fields in _family(*roots)) * _PAGE


def _family(*roots: int) -> Iterator[list[str]]:
    """What Linux says of each (`man 5 proc_pid_stat`), from the state on."""
    stats = {int(folder.name): _read(folder) for folder in Path("/proc").iterdir() if folder.name.isdigit()}
    children: dict[int, list[int]] = {}
    for pid, fields in stats.items():
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    left = list(roots)
    while left:
        pid = left.pop()
        if fields := stats.get(pid):
            yield fields
        left += children.get(pid, ())


def _read(folder: Path) -> list[str]:
    try:
        return (folder / "stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
