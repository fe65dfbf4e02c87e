"""What every provider promises, written once. A provider's test is a subclass that says how to connect it.

A new provider's subclass gives: `provider`, `connect` (a connection at the sandbox or a small vendor of the
test's own), `target` and `answers` (every documented answer and what it means).
"""

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from tests import otlp
from webapp.errors import AccessRefused, GrantRefused
from webapp.lib.http import Http, Response
from webapp.lib.secret import Secret
from webapp.providers.base import (
    Authorizes,
    Connects,
    EnvironmentListing,
    Installs,
    ListsEnvironments,
    Provider,
    Refreshes,
    Revokes,
)
from webapp.providers.receiving import OutgoingEvent, Reading, Receives, Rechecks, Setback, Target
from webapp.providers.registry import KINDS

ODD_BODIES = [b"", b"null", b"[]", b"{}", b'{"errors":7}', b'{"error":[]}', b'{"invalid":{}}', b"<html>"]
ODD_WAITS = ["", "5", "soon", "-1", "9" * 30, "Wed, 21 Oct 2015 07:28:00 GMT"]
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Connected:
    """A live connection at the vendor, as the core would hold it."""

    secrets: Mapping[str, Secret] = field(repr=False)
    details: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A documented answer to a delivery, and what it means for a batch of `events`."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    events: int = 1
    settled: int = 0
    rejected: tuple[int, ...] = ()
    setback: Setback | None = None
    retry_after: float | None = None


def event_for(target: Target, seq: int, **more: Any) -> OutgoingEvent:
    """An event that this kind of destination carries."""
    signal = KINDS[target.kind].otlp_signal if target.kind in KINDS else ""
    return otlp.event(seq, signal) if signal else event(seq, **more)


def event(seq: int, *, kind: str = "deployment", data: object = None, **more: Any) -> OutgoingEvent:
    """An event as accept would have stored it."""
    moment = NOON + timedelta(seconds=seq)
    envelope = {
        "id": f"e-{seq}",
        "source": "ci",
        "type": kind,
        "subject": more.get("subject", "checkout-api"),
        "time": moment.isoformat().replace("+00:00", "Z"),
        "data": {"version": seq, "duration": 1.5 * seq} if data is None else data,
    }
    return OutgoingEvent(
        seq=seq,
        type=kind,
        source="ci",
        subject=envelope["subject"],
        state=more.get("state"),
        time=moment,
        body=json.dumps(envelope).encode(),
    )


class ProviderContract(ABC):
    """The promises."""

    #: every documented answer to a delivery, by name
    answers: ClassVar[Mapping[str, Answer]]
    #: which kinds of destination this is about; empty: all
    kinds: ClassVar[tuple[str, ...]] = ()
    http: Http

    @pytest.fixture(autouse=True)
    def _http(self) -> Iterator[None]:
        with closing(Http(allow_private=True)) as self.http:
            yield

    @pytest.fixture
    @abstractmethod
    def provider(self) -> Provider:
        """The provider, pointed at its stand-in."""

    @pytest.fixture
    @abstractmethod
    def connected(self, provider: Any) -> Connected:
        """A connection, made the way a person makes it."""

    @abstractmethod
    def target(self, kind: str, connected: Connected, listing: EnvironmentListing) -> Target:
        """Where deliveries of this kind go."""

    def targets(self, provider: Any, connected: Connected) -> list[Target]:
        """One target a kind."""
        listing = provider.list_environments(self.http, connected.secrets, connected.details)[0]
        return [
            self.target(kind.name, connected, listing)
            for kind in provider.kinds
            if kind.name in (self.kinds or kind.name)
        ]

    def test_it_has_a_name_a_title_and_one_way_to_connect(self, provider: Any) -> None:
        assert provider.name.isidentifier()
        assert provider.name.islower()
        assert provider.title
        assert [isinstance(provider, way) for way in (Installs, Authorizes, Connects)].count(True) == 1

    def test_it_can_do_what_the_core_asks_of_every_provider(self, provider: Any) -> None:
        abilities: object = provider
        assert isinstance(abilities, ListsEnvironments)
        assert isinstance(abilities, Receives)
        assert provider.kinds
        assert provider.lists_with[0] in {"grant", "api_token"}
        assert {kind.name.partition(".")[0] for kind in provider.kinds} == {provider.name}
        assert {kind.credential_kind for kind in provider.kinds} <= {"ingest_key", "grant", "api_token"}

    def test_no_secret_field_of_a_form_has_a_default(self, provider: Any) -> None:
        fields = [
            *getattr(provider, "form", ()),
            *(field for kind in provider.kinds for field in kind.settings),
        ]
        assert not [field.name for field in fields if field.secret and field.default]

    def test_disconnecting_leaves_the_vendor_clean_or_says_what_is_left(self, provider: Any) -> None:
        assert isinstance(provider, Revokes) or provider.farewell

    def test_a_connection_lists_its_environments(self, provider: Any, connected: Connected) -> None:
        listings = provider.list_environments(self.http, connected.secrets, connected.details)
        assert listings
        assert len({(one.account_key, one.vendor_key) for one in listings}) == len(listings)

    def test_a_wrong_credential_is_refused_and_not_repeated(
        self, provider: Any, connected: Connected
    ) -> None:
        wrong = {name: Secret(secret.reveal()[:-4] + "ffff") for name, secret in connected.secrets.items()}
        with pytest.raises(AccessRefused) as caught:
            provider.list_environments(self.http, wrong, connected.details)
        for secret in wrong.values():
            assert secret.reveal() not in str(caught.value)

    def test_a_grant_is_refreshed_and_its_refresh_token_stays_good(
        self, provider: Any, connected: Connected
    ) -> None:
        abilities: object = provider
        if not isinstance(abilities, Refreshes):
            assert "refresh_token" not in connected.secrets
            return
        refresh_token = connected.secrets["refresh_token"]
        for _ in range(3):
            grant = provider.refresh(
                self.http, refresh_token, scope=connected.scope, details=connected.details
            )
            assert grant.lifetime > 0
            secrets = {**connected.secrets, "access_token": grant.access_token}
            assert provider.list_environments(self.http, secrets, connected.details)
            refresh_token = grant.refresh_token or refresh_token

    def test_a_wrong_refresh_token_is_refused_and_not_repeated(
        self, provider: Any, connected: Connected
    ) -> None:
        if not isinstance(provider, Refreshes):
            return
        wrong = Secret(connected.secrets["refresh_token"].reveal()[:-4] + "ffff")
        with pytest.raises(GrantRefused) as caught:
            provider.refresh(self.http, wrong, scope=connected.scope, details=connected.details)
        assert wrong.reveal() not in str(caught.value)

    def test_encoding_takes_a_prefix_under_the_kind_s_limits(
        self, provider: Any, connected: Connected
    ) -> None:
        limits = {kind.name: kind for kind in provider.kinds}
        for target in self.targets(provider, connected):
            data = {"duration": 1, "text": "x" * 20_000}
            events = [event_for(target, seq, data=data) for seq in range(1, 400)]
            kind = limits[target.kind]
            encoded = provider.encode(events, target)
            assert 1 <= encoded.count <= min(kind.batch_events, len(events))
            assert len(encoded.request.body) <= 6_000_000

    def test_encoding_is_pure_and_shows_no_secret(self, provider: Any, connected: Connected) -> None:
        for target in self.targets(provider, connected):
            first, second = (provider.encode([event_for(target, 1)], target) for _ in range(2))
            assert first == second
            assert all(secret.reveal() not in repr((first, target)) for secret in target.secrets.values())
            assert all(secret.reveal() not in first.request.url for secret in target.secrets.values())

    def test_events_of_any_shape_can_be_encoded(self, provider: Any, connected: Connected) -> None:
        odd: list[object] = [{}, {"a": None}, {"a": {"b": [1, {"c": "😀"}]}}, {"": ""}, {"a.b-c": True}]
        states = ("start", "stop", None)
        shapes = [event(seq, data=data, state=state) for seq, data in enumerate(odd) for state in states]
        for target in self.targets(provider, connected):
            for one in shapes:
                assert provider.encode([one], target).count == 1

    def test_what_is_sent_is_taken(self, provider: Any, connected: Connected) -> None:
        for target in self.targets(provider, connected):
            events = [event_for(target, seq) for seq in range(1, 4)]
            while events:
                encoded = provider.encode(events, target)
                sent, events = events[: encoded.count], events[encoded.count :]
                reading = provider.read(self.http.send(encoded.request), sent, target)
                assert (reading.settled, reading.setback, dict(reading.rejected)) == (len(sent), None, {})

    def test_what_was_taken_is_found_again_and_what_was_not_is_not(
        self, provider: Any, connected: Connected
    ) -> None:
        abilities: object = provider
        if not isinstance(abilities, Rechecks):
            return
        for target in self.targets(provider, connected):
            one = [event(random.randint(1_000, 1_000_000), kind=f"recheck-{random.random()}")]
            question = provider.recheck(one, target)
            if question is not None:
                assert provider.already_taken(self.http.send(question), one, target) == 0
                self.http.send(provider.encode(one, target).request)
                assert provider.already_taken(self.http.send(question), one, target) == 1

    def test_every_documented_answer_has_its_meaning(self, provider: Any, connected: Connected) -> None:
        target = self.targets(provider, connected)[0]
        for name, answer in self.answers.items():
            events = [event_for(target, seq) for seq in range(1, answer.events + 1)]
            reading = provider.read(
                Response(status=answer.status, headers=answer.headers, body=answer.body), events, target
            )
            found = (reading.settled, tuple(reading.rejected), reading.setback, reading.retry_after)
            assert found == (answer.settled, answer.rejected, answer.setback, answer.retry_after), name

    def test_no_answer_is_beyond_reading(self) -> None:
        provider, target = self.offline()
        for _ in range(2_000):
            response = Response(
                status=random.randint(100, 599),
                headers={"retry-after": random.choice(ODD_WAITS)},
                body=random.choice([random.randbytes(random.randint(0, 200)), *ODD_BODIES]),
            )
            events = [event_for(target, seq) for seq in range(1, random.randint(2, 5))]
            encoded = events[: provider.encode(events, target).count]
            check_reading(provider.read(response, encoded, target), len(encoded))

    @abstractmethod
    def offline(self) -> tuple[Any, Target]:
        """The provider and a target of its first kind, without any vendor."""


def check_reading(reading: Reading, count: int) -> None:
    """What the engine relies on."""
    assert 0 <= reading.settled <= count
    assert (reading.setback is not None) or reading.settled == count
    assert all(0 <= index < reading.settled for index in reading.rejected)
    assert len(reading.words) <= 300
    assert reading.retry_after is None or 0 <= reading.retry_after <= 3600
