"""An unmodified OpenTelemetry SDK exports all three signals through Hitchpost to each user's account."""

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import instances, seeding, servers, vendors
from tests.waiting import wait_for
from webapp.lib.otlp import SIGNALS, show
from webapp.sandbox import Sandbox, serve

pytestmark = pytest.mark.timeout(180)

APP = Path(__file__).with_name("opentelemetry_app.py")
USERS = ("ada", "bob")


def test_on_sqlite_with_the_worker_inside(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hitchpost.db'}"
    with serve(port=0) as sandbox:
        _walk(servers.Embedded(tmp_path, url, **vendors.addresses(sandbox.urls)), sandbox, url)


def test_on_postgresql_and_redis(
    tmp_path: Path, postgres_database: Callable[..., str], redis_url: str
) -> None:
    url = postgres_database()
    with serve(port=0) as sandbox:
        instance = servers.Separate(tmp_path, url, redis_url, **vendors.addresses(sandbox.urls))
        _walk(instance, sandbox, url)


def _walk(instance: servers.Instance, sandbox: Sandbox, database_url: str) -> None:
    with instances.running(database_url, **vendors.addresses(sandbox.urls)) as runtime:
        key = seeding.api_key(runtime)
        for user in USERS:
            connected = seeding.connect(runtime, sandbox.urls["console"], user)
            for signal in SIGNALS:
                vendors.forward(runtime, connected.connection_id, f"baselime.otlp.{signal}")
    instance.start()
    try:
        wait_for(lambda: servers.is_ready(instance.url), seconds=60)
        for user in USERS:
            _run_app(instance.url, key, user)
        wait_for(lambda: len(_received(sandbox)) == len(USERS) * len(SIGNALS), seconds=20)
    finally:
        instance.stop()
    for user in USERS:
        exports = {one.endpoint: _shown(one) for one in _received(sandbox) if one.account == f"w-{user}/prod"}
        services = {signal: str(exports[signal]).count(f"shop of {user}") for signal in SIGNALS}
        assert services == {"logs": 1, "traces": 1, "metrics": 1}
        (span,) = exports["traces"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
        (record,) = exports["logs"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        (metric,) = exports["metrics"]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        assert (span["name"], record["body"]["stringValue"]) == ("checkout", "the basket is empty")
        assert (record["traceId"], record["spanId"]) == (span["traceId"], span["spanId"])
        assert (metric["name"], metric["sum"]["dataPoints"][0]["asInt"]) == ("orders", "3")
    assert _received(sandbox, "baselime") == []


def _run_app(url: str, key: str, user: str) -> None:
    """Run it with the variables that OpenTelemetry knows, and nothing else of ours."""
    environment = {
        "PATH": os.environ["PATH"],
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{key},x-hitchpost-user={user}",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_SERVICE_NAME": f"shop of {user}",
    }
    subprocess.run([sys.executable, str(APP)], env=environment, check=True, timeout=60)


def _received(sandbox: Sandbox, vendor: str = "baselime_otel") -> list[Any]:
    return sandbox.world.desk.recorder.received(vendor)


def _shown(receipt: Any) -> Any:
    return show(SIGNALS[receipt.endpoint], base64.b64decode(receipt.event["base64"]))
