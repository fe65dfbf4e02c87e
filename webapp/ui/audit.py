"""The audit, for admins: who did what to which thing."""

from flask import Blueprint, render_template, request

from webapp.core.audit import Act
from webapp.core.queries.audit import list_audit
from webapp.ui._session import admin_page, runtime

blueprint = Blueprint("audit", __name__, url_prefix="/admin/audit")


@blueprint.get("")
@admin_page
def index() -> str:
    """The lines, newest first, of one act or one thing if asked for."""
    act, thing = request.args.get("act", ""), request.args.get("thing", "").strip()
    with runtime().database.read() as session:
        lines = list_audit(session, act=act, thing=thing, after=request.args.get("after"))
    acts = [("", "Every act")] + [(one.value, one.value) for one in Act]
    return render_template("audit/index.html", lines=lines, acts=acts, act=act, thing=thing)
