"""Events: accepted from the host app, each once, and found again by their ids."""

from webapp.core.events.accepting import Accepted, accept
from webapp.core.events.forms import EventForm
from webapp.core.events.locating import Located, Standing, Whereabouts, find_id, locate
from webapp.core.events.trying import TEST_TYPE, send_test_event
from webapp.errors import IdentityConflict

__all__ = [
    "TEST_TYPE",
    "Accepted",
    "EventForm",
    "IdentityConflict",
    "Located",
    "Standing",
    "Whereabouts",
    "accept",
    "find_id",
    "locate",
    "send_test_event",
]
