"""Notices: what people and the host app are told, once, and how it leaves the house.

A notice is a row, and each of its ways out is a row too: an errand, made in the transaction of what it tells
of. Workers send errands with no transaction open, and settle them by compare-and-set.
"""

from webapp.core.notices.endpoint import is_shut, open_again
from webapp.core.notices.errands import announce
from webapp.core.notices.incidents import follow, moved, reconnected
from webapp.core.notices.kinds import ABOUT, News
from webapp.core.notices.leases import forget, retry_now
from webapp.core.notices.links import read_link, reconnect_link
from webapp.core.notices.sending import sweep, ways_set_up
from webapp.core.notices.telling import put_away, tell, tell_client_refused
from webapp.core.notices.trial import Tried, ask_test, send_test

__all__ = [
    "ABOUT",
    "News",
    "Tried",
    "announce",
    "ask_test",
    "follow",
    "forget",
    "is_shut",
    "moved",
    "open_again",
    "put_away",
    "read_link",
    "reconnect_link",
    "reconnected",
    "retry_now",
    "send_test",
    "sweep",
    "tell",
    "tell_client_refused",
    "ways_set_up",
]
