"""Connections: the list of them all, and one with its timeline."""

import json
import shlex
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, render_template, request

from webapp.core.queries.attempts import AttemptQuery, list_attempts
from webapp.core.queries.connection import ConnectionDetail, find_connection
from webapp.core.queries.connections import (
    ConnectionQuery,
    ConnectionSort,
    ConnectionState,
    count_by_state,
    count_connections,
    list_connections,
)
from webapp.core.queries.health import list_notices
from webapp.core.queries.kinds import is_pasted, kinds_of, what_we_made
from webapp.core.queries.timeline import list_timeline
from webapp.ui._forms import Form
from webapp.ui._lists import after, chosen, owner_of, provider_titles, words
from webapp.ui._session import connect_page, runtime, viewer
from webapp.ui._vendors import allow_form_to_vendor

blueprint = Blueprint("connections", __name__, url_prefix="/connections")

_RECENT = 8


@blueprint.get("")
@connect_page
def index() -> str:
    """All that the viewer may see, searched, filtered and sorted by the address."""
    titles = provider_titles()
    provider = words("provider")
    query = ConnectionQuery(
        owner_id=owner_of(viewer()),
        search=words("search"),
        state=chosen(ConnectionState, "state"),
        provider=provider if provider in titles else None,
        sort=chosen(ConnectionSort, "sort") or ConnectionSort.NEWEST,
        after=after(),
    )
    with runtime().database.read() as session:
        page = list_connections(session, query)
        total = count_connections(session, query)
        states = count_by_state(session, query.owner_id)
        told = list_notices(session, user_id=viewer().user.id, admins=viewer().is_admin)
    return render_template(
        "connections/index.html",
        query=query,
        page=page,
        total=total,
        states=states,
        notices=told,
        titles=titles,
        sorts=ConnectionSort,
        known_states=ConnectionState,
    )


@blueprint.get("/<uuid:connection_id>")
@connect_page
def show(connection_id: UUID) -> str:
    """One connection: how it is, what it forwards, and what happened to it."""
    with runtime().database.read() as session:
        detail = find_connection(session, owner_of(viewer()), connection_id)
        attempts = list_attempts(
            session, AttemptQuery(owner_id=None, connection_id=connection_id, limit=_RECENT)
        )
        timeline = list_timeline(session, connection_id, after=request.args.get("before"))
    user = detail.row.external_id or str(detail.row.owner_id)
    return render_template(
        "connections/show.html",
        detail=detail,
        attempts=attempts.rows,
        timeline=timeline,
        title_of=provider_titles(),
        curl=_curl(user),
        exporter=_exporter(user) if _takes_otlp(detail) else "",
        by_install=allow_form_to_vendor(detail.row.provider),
        pasted=is_pasted(runtime(), detail.row.provider),
        takes_events=bool(kinds_of(runtime(), detail.row.provider)),
    )


@blueprint.get("/<uuid:connection_id>/disconnect")
@connect_page
def ask_disconnect(connection_id: UUID) -> str:
    """What a disconnect would lose, before anybody does it."""
    return disconnect_page(connection_id, Form())


def disconnect_page(connection_id: UUID, form: Form, trouble: str = "") -> str:
    """What would be lost, and the form to delete what we made at the vendor."""
    with runtime().database.read() as session:
        detail = find_connection(session, owner_of(viewer()), connection_id)
    made, fields = what_we_made(runtime(), detail.row.provider, detail.details)
    return render_template(
        "connections/disconnect.html",
        detail=detail,
        made=made,
        fields=fields,
        form=form,
        trouble=trouble,
        title_of=provider_titles(),
    )


def _curl(user: str) -> str:
    """A line that sends an event for `user`; the shell puts the API key in."""
    event = json.dumps({"user": user, "id": "deploy-1", "type": "deployment", "data": {"version": "1.0"}})
    return (
        f"curl -sS {runtime().settings.public_url}/api/v1/events \\\n"
        '  -H "Authorization: Bearer $HITCHPOST_API_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(event)}"
    )


def _takes_otlp(detail: ConnectionDetail) -> bool:
    """Whether OpenTelemetry data of its owner goes anywhere from here."""
    there = {row.kind for environment in detail.environments for row in environment.destinations}
    return any(kind.name in there for kind in kinds_of(runtime(), detail.row.provider) if kind.otlp_signal)


def _exporter(user: str) -> str:
    """The variables by which an OpenTelemetry SDK exports for `user`; the shell puts the API key in."""
    return (
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={runtime().settings.public_url}\n"
        "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        'export OTEL_EXPORTER_OTLP_HEADERS="'
        f'authorization=Bearer%20$HITCHPOST_API_KEY,x-hitchpost-user={quote(user)}"'
    )
