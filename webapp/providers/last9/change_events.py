"""`PUT /change_events`: one event a call (Last9 docs, Change Events). Pure: no call leaves from here.

An event's data become labels of the metric `last9_change_events`: scalars only, and no dots in their names
(Last9's own Jenkins plugin gave dots up). Labels that Last9's senders use for the service and the environment
come in two spellings; a destination chooses one, since markers are matched by exact name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from webapp.lib import plain_json
from webapp.lib.http import Request, Response
from webapp.lib.times import rfc3339
from webapp.providers.answers import errors_in, is_page, retry_after, setback_of, words_of
from webapp.providers.choosing import CHOOSING
from webapp.providers.forms import FieldKind, FormField
from webapp.providers.receiving import DestinationKind, Encoded, OutgoingEvent, Reading, Setback, Target

#: The two spellings: of the service, of the environment.
LABELS = {
    "service_name": ("service_name", "env"),
    "service": ("service", "deployment_environment"),
}

KIND = DestinationKind(
    name="last9.change_events",
    title="Change events",
    credential_kind="grant",
    credential_scope="write",
    batch_bytes=1_000_000,
    batch_events=1,
    settings=(
        *CHOOSING,
        FormField(
            name="labels",
            label="Labels for service and environment",
            kind=FieldKind.CHOICE,
            default="service_name",
            choices=(
                ("service_name", "service_name and env, as Last9's GitHub Action sends them"),
                ("service", "service and deployment_environment, as Last9's Jenkins plugin sends them"),
            ),
            help="Markers show only where these match the names that Last9 knows the service by.",
        ),
        FormField(
            name="environment",
            label="Environment label",
            required=False,
            max_length=200,
            help="Used when the event's data name none (env, environment or deployment_environment).",
        ),
        FormField(
            name="data_source_name",
            label="Data source",
            required=False,
            max_length=200,
            offers="data_sources",
            help="Empty: the one that Last9 has designated for change events.",
        ),
    ),
)

#: As seen in its answers (vendor's clients, too); an "unexpected token" in what was sent is none of these.
_OF_THE_TOKEN = re.compile(r"\bexpired\b|\b(access|refresh|authorization|api)[ _-]token\b", re.IGNORECASE)
_ENVIRONMENT_NAMES = ("deployment_environment", "environment", "env")


def encode(event: OutgoingEvent, target: Target, base: str) -> Encoded:
    """The call that carries `event`. `base` is the checked `https://<host>`."""
    body: dict[str, Any] = {
        "event_name": event.type,
        "timestamp": rfc3339(event.time),
        "attributes": _attributes(event, target.settings),
    }
    if event.state is not None:
        body["event_state"] = event.state
    if source := target.settings.get("data_source_name"):
        body["data_source_name"] = source
    request = Request(
        method="PUT",
        url=f"{base}/api/v4/organizations/{target.account_key}/change_events",
        headers={
            "x-last9-api-token": f"Bearer {target.secrets['access_token'].reveal()}",
            "content-type": "application/json",
        },
        body=plain_json.compact(body),
    )
    return Encoded(request=request, count=1)


def read(response: Response, target: Target) -> Reading:
    """What the answer means for the one event that was sent."""
    if 200 <= response.status < 300 and not is_page(response) and not errors_in(response):
        return Reading(settled=1)
    words = words_of(response, tuple(target.secrets.values()))
    wait = retry_after(response.headers)
    return Reading(settled=0, setback=_setback(response, words), words=words, retry_after=wait)


def _setback(response: Response, words: str) -> Setback:
    """By its status; but what is wrong with the access token may be told by any 4xx, and by a 2xx too."""
    if response.status >= 500 or is_page(response):
        return setback_of(response)
    if response.status != 429 and _OF_THE_TOKEN.search(words):
        return Setback.KEY_REFUSED
    return Setback.REFUSED if 200 <= response.status < 300 else setback_of(response)


def _attributes(event: OutgoingEvent, settings: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    envelope: dict[str, Any] = json.loads(event.body)
    data = envelope.get("data")
    attributes = dict(_flat("", data)) if isinstance(data, dict) else dict(_flat("data", data))
    service_label, environment_label = LABELS[settings.get("labels") or "service_name"]
    environment = next((attributes[name] for name in _ENVIRONMENT_NAMES if attributes.get(name)), None)
    attributes |= {"event_id": envelope["id"], "event_source": event.source}
    if event.subject:
        attributes[service_label] = event.subject
    if environment := environment or settings.get("environment"):
        attributes[environment_label] = environment
    if started := envelope.get("started_at"):
        attributes["started_at"] = started
    return attributes


def _flat(name: str, value: object) -> Iterator[tuple[str, str | int | float | bool]]:
    """Scalars by underscored path; a list as its JSON; null and empty objects leave no label."""
    if isinstance(value, dict):
        for key, item in value.items():
            label = key.replace(".", "_").replace("-", "_")
            yield from _flat(f"{name}_{label}" if name else label, item)
    elif isinstance(value, list):
        yield name, json.dumps(value, ensure_ascii=False)
    elif isinstance(value, str | int | float):
        yield name, value
