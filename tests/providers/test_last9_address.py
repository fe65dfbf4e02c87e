"""A base URL may be written in many ways, and never leads to a host that the operator has not allowed."""

import pytest

from webapp.providers.last9.address import Address, Refused, check_host, read_address

ALLOWED = ("*.last9.io",)


@pytest.mark.parametrize(
    ("text", "organization"),
    [
        ("https://app.last9.io", None),
        ("https://app.last9.io/", None),
        ("  https://APP.last9.io  ", None),
        ("app.last9.io", None),
        ("https://app.last9.io:443", None),
        ("https://app.last9.io/api", None),
        ("https://app.last9.io/api/v4", None),
        ("https://app.last9.io/api/v4/", None),
        ("https://app.last9.io/api/v4/organizations/acme", "acme"),
        ("https://app.last9.io/api/v4/organizations/acme/change_events", "acme"),
        ("https://app.last9.io/organizations/acme", "acme"),
        ("https://app.last9.io/v4/organizations/acme/", "acme"),
        ("https://app.last9.io/settings/api-access", None),
    ],
)
def test_the_forms_that_people_have_are_understood(text: str, organization: str | None) -> None:
    assert read_address(text, ALLOWED) == Address("app.last9.io", organization)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://app.last9.io", "https://"),
        ("ftp://app.last9.io", "https://"),
        ("javascript://app.last9.io", "https://"),
        ("https://ada:secret@app.last9.io", "user name"),
        ("https://app.last9.io@evil.example", "user name"),
        ("https://app.last9.io:8443", "port"),
        ("https://app.last9.io:99999", "not an address"),
        ("https://app.last9.io?x=1", "?"),
        ("https://app.last9.io#x", "?"),
        ("https://evil.example", "may not call"),
        ("https://last9.io", "may not call"),
        ("https://evillast9.io", "may not call"),
        ("https://app.last9.io.evil.example", "may not call"),
        ("https://a.b.last9.io", "may not call"),
        ("https://.last9.io", "may not call"),
        ("https://app_last9.io", "may not call"),
        ("https://127.0.0.1", "may not call"),
        ("https://[::1]", "may not call"),
        ("https://169.254.169.254/latest", "may not call"),
        ("https://0x7f.1", "may not call"),
        ("https://ap\u2024p.last9.io", "may not call"),
        ("https://evil.example\\.last9.io", "may not call"),
        ("https://evil.example%2f.last9.io", "may not call"),
        ("https://[bad", "not an address"),
        ("https://app.last9.io/api/v4/organizations/a%2Fb", "characters"),
        ("https://app.last9.io/api/v4/organizations/..", "characters"),
    ],
)
def test_what_could_lead_elsewhere_is_refused_with_its_reason(text: str, words: str) -> None:
    with pytest.raises(Refused, match=words.replace("?", r"\?")):
        read_address(text, ALLOWED)


def test_the_operator_s_own_address_may_have_a_port() -> None:
    own = "http://localhost:8104"
    assert read_address(f"{own}/api/v4", ALLOWED, own).host == "localhost:8104"
    with pytest.raises(Refused):
        read_address("http://localhost:8105", ALLOWED, own)


def test_a_pattern_without_a_star_is_exact() -> None:
    assert check_host("Last9.internal", ("last9.internal",)) == "last9.internal"
    with pytest.raises(Refused):
        check_host("x.last9.internal", ("last9.internal",))
