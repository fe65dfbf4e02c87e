"""The command line, called in this process, in a folder of its own."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from webapp.cli import main


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Done]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call `hitchpost` in an empty folder, with nothing set but what is given."""
    monkeypatch.chdir(tmp_path)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HITCHPOST_")}

    def run(*arguments: str, **environment: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["hitchpost", *arguments])
        monkeypatch.setattr(os, "environ", plain | environment)
        with _logs_kept(), pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        words = ended.value.code if isinstance(ended.value.code, str) else ""
        status = ended.value.code if isinstance(ended.value.code, int) else int(bool(words))
        return Done(status, said.out, said.err + words + ("\n" if words else ""))

    return run


@contextmanager
def _logs_kept() -> Iterator[None]:
    """A command configures the logs of its process, which here is that of all tests."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.is_configured()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        if not configured:
            structlog.reset_defaults()
