"""Clocks that a test can set, for processes it starts: by libfaketime."""

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path


class Clock:
    """One for each group of processes. Monotonic clocks go on as they are, as they do on a real machine."""

    def __init__(self, folder: Path, name: str) -> None:
        """`folder` is within reach of whoever runs the processes."""
        self._file = folder / f"clock-{name}"
        self.set(0)
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(_library(folder)),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    @property
    def under(self) -> Sequence[str]:
        """The same as a command before another."""
        return ["env", *(f"{name}={value}" for name, value in self.environment.items())]

    def set(self, seconds: float) -> None:
        """So far from the true time, within a second from now."""
        # Replaced as a whole, so that nobody reads a half.
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+g}\n")
        fresh.chmod(0o644)
        fresh.replace(self._file)


def _library(folder: Path) -> Path:
    """A copy of the package's library: others may not be able to read where it is installed.

    Debian's is built so that CPython's time.sleep() fails under it.
    """
    copy = folder / "libfaketime.so.1"
    if not copy.exists():
        spec = importlib.util.find_spec("libfaketime")
        assert spec is not None
        assert spec.origin is not None
        shutil.copy(Path(spec.origin).parent / "vendor/libfaketime/src" / copy.name, copy)
        copy.chmod(0o755)
    return copy
