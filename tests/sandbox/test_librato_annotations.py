"""Librato's annotations: streams, events, sources, times and links."""

import gzip
import json

import pytest

from tests.sandbox.librato_client import Asker
from webapp.sandbox import World

STREAM = "/v1/annotations/api-deploys"
GOLDEN_FORM = {
    "title": "My Annotation",
    "description": "Joe deployed v29 to metrics",
    "start_time": "1234567890",
    "links[0][label]": "Metrics Gem",
    "links[0][href]": "https://rubygems.org/gems/metrics",
    "links[0][rel]": "github",
}
LINK = {"label": "Metrics Gem", "href": "https://rubygems.org/gems/metrics", "rel": "github"}
GOLDEN_JSON = {
    "title": "My Annotation",
    "description": "Joe deployed v29 to metrics",
    "start_time": 1234567890,
    "links": [LINK],
}
GOLDEN_BODY = GOLDEN_JSON | {"id": 123, "source": None, "end_time": None}


@pytest.mark.parametrize("body", [{"data": GOLDEN_FORM}, {"json": GOLDEN_JSON}], ids=["form", "json"])
def test_the_documented_example_is_taken(ask: Asker, world: World, body: dict[str, object]) -> None:
    answer = ask("POST", STREAM, **body)
    assert (answer.status_code, answer.get_json()) == (201, GOLDEN_BODY)
    assert answer.headers["Location"] == "/v1/annotations/api-deploys/123"
    taken = world.desk.recorder.received("librato")[0]
    assert (taken.endpoint, taken.account) == ("annotations", "ada@sandbox.example")
    assert taken.headers == {"stream": "api-deploys", "id": "123"}
    assert taken.event["title"] == "My Annotation"  # type: ignore[index]  # a dict


def test_start_and_end_come_in_the_one_post_that_record_only_may_do(ask: Asker) -> None:
    body = {"title": "t", "source": "web-1", "start_time": 100, "end_time": 160, "links": [LINK]}
    assert ask("POST", STREAM, "recorder", json=body).status_code == 201
    assert ask("GET", f"{STREAM}/123", "recorder").get_json()["end_time"] == 160


def test_gzip_is_unpacked_and_ignored_where_there_is_no_body(ask: Asker) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    packed = gzip.compress(json.dumps(GOLDEN_JSON).encode())
    assert ask("POST", STREAM, data=packed, headers=headers).status_code == 201
    assert ask("GET", STREAM, headers=headers).status_code == 200
    assert ask("DELETE", STREAM, headers=headers).status_code == 204
    assert ask("POST", STREAM, data=b"plain", headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"title": None}, "title"),
        ({"title": ""}, "title"),
        ({"title": 7}, "title"),
        ({"title": "x" * 256}, "title"),
        ({"start_time": "soon"}, "start_time"),
        ({"start_time": True}, "start_time"),
        ({"start_time": -1}, "start_time"),
        ({"end_time": 1}, "end_time"),
        ({"source": "a b"}, "source"),
        ({"description": ["x"]}, "description"),
        ({"links": "x"}, "links"),
        ({"links": [{"rel": "a"}]}, "links"),
        ({"links": [{"href": "https://a.example"}]}, "links"),
        ({"links": [LINK, LINK]}, "links"),
        ({"links": [LINK | {"id": 1}]}, "links"),
        ({"stop_time": 5}, "stop_time"),
    ],
)
def test_a_wrong_parameter_is_named(ask: Asker, world: World, change: dict[str, object], param: str) -> None:
    answer = ask("POST", STREAM, json=GOLDEN_JSON | change)
    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]["params"]) == [param]
    assert world.desk.recorder.received() == []
    assert ask("GET", STREAM).status_code == 404


def test_a_missing_title_is_not_present(ask: Asker) -> None:
    answer = ask("POST", STREAM, json={"start_time": "x"})
    expected = {"title": ["is not present"], "start_time": ["is not a number"]}
    assert answer.get_json() == {"errors": {"params": expected}}


@pytest.mark.parametrize("data", ["{", "[]", "title"])
def test_an_unreadable_body_is_refused(ask: Asker, data: str) -> None:
    assert ask("POST", STREAM, data=data, content_type="application/json").status_code == 400
    assert ask("POST", STREAM, data="title=x", content_type="text/plain").status_code == 415


def test_streams_are_listed_and_found_by_a_part_of_their_name(ask: Asker) -> None:
    for name in ("backups", "deploys"):
        ask("POST", f"/v1/annotations/{name}", json={"title": "t"})
    ask("PUT", "/v1/annotations/deploys", data={"display_name": "Deploys to API"})
    body = ask("GET", "/v1/annotations?name=dep").get_json()
    assert body["query"] == {"found": 1, "length": 1, "offset": 0, "total": 2}
    assert body["annotations"] == [{"name": "deploys", "display_name": "Deploys to API"}]
    names = ask("GET", "/v1/annotations?orderby=name&sort=desc").get_json()["annotations"]
    assert [one["name"] for one in names] == ["deploys", "backups"]


@pytest.fixture
def busy(ask: Asker) -> Asker:
    """A stream with four events of three sources."""
    for title, start, source in (
        ("d", 400, "db-2"),
        ("a", 100, None),
        ("b", 200, "web-1"),
        ("c", 300, "db-1"),
    ):
        ask("POST", STREAM, json={"title": title, "start_time": start, "source": source})
    return ask


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start_time=0", {"unassigned": ["a"], "web-1": ["b"], "db-1": ["c"], "db-2": ["d"]}),
        ("start_time=200&end_time=300", {"web-1": ["b"], "db-1": ["c"]}),
        ("end_time=99", {}),
        ("count=2", {"db-1": ["c"], "db-2": ["d"]}),
        (
            "start_time=0&sources[]=db-*&sources[]=unassigned",
            {"unassigned": ["a"], "db-1": ["c"], "db-2": ["d"]},
        ),
    ],
)
def test_events_are_read_by_time_count_and_source(
    busy: Asker, query: str, expected: dict[str, list[str]]
) -> None:
    body = busy("GET", f"{STREAM}?{query}").get_json()
    assert {source: [one["title"] for one in events] for source, events in body["events"].items()} == expected


def test_without_a_time_only_the_stream_is_shown(busy: Asker) -> None:
    assert busy("GET", STREAM).get_json() == {"name": "api-deploys", "display_name": "api-deploys"}
    assert busy("GET", f"{STREAM}?start_time=soon").status_code == 400


def test_events_can_be_shown_as_the_docs_have_them(busy: Asker, world: World) -> None:
    world.desk.settings.librato_events_as_list = True
    events = busy("GET", f"{STREAM}?count=1").get_json()["events"]
    assert [one["title"] for one in events[0]["db-2"]] == ["d"]


def test_an_event_is_changed_and_deleted(ask: Asker) -> None:
    ask("POST", STREAM, json=GOLDEN_JSON)
    assert ask("PUT", f"{STREAM}/123", data={"end_time": "1234567990"}).status_code == 204
    assert ask("PUT", f"{STREAM}/123", json={"end_time": 5}).status_code == 400
    assert ask("GET", f"{STREAM}/123").get_json() == GOLDEN_BODY | {"end_time": 1234567990}
    assert ask("DELETE", f"{STREAM}/123").status_code == 204
    assert ask("GET", f"{STREAM}/123").status_code == 404
    assert ask("GET", STREAM).status_code == 200


def test_a_deleted_stream_is_gone_with_its_events(ask: Asker) -> None:
    ask("POST", STREAM, json=GOLDEN_JSON)
    assert ask("DELETE", STREAM).status_code == 204
    assert ask("GET", STREAM).status_code == 404
    assert ask("DELETE", STREAM).status_code == 404
    assert ask("PUT", f"{STREAM}/123", json={"title": "x"}).status_code == 404


def test_links_are_added_once_and_removed(ask: Asker) -> None:
    ask("POST", STREAM, json={"title": "t"})
    added = ask("POST", f"{STREAM}/123/links", data=LINK)
    assert (added.status_code, added.get_json()) == (201, LINK)
    assert added.headers["Location"] == f"{STREAM}/123/links/github"
    assert ask("POST", f"{STREAM}/123/links", json=LINK).status_code == 422
    assert ask("POST", f"{STREAM}/123/links", json={"rel": "x"}).status_code == 400
    assert ask("DELETE", f"{STREAM}/123/links/github").status_code == 204
    assert ask("DELETE", f"{STREAM}/123/links/github").status_code == 404
    assert ask("GET", f"{STREAM}/123").get_json()["links"] == []


def test_the_page_shows_streams_with_their_events(busy: Asker) -> None:
    busy("POST", STREAM, json={"title": "<i>t</i>", "links": [{"rel": "r", "href": "javascript:alert(1)"}]})
    page = busy.client.get("/").get_data(as_text=True)
    assert "api-deploys" in page
    assert "<i>t" not in page
    assert 'href="javascript' not in page
    assert str(busy.account["email"]) in busy.client.get("/tokens").get_data(as_text=True)
