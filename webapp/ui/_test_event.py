"""A test event: accepted like every other, so that what it shows is what real ones do."""

import json
from uuid import UUID, uuid4

from webapp.core.events import EventForm, accept
from webapp.core.runtime import Runtime

TYPE = "hitchpost.test"


def send_test_event(runtime: Runtime, user_id: UUID, sender: str) -> str:
    """Accept one into the user's stream; its public id. Raises Overloaded."""
    event = {
        "user": str(user_id),
        "id": f"test-{uuid4()}",
        "source": "hitchpost",
        "type": TYPE,
        "data": {"message": f"A test event, sent by {sender} from the connection's page."},
    }
    accepted = accept(runtime, json.dumps(event).encode(), form=EventForm.NATIVE, only_user=None)
    return accepted.ids[0]
