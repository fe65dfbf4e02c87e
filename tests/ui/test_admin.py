"""People, API keys and the audit, as admins use them."""

import re

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from tests.ui.access import TABLE
from tests.ui.world import CANARIES, World
from webapp.core import api_keys, restores, users
from webapp.core.api_keys import Scope
from webapp.core.audit import HITCHPOST, Act, record
from webapp.errors import NotFound
from webapp.lib.secret import Secret
from webapp.models import Destination


def test_an_invitation_link_is_shown_once(world: World) -> None:
    client = world.client("alice")
    answer = world.post(client, "/admin/people", {"email": "New@example.org", "role": "member"})
    links = set(re.findall(r"http://localhost(/invite/[A-Za-z0-9_-]{43})", answer.text))
    assert len(links) == 1
    link = links.pop()
    assert world.client().get(link).status_code == 200
    secret = link.rpartition("/")[2]
    assert secret not in client.get("/admin/people").text + client.get("/admin/audit").text


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"email": "nobody", "role": "member"}, 422, "is not an e-mail address"),
        ({"email": "x@example.org", "role": "owner"}, 422, "is neither member nor admin"),
        ({"email": "bob@example.org", "role": "member"}, 409, "is a user already"),
    ],
)
def test_a_faulty_invitation_says_what_is_wrong_and_keeps_what_was_typed(
    world: World, form: dict[str, str], status: int, words: str
) -> None:
    answer = world.post(world.client("alice"), "/admin/people", form)
    assert answer.status_code == status
    assert words in answer.text
    assert f'value="{form["email"]}"' in answer.text


def test_an_admin_takes_a_role_and_gives_it_back(world: World) -> None:
    client, dan = world.client("alice"), world.users["dan"]
    for role in ("admin", "member"):
        world.post(client, f"/admin/people/{dan}/role", {"role": role})
        with world.runtime.database.read() as session:
            assert users.get(session, dan).role.value == role


def test_the_last_admin_is_not_disabled_and_is_told_why(world: World) -> None:
    answer = world.post(world.client("alice"), f"/admin/people/{world.users['alice']}/disable")
    assert answer.status_code == 409
    assert "last admin" in answer.text


def test_a_key_is_shown_once_works_and_can_be_revoked(world: World) -> None:
    client = world.client("alice")
    form = {"name": "deploys", "scopes": ["events:write", "events:read"], "lifetime": "30", "user": "u_carol"}
    page = world.post(client, "/admin/api-keys", form).text
    text = re.findall(r"hp_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", page)[0]
    with world.runtime.database.read() as session:
        key = api_keys.check(session, text, Scope.EVENTS_READ)
    assert key.user_id == world.users["carol"]
    assert key.expires_at is not None
    listed = client.get("/admin/api-keys").text
    assert "deploys" in listed
    assert text not in listed
    world.post(client, f"/admin/api-keys/{key.id}/revoke")
    with pytest.raises(NotFound), world.runtime.database.read() as session:
        api_keys.check(session, text, Scope.EVENTS_READ)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"lifetime": "7"}, "lifetime"),
        ({"user": "nobody@example.org"}, "user"),
    ],
)
def test_a_faulty_key_says_where_the_fault_is(world: World, change: dict[str, object], field: str) -> None:
    form = {"name": "x", "scopes": ["events:write"], "lifetime": "30", "user": "", **change}
    answer = world.post(world.client("alice"), "/admin/api-keys", form)
    assert answer.status_code == 422
    assert f'id="{field}-fault"' in answer.text


def test_long_lists_come_in_pages_without_gap_or_repeat(world: World) -> None:
    with world.runtime.database.write() as session:
        for number in range(120):
            users.ensure_external(session, f"walker-{number:03}")
    client, seen, path = world.client("alice"), [], "/admin/people?search=walker"
    for _ in range(5):
        page = client.get(path).text
        seen += re.findall(r"<td>(walker-\d+)", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if not following:
            break
        path = following[1].replace("&amp;", "&")
    assert len(seen) == 120
    assert set(seen) == {f"walker-{number:03}" for number in range(120)}


@pytest.mark.parametrize("mark", ["x", "bm9wZQ", "WyJ4Il0", "%00", "a" * 3000])
def test_a_made_up_place_in_a_list_is_a_clear_refusal(world: World, mark: str) -> None:
    for path in ("/admin/people", "/admin/api-keys", "/admin/audit"):
        assert world.client("alice").get(path, query_string={"after": mark}).status_code == 422


def test_no_page_shows_a_secret(world: World) -> None:
    client = world.client("alice")
    with client.session_transaction() as kept:
        own = kept["sid"]
    secrets = (*CANARIES, own, world.runtime.settings.secret_key.get_secret_value(), "$argon2id$")
    for route in TABLE:
        method, _, rule = route.partition(" ")
        if method == "GET" and "filename" not in rule and not rule.endswith(".js"):
            answer = client.get(world.address(rule))
            shown = answer.text + str(answer.headers)
            assert not [secret for secret in secrets if secret in shown], route


def test_what_people_type_is_text_and_never_markup(world: World) -> None:
    client, attack = world.client("alice"), "<script>alert(1)</script>"
    with world.runtime.database.write() as session:
        users.ensure_external(session, attack)
    form = {"name": attack, "scopes": ["events:write"], "lifetime": "30", "user": attack}
    pages = [
        world.post(client, "/admin/api-keys", form).text,
        client.get("/admin/people", query_string={"search": attack}).text,
        client.get("/admin/people").text,
        client.get("/admin/api-keys").text,
        client.get("/admin/audit", query_string={"thing": attack}).text,
        world.post(client, "/admin/people", {"email": attack, "role": attack}).text,
    ]
    for page in pages:
        assert attack not in page
        assert "&lt;script&gt;" in page


def test_a_database_that_is_down_is_a_clear_page_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = world.client("alice")

    def fail(*_: object) -> None:
        raise OperationalError("select", {}, Exception("the disk is gone"))

    monkeypatch.setattr(type(world.runtime.database), "read", fail)
    answer = client.get("/connections")
    assert answer.status_code == 500
    assert "It is our fault" in answer.text
    assert "disk" not in answer.text


def test_a_form_that_is_too_large_is_refused_unread(world: World) -> None:
    head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n\r\n'
    answer = world.client("alice").post(
        "/admin/people",
        data=head + b"x" * 1_100_000 + b"\r\n--cut--\r\n",
        content_type="multipart/form-data; boundary=cut",
        headers={"X-CSRFToken": world.token()},
    )
    assert answer.status_code == 413
    assert "Send less" in answer.text


def test_an_unexpected_fault_is_a_page_with_a_number_and_no_detail(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = Secret("canary-in-an-exception")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(canary.reveal())

    monkeypatch.setattr("webapp.ui.audit.list_audit", fail)
    answer = world.client("alice").get("/admin/audit")
    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] in answer.text
    logged = capsys.readouterr()
    assert answer.headers["X-Request-Id"] in logged.out + logged.err
    assert "RuntimeError" in logged.out + logged.err
    assert canary.reveal() not in answer.text + logged.out + logged.err


def test_the_audit_is_taken_along_as_it_is_filtered(world: World) -> None:
    client = world.client("alice")
    made = {"name": "x", "scopes": ["events:write"], "lifetime": "30", "user": ""}
    world.post(client, "/admin/api-keys", made)
    with world.runtime.database.write() as session:
        record(session, HITCHPOST, Act.TOLD, "user:x", detail="=1+1")
    page = client.get("/admin/audit?act=connection.told").text
    for form, told in (("csv", "'=1+1"), ("jsonl", '"=1+1"')):
        assert f"/admin/audit/export?form={form}&amp;act=connection.told" in page
        answer = client.get(f"/admin/audit/export?form={form}&act=connection.told")
        assert told in answer.text
        assert "api_key.made" not in answer.text
        assert answer.headers["Content-Disposition"] == f'attachment; filename="audit.{form}"'
        assert "api_key.made" in client.get(f"/admin/audit/export?form={form}").text
    assert client.get("/admin/audit/export?form=exe").status_code == 404


def test_admins_see_on_every_page_that_the_instance_is_held(world: World) -> None:
    restores.mark(world.runtime)
    said = "This instance is held."
    assert said in world.client("alice").get("/connections").text
    assert said not in world.client("bob").get("/connections").text
    restores.release(world.runtime)
    assert said not in world.client("alice").get("/connections").text


@pytest.mark.parametrize("wrong", ["delivered", "queued"])
def test_a_ledger_that_breaks_either_identity_is_on_the_pages_and_at_the_figures(
    world: World, wrong: str
) -> None:
    client, destination = world.client("alice"), world.address("/destinations/<destination_id>/part")
    assert "all add up" in client.get("/admin/health").text
    assert "adds up, and so do its dead letters" in client.get(destination).text
    assert "hitchpost_ledgers_wrong 0.0" in client.get("/metrics").text
    with world.runtime.database.write() as session:
        session.execute(update(Destination).values({wrong: getattr(Destination, wrong) + 1}))
    assert "does not add up" in client.get("/admin/health").text
    assert "does not add up: tell an admin" in client.get(destination).text
    assert "hitchpost_ledgers_wrong 1.0" in client.get("/metrics").text
