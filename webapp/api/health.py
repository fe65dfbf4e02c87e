"""Health: what a supervisor or balancer asks. `/healthz` is this process; `/readyz` is all that it needs."""

import json

from flask import Blueprint, Response

from webapp.api.callers import runtime
from webapp.core.queries.readiness import check_readiness

blueprint = Blueprint("api_health", __name__)

_HEADERS = {"Cache-Control": "no-store"}


@blueprint.get("/healthz")
def alive() -> Response:
    """200 while this process answers at all; it asks nothing of anybody else."""
    return Response('{"status": "ok"}', headers=_HEADERS, content_type="application/json")


@blueprint.get("/readyz")
def ready() -> Response:
    """200 when every check holds, else 503; each check is named, with what is wrong."""
    checks = check_readiness(runtime())
    good = all(check.fault is None for check in checks)
    body = {
        "status": "ready" if good else "not ready",
        "checks": {check.name: check.fault or "ok" for check in checks},
    }
    return Response(json.dumps(body), 200 if good else 503, headers=_HEADERS, content_type="application/json")
