"""Connect sessions over the interface: a link that works once, back to allowed places only."""

import pytest

from tests.api.conftest import World
from webapp.core.api_keys import Scope

HERE = "/api/v1/connect-sessions"


def test_a_link_is_made_for_a_user_who_is_new_here(world: World) -> None:
    body = {"external_id": "u_9", "return_to": "https://app.example/done"}
    answer = world.client.post(HERE, json=body, headers=world.key(Scope.CONNECT_SESSIONS))
    assert answer.status_code == 201
    assert answer.json["url"].startswith("http://127.0.0.1:8000/connect/session/")
    assert answer.json["expires_at"]
    page = world.client.get(answer.json["url"])
    assert page.status_code == 200


def test_a_user_may_return_nowhere(world: World) -> None:
    answer = world.client.post(HERE, json={"external_id": "u_9"}, headers=world.key())
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"external_id": "u_1", "return_to": "https://evil.example/"}, "/return_to"),
        ({"external_id": "u_1", "return_to": "//app.example/"}, "/return_to"),
        ({"external_id": "u_1", "return_to": "https://app.example@evil.example/"}, "/return_to"),
        ({"external_id": "u_1", "return_to": "javascript:alert(1)"}, "/return_to"),
        ({"external_id": "", "return_to": None}, "/external_id"),
        ({"external_id": "a\nb"}, "/external_id"),
        ({"external_id": 7}, "/external_id"),
        ({}, "/external_id"),
        ({"external_id": "u_1", "role": "admin"}, "/role"),
        ([], ""),
    ],
)
def test_what_is_wrong_is_named_and_nobody_is_made(world: World, body: object, pointer: str) -> None:
    key = world.key()
    before = world.rows()
    answer = world.client.post(HERE, json=body, headers=key)
    assert (answer.status_code, answer.json["type"]) == (422, "/problems/invalid-request")
    assert [fault["pointer"] for fault in answer.json["errors"]] == [pointer]
    assert world.rows() == before


def test_a_body_of_another_form_is_refused(world: World) -> None:
    key = world.key()
    form = world.client.post(HERE, data={"external_id": "u_1"}, headers=key)
    assert (form.status_code, form.json["type"]) == (415, "/problems/unsupported-media-type")
    large = world.client.post(HERE, json={"external_id": "u" * 70_000}, headers=key)
    assert (large.status_code, large.json["type"]) == (413, "/problems/too-large")
    twice = world.client.post(
        HERE, data=b'{"external_id":"a","external_id":"b"}', content_type="application/json", headers=key
    )
    assert (twice.status_code, twice.json["type"]) == (422, "/problems/invalid-request")


def test_a_key_of_one_user_opens_no_session_for_others(world: World) -> None:
    key = world.key(user_id=world.user("u_1"))
    answer = world.client.post(HERE, json={"external_id": "u_2"}, headers=key)
    assert (answer.status_code, answer.json["type"]) == (403, "/problems/forbidden")
