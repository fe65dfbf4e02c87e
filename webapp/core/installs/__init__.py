"""Installs: from the first click to the confirmed link, as a state machine.

    intent → received → exchanging → pending → confirmed
                                       ↘ proving → proven → confirmed
    and from any of them to an end: failed, expired, refused, cancelled, superseded

A standard vendor's answer is tied by state, PKCE and issuer to the session that asked (`tie`). Baselime's
redirect carries a code and nothing else: no state, no PKCE (a deviation from RFC 9700 §2.1 that no client can
mend alone). What compensates: the grant is held sealed and inert until its owner confirms on a page that
names the workspaces, and one that nobody here asked for must be proven by a code sent into them.
"""

from webapp.core.installs.announcement import announce
from webapp.core.installs.ask import ask
from webapp.core.installs.begin import Begun, begin, open_intent
from webapp.core.installs.browser import Browser, candidate_cookie
from webapp.core.installs.confirm import ReauthenticationNeeded, confirm
from webapp.core.installs.endings import Ending
from webapp.core.installs.ends import cancel, expire
from webapp.core.installs.page import Page, open_page, view
from webapp.core.installs.paste import paste
from webapp.core.installs.proof import check_proof, start_proof
from webapp.core.installs.receive import CODE, Callback, Received, code_shape, receive_code, receive_refusal
from webapp.core.installs.tie import Answer, Unasked
from webapp.core.installs.upkeep import sweep
from webapp.core.installs.workspaces import Change, Workspace

__all__ = [
    "CODE",
    "Answer",
    "Begun",
    "Browser",
    "Callback",
    "Change",
    "Ending",
    "Page",
    "ReauthenticationNeeded",
    "Received",
    "Unasked",
    "Workspace",
    "announce",
    "ask",
    "begin",
    "cancel",
    "candidate_cookie",
    "check_proof",
    "code_shape",
    "confirm",
    "expire",
    "open_intent",
    "open_page",
    "paste",
    "receive_code",
    "receive_refusal",
    "start_proof",
    "sweep",
    "view",
]
