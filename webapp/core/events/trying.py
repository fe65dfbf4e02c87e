"""A test event: along the same way as every other, so that what it shows is true."""

import json
from uuid import UUID

from webapp.core.events.accepting import accept
from webapp.core.events.forms import EventForm
from webapp.core.runtime import Runtime
from webapp.lib.ids import uuid7

TEST_TYPE = "hitchpost.test"


def send_test_event(runtime: Runtime, user_id: UUID, sender: str) -> str:
    """Accept a test event for that user, sent by `sender`; its public id. Raises Invalid, Overloaded."""
    event = {
        "id": str(uuid7()),
        "source": "hitchpost",
        "type": TEST_TYPE,
        "data": {"message": f"A test event, sent by {sender} from the connection's page."},
    }
    accepted = accept(runtime, json.dumps(event).encode(), form=EventForm.NATIVE, only_user=user_id)
    return accepted.ids[0]
