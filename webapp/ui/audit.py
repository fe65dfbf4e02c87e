"""The audit, for admins: who did what to which thing."""

from dataclasses import asdict
from datetime import date

from flask import Blueprint, Response, render_template, request

from webapp.core.audit import Act
from webapp.core.queries.audit import AuditFilter, list_audit
from webapp.core.queries.audit_export import export_csv, export_json
from webapp.errors import NotFound
from webapp.ui._lists import words
from webapp.ui._session import admin_page, runtime

blueprint = Blueprint("audit", __name__, url_prefix="/admin/audit")

_EXPORTS = {"csv": (export_csv, "text/csv"), "jsonl": (export_json, "application/jsonl")}


@blueprint.get("")
@admin_page
def index() -> str:
    """The lines, newest first, of one act, one thing or some days if asked for."""
    which = _asked()
    with runtime().database.read() as session:
        lines = list_audit(session, which, after=request.args.get("after"))
    acts = [("", "Every act")] + [(one.value, one.value) for one in Act]
    kept = {name: value for name, value in asdict(which).items() if value}
    return render_template("audit/index.html", lines=lines, acts=acts, which=which, kept=kept)


@blueprint.get("/export")
@admin_page
def export() -> Response:
    """The same lines as a file, all of them: `csv` or `jsonl`."""
    form = request.args.get("form", "jsonl")
    if form not in _EXPORTS:
        raise NotFound
    lines, kind = _EXPORTS[form]
    answer = Response(lines(runtime().database, _asked()), content_type=f"{kind}; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="audit.{form}"'
    return answer


def _asked() -> AuditFilter:
    return AuditFilter(act=words("act"), thing=words("thing"), since=_day("since"), until=_day("until"))


def _day(name: str) -> date | None:
    """A day of the address; None when it is absent or none."""
    try:
        return date.fromisoformat(words(name))
    except ValueError:
        return None
