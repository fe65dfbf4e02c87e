"""The interface's own pages: the document, a page to read it by, and what each problem means."""

import json
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, render_template
from werkzeug.exceptions import NotFound

from webapp.api import doors
from webapp.api.callers import runtime
from webapp.api.openapi import write_document
from webapp.api.operations import Operation
from webapp.api.problems import PROBLEMS
from webapp.api.reading import read_operations, read_shapes, read_webhooks

_CURL = """\
curl {address} \\
  -H "Authorization: Bearer $HITCHPOST_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"user": "u_1", "id": "deploy-4711", "type": "deployment", "subject": "checkout-api"}}'"""

_BY_SLUG = {problem.slug: problem for problem in PROBLEMS}


def make_blueprint(operations: Sequence[Operation], prefix: str) -> Blueprint:
    """The pages about `operations`, which are served below `prefix`."""
    blueprint = Blueprint("api_pages", __name__)

    def write() -> dict[str, Any]:
        server = runtime().settings.public_url
        return write_document(operations, server + prefix, doors.describe(server))

    @blueprint.get(f"{prefix}/openapi.json")
    def document() -> Response:
        """The OpenAPI 3.1 document."""
        return Response(json.dumps(write()), content_type="application/json")

    @blueprint.get("/api/docs")
    def docs() -> str:
        """The same, for people."""
        written = write()
        return render_template(
            "api/docs.html",
            curl=_CURL.format(address=f"{runtime().settings.public_url}{prefix}/events"),
            groups=read_operations(written),
            shapes=read_shapes(written),
            webhooks=read_webhooks(written),
            problems=PROBLEMS,
        )

    @blueprint.get("/problems/<slug>")
    def problem(slug: str) -> str:
        """What one type of problem means, and what to do."""
        found = _BY_SLUG.get(slug)
        if found is None:
            raise NotFound
        return render_template("api/problem.html", problem=found)

    return blueprint
