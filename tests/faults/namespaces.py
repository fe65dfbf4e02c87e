"""Hosts of our own on one machine: network namespaces on a bridge, by `ip`. Needs root, on Linux."""

import subprocess
from collections.abc import Sequence
from secrets import token_hex
from typing import Self

from tests.servers import Host

_SUBNET = "10.213.77"


class Hosts:
    """So many hosts, and a switch between them and this one, where services and vendors are."""

    #: this machine, as the hosts see it
    here = f"{_SUBNET}.1"

    def __init__(self, count: int) -> None:
        self.count = count
        # Names of links have fifteen characters at most.
        self._mark = f"hp{token_hex(3)}"

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    @property
    def all(self) -> Sequence[Host]:
        """Where programs run."""
        return [Host(_address(n), ["ip", "netns", "exec", self._name(n)]) for n in range(self.count)]

    def cut(self, number: int) -> None:
        """Pull a host's cable, from 0 on: nothing goes in or out, and nobody is told."""
        _ip("link", "set", self._name(number), "down")

    def join(self, number: int) -> None:
        """Plug it in again."""
        _ip("link", "set", self._name(number), "up")

    def _name(self, number: int) -> str:
        return f"{self._mark}-{number}"

    def _build(self) -> None:
        _ip("link", "add", self._mark, "type", "bridge")
        _ip("addr", "add", f"{self.here}/24", "dev", self._mark)
        _ip("link", "set", self._mark, "up")
        for number in range(self.count):
            name = self._name(number)
            _ip("netns", "add", name)
            _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", name, "master", self._mark, "up")
            _ip("-n", name, "addr", "add", f"{_address(number)}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", "eth0", "up")

    def _remove(self) -> None:
        for number in range(self.count):
            # Its end of the cable goes with it.
            _ip("netns", "del", self._name(number), check=False)
        _ip("link", "del", self._mark, check=False)


def _address(number: int) -> str:
    return f"{_SUBNET}.{number + 2}"


def _ip(*words: str, check: bool = True) -> None:
    argv = ["ip", *words]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip() or done.returncode}")
