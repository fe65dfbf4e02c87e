"""An authorization server that nobody here wrote: npm's oidc-provider, strict about rotation, on loopback."""

import json
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, Self
from urllib.parse import urljoin

import requests

from tests.services import processes
from tests.services.fetch import Missing, apt, npm_oidc, one_at_a_time

#: By the name of each Client; at any port of the loopback, by the rules for native applications.
CALLBACKS = [f"http://127.0.0.1/install/{name}/callback" for name in ("basic", "post", "public")]
_SECONDS = 10.0


def find_program() -> Path:
    """The program that starts it; oidc-provider is fetched by npm, and npm by Debian if we are root."""
    with one_at_a_time():
        if shutil.which("npm") is None:
            apt("npm")
        folder = npm_oidc()
    if not (folder / ".lock").exists():
        raise Missing("No oidc-provider. Install Node.js 20 or newer with npm (Debian: apt-get install npm).")
    return folder / "server.js"


def _node(folder: Path) -> str:
    """The Node.js that came along, or else this machine's."""
    brought = sorted(folder.glob("node_modules/node-linux-*/bin/node"))
    return str(brought[0]) if brought else "node"


class OidcServer:
    """It knows three Clients of ours: `basic`, `post` and `public`. Any login and password will do."""

    def __init__(self, program: Path) -> None:
        self.secret = token_hex(16)
        self._folder = Path(tempfile.mkdtemp(prefix="hitchpost-oidc-"))
        self._log = self._folder / "log"
        self._port = processes.free_port()
        given = json.dumps({"port": self._port, "secret": self.secret, "callbacks": CALLBACKS})
        self._process: subprocess.Popen[bytes] = processes.start(
            [_node(program.parent), program, given], log=self._log
        )

    @property
    def issuer(self) -> str:
        """Where it is, and whom its answers name. Another host name than ours: cookies ignore ports."""
        return f"http://localhost:{self._port}"

    def start(self) -> Self:
        """Wait until it answers."""
        processes.wait_until(self._answers, self._process, self._log)
        return self

    def close(self) -> None:
        """Stop it and remove its folder."""
        processes.end(self._process, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def entry(self, client_id: str = "basic", **more: Any) -> dict[str, Any]:
        """It as a vendor of the setting."""
        secret = {} if client_id == "public" else {"client_secret": self.secret}
        return {"title": "Northwind", "issuer": self.issuer, "client_id": client_id, **secret, **more}

    def counts(self) -> Mapping[str, int]:
        """Requests by path, grants by type, refusals by error, and `grant.revoked`: families that ended."""
        with urllib.request.urlopen(f"{self.issuer}/counts", timeout=_SECONDS) as answer:  # noqa: S310 - loopback
            found: dict[str, int] = json.load(answer)
        return found

    def agree(self, address: str, login: str = "ada") -> str:
        """Sign in and agree at that address, as a browser would; where it is sent then."""
        with requests.Session() as browser:
            answer = browser.get(address, allow_redirects=False, timeout=_SECONDS)
            while not answer.headers.get("location", "").startswith("http://127.0.0.1"):
                if answer.is_redirect:
                    there = urljoin(self.issuer, answer.headers["location"])
                    answer = browser.get(there, allow_redirects=False, timeout=_SECONDS)
                    continue
                assert answer.ok, answer.text[:500]
                prompt = "login" if 'value="login"' in answer.text else "consent"
                form = {"prompt": prompt, "login": login, "password": "any"}
                answer = browser.post(answer.url, data=form, allow_redirects=False, timeout=_SECONDS)
            return answer.headers["location"]

    def is_active(self, access_token: str) -> bool:
        """What its introspection says of it, or of a refresh token (RFC 7662)."""
        answer = requests.post(
            f"{self.issuer}/token/introspection",
            data={"token": access_token},
            auth=("basic", self.secret),
            timeout=_SECONDS,
        )
        return bool(answer.json()["active"])

    def _answers(self) -> bool:
        with suppress(OSError):
            return bool(self.counts() or True)
        return False
