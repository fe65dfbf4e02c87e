"""What to forward: which environments receive which events, once an account is connected."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import delivery, destinations, installs
from webapp.core.delivery import Preview
from webapp.core.queries.connection import ConnectionDetail, EnvironmentRow, find_connection
from webapp.core.queries.connections import ConnectionState
from webapp.core.queries.destinations import DestinationRow
from webapp.core.queries.kept import read_kept
from webapp.core.queries.kinds import DestinationKind, kinds_of
from webapp.core.runtime import Bell
from webapp.errors import Conflict, Fault, Invalid, NotFound
from webapp.ui._forms import Form
from webapp.ui._lists import owner_of, provider_titles
from webapp.ui._session import connect_page, runtime, viewer
from webapp.ui._settings_form import read_settings

blueprint = Blueprint("forward", __name__, url_prefix="/connections/<uuid:connection_id>/forward")


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of destination, and each environment with the destination it has there already."""

    kind: DestinationKind
    environments: tuple[tuple[EnvironmentRow, DestinationRow | None], ...]

    @property
    def field(self) -> str:
        """The name of its check boxes."""
        return f"{self.kind.name}:to"

    @property
    def is_taken(self) -> bool:
        """Whether an environment has it already."""
        return any(row is not None for _, row in self.environments)

    @property
    def backfill(self) -> str:
        """The name of the check box for what is kept already."""
        return f"{self.kind.name}:backfill"

    @property
    def prefix(self) -> str:
        """What its settings' fields begin with."""
        return f"{self.kind.name}:"


@blueprint.get("")
@connect_page
def choose(connection_id: UUID) -> str:
    """The environments with a check box each, and the settings of what goes there."""
    return _page(_detail(connection_id), Form())


@blueprint.post("")
@connect_page
def make(connection_id: UUID) -> Response | tuple[str, int]:
    """Make the destinations that were checked, all or none."""
    detail = _detail(connection_id)
    wanted = _wanted(detail)
    try:
        if not wanted:
            raise Invalid([Fault("to", "Check at least one environment")])
        _make(wanted)
    except Invalid as error:
        faults = {fault.where.lstrip("/"): fault.what for fault in error.faults}
        return _page(detail, Form(values=request.form.to_dict(), faults=faults)), 422
    runtime().wake(Bell.DELIVERY)
    installs.announce(runtime(), connection_id, list({environment.id for _, environment in wanted}))
    flash("Events are forwarded from now on. Send a test event to see one arrive.", "success")
    return redirect(url_for("connections.show", connection_id=connection_id), 303)


@blueprint.post("/preview/<kind_name>")
@connect_page
def preview(connection_id: UUID, kind_name: str) -> str | tuple[str, int]:
    """The request that the typed settings would make in an environment; nothing is sent or kept."""
    detail = _detail(connection_id)
    choice = next((one for one in _choices(detail) if one.kind.name == kind_name), None)
    if choice is None or not choice.environments:
        raise NotFound("There is nothing to preview there.")
    checked = request.form.getlist(choice.field)
    places = [environment for environment, _ in choice.environments]
    place = next((one for one in places if str(one.id) in checked), places[0])
    settings = read_settings(choice.kind, choice.prefix)
    try:
        made = delivery.preview(runtime(), place.id, kind_name, settings)
    except Invalid as error:
        faults = {choice.prefix + fault.where: fault.what for fault in error.faults}
        return _page(detail, Form(values=request.form.to_dict(), faults=faults)), 422
    return _page(detail, Form(values=request.form.to_dict()), {kind_name: made})


def _make(wanted: list[tuple[Choice, EnvironmentRow]]) -> None:
    with runtime().database.write() as session:
        for choice, environment in wanted:
            try:
                destinations.create(
                    session,
                    viewer().actor,
                    environment.id,
                    choice.kind.name,
                    read_settings(choice.kind, choice.prefix),
                    backfill=request.form.get(choice.backfill) == "on",
                )
            except Invalid as error:
                faults = [
                    Fault(choice.prefix + fault.where.lstrip("/"), fault.what) for fault in error.faults
                ]
                raise Invalid(faults) from None


def _wanted(detail: ConnectionDetail) -> list[tuple[Choice, EnvironmentRow]]:
    return [
        (choice, environment)
        for choice in _choices(detail)
        for environment, taken in choice.environments
        if taken is None and str(environment.id) in request.form.getlist(choice.field)
    ]


def _choices(detail: ConnectionDetail) -> list[Choice]:
    return [
        Choice(kind, tuple((one, _taken(one, kind)) for one in detail.environments))
        for kind in kinds_of(runtime(), detail.row.provider)
    ]


def _taken(environment: EnvironmentRow, kind: DestinationKind) -> DestinationRow | None:
    return next((row for row in environment.destinations if row.kind == kind.name), None)


def _detail(connection_id: UUID) -> ConnectionDetail:
    with runtime().database.read() as session:
        detail = find_connection(session, owner_of(viewer()), connection_id)
    if detail.row.state is ConnectionState.DISCONNECTED:
        raise Conflict("This connection is disconnected: connect the account again first.")
    return detail


def _page(detail: ConnectionDetail, form: Form, previews: Mapping[str, Preview] | None = None) -> str:
    with runtime().database.read() as session:
        kept = read_kept(session, detail.row.owner_id)
    return render_template(
        "connect/forward.html",
        detail=detail,
        choices=_choices(detail),
        form=form,
        checked={
            value for name in request.form if name.endswith(":to") for value in request.form.getlist(name)
        },
        previews=previews or {},
        kept=kept,
        title_of=provider_titles(),
    )
