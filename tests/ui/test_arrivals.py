"""What may spend a code, and what an address must hold."""

import pytest
from werkzeug.datastructures import Headers, MultiDict

from webapp.ui._arrivals import opened_as_a_page, read_arrival

CODE = "4fa87ba8cc7f30e91ad2ab1ad21c1b3e"  # the example of Baselime's docs


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"},
    ],
)
def test_a_page_that_a_browser_opens_may_spend_a_code(headers: dict[str, str]) -> None:
    assert opened_as_a_page("GET", Headers(headers))


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("POST", {}),
        ("OPTIONS", {}),
        ("GET", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
        ("GET", {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}),
        ("GET", {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"}),
        ("GET", {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}),
        ("GET", {"Sec-Purpose": "prefetch"}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"X-Purpose": "preview"}),
        ("GET", {"X-Moz": "prefetch"}),
    ],
)
def test_nothing_else_may(method: str, headers: dict[str, str]) -> None:
    assert not opened_as_a_page(method, Headers(headers))


@pytest.mark.parametrize("code", [CODE, "a" * 8, "A-Z_0.9~" * 64, "x" * 512])
def test_one_code_of_the_right_shape_is_a_code(code: str) -> None:
    arrival = read_arrival(MultiDict([("code", code)]))
    assert arrival.code is not None
    assert arrival.code.reveal() == code
    assert code not in repr(arrival)


@pytest.mark.parametrize(
    "code", ["", "a" * 7, "x" * 513, "a b c d e f", "code\r\nSet-Cookie: a=b", "ünïcödé-code", "'or'1'='1"]
)
def test_another_shape_is_none(code: str) -> None:
    arrival = read_arrival(MultiDict([("code", code)]))
    assert arrival.code is None
    assert "shape" in arrival.fault


def test_two_codes_are_none() -> None:
    arrival = read_arrival(MultiDict([("code", CODE), ("code", CODE)]))
    assert arrival.code is None
    assert "more than one" in arrival.fault


def test_no_code_is_none() -> None:
    assert read_arrival(MultiDict([("state", "x")])).fault == "it holds no code"


def test_an_error_is_a_no_even_beside_a_code() -> None:
    arrival = read_arrival(MultiDict([("error", "access_denied"), ("code", CODE)]))
    assert arrival.declined
    assert arrival.code is None
