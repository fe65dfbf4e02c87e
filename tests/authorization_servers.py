"""Authorization servers without a network: any number of issuers behind one `http`, which notes each request.

Each keeps to the standards: a code works once, with the PKCE verifier of its request; refresh tokens rotate,
and one that comes twice ends its family.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.runtimes import running
from webapp.core.runtime import Runtime
from webapp.lib.http import Http, Request, Response

EVENTS_URL = "https://events.vendor.test/batches"


def of(value: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(
        status=status, headers={"content-type": "application/json"}, body=json.dumps(value).encode()
    )


@dataclass
class Issuer:
    """One of them. `overrides` change its metadata: a value, or None to leave one out."""

    address: str
    overrides: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    sub: str = "ada-at-vendor"
    #: what the next requests to an endpoint meet instead of an answer
    faults: dict[str, list[Response]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)
    #: the forms of all requests to the endpoint for tokens and to that for revocation
    forms: list[dict[str, str]] = field(default_factory=list)

    def agree(self, address: str) -> dict[str, str]:
        """What a person who agrees at that address brings back."""
        asked = dict(parse_qsl(urlsplit(address).query))
        self.counts["agreed"] += 1
        code = f"code-{self.counts['agreed']}-{urlsplit(self.address).hostname}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.address}

    def answer(self, request: Request) -> Response:
        """What it says to any request of ours."""
        path = urlsplit(request.url).path
        self.counts[path] += 1
        if self.faults.get(path):
            return self.faults[path].pop(0)
        form = dict(parse_qsl(request.body.decode()))
        if path == "/.well-known/openid-configuration":
            return of(self.metadata())
        if path == "/me":
            live = (
                request.headers.get("authorization", request.headers.get("Authorization", ""))[7:]
                in self.live
            )
            return of({"sub": self.sub, "email": "ada@vendor.test"}) if live else of({}, 401)
        if path == "/introspect":
            return of({"active": form["token"] in self.live, "sub": self.sub})
        self.forms.append(form)
        if path == "/revoke":
            self.live.discard(form["token"])
            return Response(status=200)
        return self._token(form)

    def metadata(self) -> dict[str, Any]:
        """What it publishes."""
        named = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "revocation_endpoint": "revoke",
            "introspection_endpoint": "introspect",
            "userinfo_endpoint": "me",
        }
        return {
            "issuer": self.address,
            **{name: f"{self.address}/{path}" for name, path in named.items()},
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        } | self.overrides

    def _token(self, form: Mapping[str, str]) -> Response:
        if form["grant_type"] == "authorization_code":
            asked = self.codes.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            good = asked is not None and asked["code_challenge"] == challenge
            good = good and asked is not None and asked["redirect_uri"] == form["redirect_uri"]
        else:
            good = form["refresh_token"] in self.live
            if form["refresh_token"] in self.spent:
                self.counts["families ended"] += 1
            self.spent.add(form["refresh_token"])
            self.live.discard(form["refresh_token"])
        if not good:
            return of({"error": "invalid_grant"}, 400)
        number = self.counts["/token"]
        pair = {"access_token": f"access-canary-{number}", "refresh_token": f"refresh-canary-{number}"}
        self.live.update(pair.values())
        return of({**pair, "token_type": "Bearer", "expires_in": 3600})


class Servers:
    """Every issuer by its address; `inbox` has the batches of events that came, with their access tokens."""

    def __init__(self, *addresses: str) -> None:
        self.issuers = {address: Issuer(address) for address in addresses}
        self.asked: list[Request] = []
        self.inbox: list[tuple[str, list[dict[str, Any]]]] = []
        self.transport = httpx2.MockTransport(self._by_library)

    def __getitem__(self, address: str) -> Issuer:
        return self.issuers[address]

    def send(self, request: Request) -> Response:
        """As webapp.lib.http.Http."""
        self.asked.append(request)
        if request.url == EVENTS_URL:
            access_token = request.headers["authorization"].removeprefix("Bearer ")
            if not any(access_token in one.live for one in self.issuers.values()):
                return of({"error": "invalid_token"}, 401)
            self.inbox.append((access_token, json.loads(request.body)))
            return Response(status=202)
        parts = urlsplit(request.url)
        return self.issuers[f"{parts.scheme}://{parts.netloc}"].answer(request)

    def http(self) -> Http:
        """As what providers take."""
        return cast("Http", self)

    def _by_library(self, request: httpx2.Request) -> httpx2.Response:
        ours = Request(
            method=request.method, url=str(request.url), headers=dict(request.headers), body=request.read()
        )
        answer = self.send(ours)
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)


def entry(issuer: str, **more: Any) -> dict[str, Any]:
    """One vendor of the setting."""
    return {
        "title": "Northwind",
        "issuer": issuer,
        "client_id": "client-7",
        "client_secret": "client-secret-canary",
        **more,
    }


@contextmanager
def running_with(
    servers: Servers, vendors: Mapping[str, Any], database_url: str, **settings: Any
) -> Iterator[Runtime]:
    """A Runtime that knows these vendors, and calls `servers` for any request."""
    with running(database_url, oauth2=vendors, **settings) as runtime:
        yield replace(runtime, http=servers.http())
