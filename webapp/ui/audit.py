"""The audit, for admins: who did what to which thing."""

from flask import Blueprint, Response, render_template, request

from webapp.core.audit import Act
from webapp.core.queries.audit import list_audit
from webapp.core.queries.audit_export import export_csv, export_json
from webapp.errors import NotFound
from webapp.ui._session import admin_page, runtime

blueprint = Blueprint("audit", __name__, url_prefix="/admin/audit")

_EXPORTS = {"csv": (export_csv, "text/csv"), "jsonl": (export_json, "application/jsonl")}


@blueprint.get("")
@admin_page
def index() -> str:
    """The lines, newest first, of one act or one thing if asked for."""
    act, thing = _asked()
    with runtime().database.read() as session:
        lines = list_audit(session, act=act, thing=thing, after=request.args.get("after"))
    acts = [("", "Every act")] + [(one.value, one.value) for one in Act]
    return render_template("audit/index.html", lines=lines, acts=acts, act=act, thing=thing)


@blueprint.get("/export")
@admin_page
def export() -> Response:
    """The same lines as a file, all of them: `csv` or `jsonl`."""
    form = request.args.get("form", "jsonl")
    if form not in _EXPORTS:
        raise NotFound
    lines, kind = _EXPORTS[form]
    act, thing = _asked()
    answer = Response(lines(runtime().database, act=act, thing=thing), content_type=f"{kind}; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="audit.{form}"'
    return answer


def _asked() -> tuple[str, str]:
    return request.args.get("act", ""), request.args.get("thing", "").strip()
