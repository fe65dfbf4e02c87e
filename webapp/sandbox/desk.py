"""What all simulated vendors share: settings, faults, the record of what happened, the clock."""

import dataclasses
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from webapp.sandbox.faults import FaultBoard
from webapp.sandbox.recorder import Recorder

DEFAULT_REDIRECT = "http://127.0.0.1:8000/install/baselime/callback"


class UnusableSettingError(ValueError):
    """A setting that does not exist or cannot have this value."""


@dataclass
class Settings:
    """What the control API can change while the sandbox runs; lives are in seconds."""

    redirect_url: str = DEFAULT_REDIRECT
    code_seconds: float = 180
    access_token_seconds: float = 86_400
    last9_host: str = "localhost:8104"
    last9_access_token_seconds: float = 86_400
    last9_refresh_token_seconds: float | None = None
    librato_events_as_list: bool = False

    def change(self, wanted: Mapping[str, object]) -> None:
        """Take every named value or none; raise UnusableSettingError naming what is wrong."""
        kinds = {spot.name: spot.type for spot in dataclasses.fields(self)}
        if unknown := sorted(set(wanted) - set(kinds)):
            raise UnusableSettingError(f"unknown setting {', '.join(unknown)}; known are {', '.join(kinds)}")
        for name, value in wanted.items():
            if not _fits(value, str(kinds[name])):
                raise UnusableSettingError(f"{name} cannot be {value!r}; it is {_words(str(kinds[name]))}")
        for name, value in wanted.items():
            setattr(self, name, value)


def _fits(value: object, kind: str) -> bool:
    if "None" in kind and value is None:
        return True
    if "bool" in kind:
        return isinstance(value, bool)
    if "str" in kind:
        return isinstance(value, str) and value != ""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _words(kind: str) -> str:
    if "str" in kind:
        return "a text"
    return "true or false" if "bool" in kind else "a number of seconds"


@dataclass
class Desk:
    """One for all vendors of a sandbox. `urls` names each vendor's address once it is served."""

    settings: Settings = field(default_factory=Settings)
    faults: FaultBoard = field(default_factory=FaultBoard)
    recorder: Recorder = field(default_factory=Recorder)
    urls: dict[str, str] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time()

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the sandbox."""
        self.closing.wait(seconds)
