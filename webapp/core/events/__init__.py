"""Events: accepted from the host app, each once, and found again by their ids."""

from webapp.core.events.accepting import Accepted, accept
from webapp.core.events.forms import EventForm
from webapp.errors import IdentityConflict

__all__ = ["Accepted", "EventForm", "IdentityConflict", "accept"]
