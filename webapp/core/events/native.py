"""The native form of an event, field by field."""

from datetime import datetime

from webapp.core.events.drafts import Draft, draft
from webapp.core.events.fields import Fields
from webapp.core.events.forms import Item
from webapp.errors import Fault

DEFAULT_SOURCE = "app"
STATES = ("start", "stop")
_KNOWN = frozenset({"user", "id", "source", "type", "subject", "state", "time", "data"})
WHY_ID = "is missing: the same id sent again is taken once, which is what makes it safe to send again"
_WHY_TYPE = "is missing: say what happened, like deployment"


def read_native(item: Item, now: datetime) -> Draft | list[Fault]:
    """The draft of one item, or everything that is wrong with it. `now` is its time when it names none."""
    if not isinstance(item.value, dict):
        return [Fault(item.where, "is not a JSON object")]
    fields = Fields(item.value, item.where)
    fields.refuse_others(_KNOWN)
    event_id, event_type = fields.text("id", missing=WHY_ID), fields.type(missing=_WHY_TYPE)
    source = fields.text("source", default=DEFAULT_SOURCE)
    subject, user = fields.text("subject"), fields.text("user")
    state, time = fields.choice("state", STATES), fields.time("time", now)
    data = fields.get("data")
    if data is not None and not isinstance(data, dict):
        fields.fault("data", "is not a JSON object")
    if fields.faults or event_id is None or event_type is None or source is None:
        return fields.faults
    made = draft(
        item.value,
        item.where,
        plain=item.plain,
        id=event_id,
        source=source,
        type=event_type,
        subject=subject,
        state=state,
        time=time,
        user=user,
        data=data or {},
    )
    too_large = made.size_fault()
    return [too_large] if too_large else made
