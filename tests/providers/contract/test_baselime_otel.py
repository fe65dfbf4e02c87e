"""Baselime keeps the contract for OpenTelemetry data too, signal by signal."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from tests import otlp
from tests.providers.contract.provider_contract import Answer, Connected
from tests.providers.contract.test_baselime import TestBaselime as OfEvents
from webapp.lib.http import Response
from webapp.lib.otlp import SIGNALS, Partial, write_answer
from webapp.lib.secret import Secret
from webapp.providers.base import EnvironmentListing
from webapp.providers.baselime import Baselime
from webapp.providers.receiving import Setback, Target
from webapp.settings import Settings

PROTOBUF = {"content-type": "application/x-protobuf"}
FEW = "attributes are too long"


def partial(signal: str, rejected: int, message: str = FEW, *, as_json: bool = False) -> bytes:
    return write_answer(SIGNALS[signal], Partial(rejected=rejected, message=message), as_json=as_json)


def answers(signal: str) -> Mapping[str, Answer]:
    return {
        "success": Answer(status=200, headers=PROTOBUF, events=3, settled=3),
        "success in words": Answer(status=202, body=b'{"message":"Request Accepted"}', events=2, settled=2),
        "a few records are rejected": Answer(
            status=200, headers=PROTOBUF, body=partial(signal, 2), events=3, settled=3
        ),
        "every record is rejected": Answer(
            status=200, headers=PROTOBUF, body=partial(signal, 3), events=3, settled=3, rejected=(0, 1, 2)
        ),
        "a bad request": Answer(status=400, setback=Setback.REFUSED),
        "unauthorised": Answer(status=401, body=b'{"message":"Unauthorised"}', setback=Setback.KEY_REFUSED),
        "forbidden": Answer(status=403, setback=Setback.KEY_REFUSED),
        "the wrong address": Answer(status=404, setback=Setback.TRANSIENT),
        "too large": Answer(status=413, setback=Setback.TOO_LARGE),
        "slow down": Answer(
            status=429, headers={"retry-after": "7"}, setback=Setback.RATE_LIMITED, retry_after=7.0
        ),
        "not now": Answer(
            status=503, headers={"retry-after": "9"}, setback=Setback.TRANSIENT, retry_after=9.0
        ),
        "a page that says 200": Answer(status=200, body=b"<html>", setback=Setback.TRANSIENT),
    }


class OfSignal(OfEvents):
    """What the three have in common."""

    signal: ClassVar[str]

    @property
    def kind(self) -> str:
        return f"baselime.otlp.{self.signal}"

    @property
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.kind,)

    @property
    def answers(self) -> Mapping[str, Answer]:  # type: ignore[override]
        return answers(self.signal)

    def target(self, kind: str, connected: Connected, listing: EnvironmentListing) -> Target:
        target = super().target(kind, connected, listing)
        return replace(target, settings={"dataset": "otel", "gzip": False})

    def offline(self) -> tuple[Baselime, Target]:
        listing = EnvironmentListing(account_key="acme", vendor_key="prod", ingest_key=Secret("k" * 32))
        return Baselime(Settings.load({})), self.target(self.kind, Connected(secrets={}), listing)

    def test_events_are_joined_into_one_request(self) -> None:
        provider, target = self.offline()
        events = [otlp.event(seq, self.signal) for seq in (1, 2, 3)]
        encoded = provider.encode(events, target)
        assert encoded.request is not None
        assert otlp.texts_of(self.signal, encoded.request.body) == ["record 1", "record 2", "record 3"]
        assert encoded.request.url == f"https://otel.baselime.io/v1/{self.signal}"
        assert encoded.request.headers["x-baselime-dataset"] == "otel"

    def test_requests_are_compressed_if_wanted(self, provider: Any, connected: Connected) -> None:
        listing = provider.list_environments(self.http, connected.secrets, connected.details)[0]
        target = replace(
            self.target(self.kind, connected, listing), settings={"dataset": "otel", "gzip": True}
        )
        one = otlp.event(1, self.signal)
        encoded = provider.encode([one], target)
        assert gzip.decompress(encoded.request.body) == one.body
        assert provider.read(self.http.send(encoded.request), [one], target).settled == 1

    @pytest.mark.parametrize("as_json", [False, True], ids=["protobuf", "json"])
    def test_what_a_partial_success_says_is_noted(self, *, as_json: bool) -> None:
        provider, target = self.offline()
        events = [otlp.event(seq, self.signal) for seq in (1, 2, 3)]
        headers = {"content-type": "application/json"} if as_json else PROTOBUF
        said = Response(status=200, headers=headers, body=partial(self.signal, 1, as_json=as_json))
        assert provider.read(said, events, target).remark == f"1 of 3 records rejected: {FEW}"
        warned = Response(
            status=200, headers=headers, body=partial(self.signal, 0, "old format", as_json=as_json)
        )
        assert provider.read(warned, events, target).remark == "old format"


class TestLogs(OfSignal):
    """`/v1/logs`."""

    signal = "logs"


class TestTraces(OfSignal):
    """`/v1/traces`."""

    signal = "traces"


class TestMetrics(OfSignal):
    """`/v1/metrics`."""

    signal = "metrics"
