"""An install as its owner sees it: the code comes in, and one clean page tells and asks everything after."""

from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.core import installs
from webapp.core.connect_sessions import origin_of
from webapp.core.installs import Callback, Ending, Page
from webapp.core.queries.kinds import Provider, kinds_of, provider_named
from webapp.core.runtime import Bell
from webapp.errors import Conflict, Forbidden, Invalid, NotFound, VendorError, VendorUnavailable
from webapp.lib.secret import Secret
from webapp.ui._arrivals import opened_as_a_page, read_answer, read_arrival
from webapp.ui._browsers import forget_candidate, hand_candidate, this_browser
from webapp.ui._forms import text
from webapp.ui._headers import send_no_referrer
from webapp.ui._session import connect_page, current, public_page, runtime
from webapp.ui._throttle import Rule, count_everybodys_try, count_try
from webapp.ui._vendors import allow_form_to_vendor

blueprint = Blueprint("install", __name__, url_prefix="/install")

_FROM_ONE_ADDRESS = Rule("install-callback", "90 per minute")
_FROM_EVERYBODY = Rule("install-callback-all", "600 per minute")


@blueprint.get("/<provider>/callback")
@public_page
def callback(provider: str) -> Response | tuple[str, int]:
    """Where a vendor sends the browser with a code: take it in, and leave its address at once."""
    send_no_referrer()
    found = provider_named(runtime(), provider)
    if request.method == "HEAD":
        return Response(status=204)
    if not opened_as_a_page(request.method, request.headers):
        raise Forbidden("This address only works when a browser opens it as a page.")
    arrival = read_arrival(request.args, installs.code_shape(found))
    if arrival.code is None and not arrival.declined:
        return render_template(
            "install/unusable.html", provider=provider, title=found.title, fault=arrival.fault
        ), 400
    count_try(_FROM_ONE_ADDRESS)
    count_everybodys_try(_FROM_EVERYBODY)
    try:
        return _receive(provider, arrival.code) if arrival.code else _declined(found)
    except installs.Unasked:
        return _ended(provider, Ending.UNASKED)


@blueprint.get("/<provider>/ended/<ending>")
@public_page
def ended(provider: str, ending: str) -> str:
    """An ending that belongs to no install of this browser."""
    if ending not in {Ending.DECLINED, Ending.CODE_SEEN, Ending.UNASKED}:
        raise NotFound
    return _ending_page(provider, Ending(ending), None)


@blueprint.get("/<uuid:install_id>")
@public_page
def show(install_id: UUID) -> Response | str:
    """Where this install stands, and what its owner can do now."""
    send_no_referrer()
    page = installs.open_page(runtime(), install_id, this_browser(install_id))
    if page.state == "confirmed" and page.connection_id is not None and page.signed_in:
        return redirect(url_for("connections.show", connection_id=page.connection_id), 303)
    if page.ending is not None:
        response = make_response(_ending_page(page.provider, page.ending, page))
        forget_candidate(response, install_id)
        return response
    return _page(page)


@blueprint.post("/<uuid:install_id>/confirm")
@connect_page
def confirm(install_id: UUID) -> Response:
    """Link what the page showed, and nothing else."""
    try:
        connection = installs.confirm(runtime(), install_id, this_browser(install_id), seal=text("seal"))
    except installs.ReauthenticationNeeded:
        return redirect(url_for("sign_in.again", next=_address(install_id)), 303)
    except Conflict as error:
        return _back(install_id, f"Nothing was connected: {error}. Look at the page as it is now.")
    except VendorError as error:
        return _back(install_id, f"Nothing was connected: {error}. Try again in a moment.")
    runtime().wake(Bell.DELIVERY)
    next_page = "forward.choose" if kinds_of(runtime(), connection.provider) else "connections.show"
    response = redirect(url_for(next_page, connection_id=connection.id), 303)
    forget_candidate(response, install_id)
    return response


@blueprint.post("/<uuid:install_id>/cancel")
@public_page
def cancel(install_id: UUID) -> Response:
    """Forget the grant."""
    try:
        with runtime().database.write() as session:
            installs.cancel(session, install_id, this_browser(install_id))
    except Conflict:
        pass  # it ended meanwhile: its page says how
    return redirect(_address(install_id), 303)


@blueprint.post("/<uuid:install_id>/prove")
@connect_page
def prove(install_id: UUID) -> Response:
    """Send a one-time code into each workspace."""
    try:
        installs.start_proof(runtime(), install_id, this_browser(install_id))
    except (Conflict, VendorUnavailable) as error:
        return _back(install_id, f"No code was sent: {error}.")
    return redirect(_address(install_id), 303)


@blueprint.post("/<uuid:install_id>/check")
@connect_page
def check(install_id: UUID) -> Response:
    """Compare what was typed with the codes that were sent."""
    try:
        right = installs.check_proof(runtime(), install_id, this_browser(install_id), Secret(text("code")))
    except (Conflict, Invalid) as error:
        return _back(install_id, f"The code was not checked: {error}.")
    if not right:
        return _back(
            install_id, "That is not the code. Read it again in the workspace, and type it as it stands."
        )
    return redirect(_address(install_id), 303)


def _receive(provider: str, code: Secret) -> Response:
    who = current()
    received = installs.receive_code(
        runtime(),
        Callback(
            provider=provider,
            code=code,
            user_session_id=who.session_row.id if who else None,
            referer_origin=origin_of(request.referrer or ""),
            answer=read_answer(request.args),
        ),
    )
    if received.seen and received.new_binding is None and not _is_mine(received.install_id):
        return _ended(provider, Ending.CODE_SEEN)
    response = redirect(_address(received.install_id), 303)
    if received.new_binding is not None:
        hand_candidate(response, received.install_id, received.new_binding)
    return response


def _is_mine(install_id: UUID) -> bool:
    try:
        with runtime().database.write() as session:
            installs.view(session, runtime(), install_id, this_browser(install_id))
    except NotFound:
        return False
    return True


def _declined(provider: Provider) -> Response:
    who = current()
    words = request.args.get("error", "")[:200]
    with runtime().database.write() as session:
        ended = installs.receive_refusal(
            session,
            provider,
            who.session_row if who else None,
            words,
            vault=runtime().vault,
            answer=read_answer(request.args),
        )
    return redirect(_address(ended), 303) if ended else _ended(provider.name, Ending.DECLINED)


def _ended(provider: str, ending: Ending) -> Response:
    return redirect(url_for("install.ended", provider=provider, ending=ending.value), 303)


def _page(page: Page) -> str:
    allow_form_to_vendor(page.provider)
    return render_template(
        "install/page.html",
        page=page,
        vendor=provider_named(runtime(), page.provider).title,
        takes_events=bool(kinds_of(runtime(), page.provider)),
        continue_url=runtime().settings.continue_url,
    )


def _ending_page(provider: str, ending: Ending, page: Page | None) -> str:
    allow_form_to_vendor(provider)
    title = provider_named(runtime(), provider).title
    return render_template(
        "install/ended.html",
        words=ending.words(title),
        page=page,
        provider=provider,
        vendor=title,
        continue_url=runtime().settings.continue_url,
    )


def _address(install_id: UUID) -> str:
    return url_for("install.show", install_id=install_id)


def _back(install_id: UUID, said: str) -> Response:
    flash(said, "error")
    return redirect(_address(install_id), 303)
