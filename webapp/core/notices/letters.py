"""Letters: what a mail says, from templates; every word that is not ours is escaped there."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.core.notices import links
from webapp.core.notices.errands import DIGEST_SPAN
from webapp.core.notices.kinds import DIGEST, kind_of
from webapp.core.runtime import Runtime
from webapp.lib.mail import Letter
from webapp.models import Connection, ConnectionState, Errand, Notice, User

_TEMPLATES = Path(__file__).parents[3] / "templates"
#: A subject, the name of its templates, and what they are filled with.
_Written = tuple[str, str, dict[str, Any]]
#: Notices that one summary shows; more are counted.
_MOST = 30


def write(runtime: Runtime, errand: Errand) -> Letter | None:
    """The letter of a mail errand; None when nobody is to be told anything by it any more."""
    with runtime.database.read() as session:
        user = session.get(User, errand.user_id)
        if user is None or user.email is None or user.disabled_at is not None:
            return None
        written = (_sum_up if errand.kind == DIGEST else _tell)(session, runtime, errand)
    if written is None:
        return None
    subject, name, values = written
    values |= {"app_name": runtime.settings.app_name, "home": runtime.settings.public_url, "to": user.email}
    return Letter(
        id=str(errand.id),
        to=user.email,
        subject=subject,
        text=_environment().get_template(f"mail/{name}.txt").render(values),
        html=_environment().get_template(f"mail/{name}.html").render(values),
        written_at=errand.created_at,
    )


def _tell(session: Session, runtime: Runtime, errand: Errand) -> _Written | None:
    notice = session.get_one(Notice, errand.notice_id)
    connection = session.get(Connection, notice.connection_id) if notice.connection_id else None
    kind = kind_of(notice.kind)
    link = None
    if connection is not None and kind.reconnects and connection.user_id == errand.user_id:
        link = links.reconnect_link(runtime.settings, connection.id, errand.created_at)
    values = {"text": notice.text, "link": link, "page": _page(runtime, connection)}
    return f"{kind.subject}: {connection.label}" if connection else kind.subject, "notice", values


def _sum_up(session: Session, runtime: Runtime, errand: Errand) -> _Written | None:
    since = datetime.fromisoformat(errand.data["since"])
    told = session.execute(
        select(Notice, User)
        .join(User, User.id == Notice.user_id)
        .where(
            Notice.created_at >= since,
            Notice.created_at < since + DIGEST_SPAN,
            Notice.user_id != errand.user_id,
        )
        .order_by(Notice.id)
    ).all()
    if not told:
        return None
    lines = [(owner.label, notice.text) for notice, owner in told[:_MOST]]
    subject = f"{len(told)} {'notice' if len(told) == 1 else 'notices'} to owners within an hour"
    values = {
        "lines": lines,
        "more": len(told) - len(lines),
        "page": f"{runtime.settings.public_url}/admin/told",
    }
    return subject, "digest", values


def _page(runtime: Runtime, connection: Connection | None) -> str:
    home = runtime.settings.public_url
    if connection is None or connection.state is ConnectionState.DISCONNECTED:
        return f"{home}/admin/health" if connection is None else f"{home}/connections"
    return f"{home}/connections/{connection.id}"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
