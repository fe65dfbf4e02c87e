"""The folder where an instance without a configuration of its own keeps its keys and its database: `var/`."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from webapp.core import credentials
from webapp.core.runtime import Runtime
from webapp.settings import PREFIX, Settings

DEFAULT = Path("var")
_KEYS = ("vault_keys", "secret_key")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder."""

    path: Path

    def file(self, name: str) -> Path:
        """A file of it."""
        return self.path / name

    def keep(self, name: str, text: str) -> None:
        """Write a file that only its owner can read; one that exists is left as it is."""
        try:
            descriptor = os.open(self.file(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")

    def first_sign_in(self) -> tuple[str, str] | None:
        """The first admin's address and password, while the file is there."""
        try:
            email, password = self.file("first_sign_in").read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return None
        return email, password


def make(path: Path) -> Home:
    """The folder with its keys, each made if it is missing; settings that nobody gave now point there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = Home(path.resolve())
    home.keep("vault_keys", credentials.make_vault_key())
    home.keep("secret_key", make_secret_key())
    use(home)
    return home


def make_secret_key() -> str:
    """What signs the cookies: 256 bits."""
    return secrets.token_urlsafe(32)


def use(home: Home) -> None:
    """Point this process's settings at the folder's files, where they exist and nobody pointed elsewhere."""
    for name in _KEYS:
        if home.file(name).exists():
            _default(name, "_FILE", str(home.file(name)))
    _default("database_url", "", f"sqlite:///{home.file('hitchpost.db')}")


def settings() -> Settings:
    """The settings of a command: the environment's, and `var/` for what they leave open."""
    use(Home(DEFAULT.resolve()))
    return Settings.load()


@contextmanager
def runtime() -> Iterator[Runtime]:
    """The parts that a command works with."""
    made = Runtime.start(settings())
    try:
        yield made
    finally:
        made.close()


def _default(name: str, suffix: str, value: str) -> None:
    variable = PREFIX + name.upper()
    if variable not in os.environ and f"{variable}_FILE" not in os.environ:
        os.environ[variable + suffix] = value
