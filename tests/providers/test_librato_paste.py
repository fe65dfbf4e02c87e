"""Whatever is pasted where Librato's e-mail or API token belongs is named for what it is, never repeated."""

import pytest

from webapp.errors import Invalid
from webapp.providers.librato.paste import check_email, check_token

TOKEN = "24f9fb2134399595b91da1dcac39cb6eafc68a07fa08ad3d70892b7aad10e1cf"

BAD = {
    "nothing": ("", "is empty"),
    "only spaces": (" \n\t", "is empty"),
    "a whole Basic header": (f"Basic {TOKEN}", "whole Basic header"),
    "a Bearer header": (f"Bearer {TOKEN}", "begins with “Bearer”"),
    "a whole header": (f"Authorization: {TOKEN}", "whole header or command"),
    "a curl command": (f"curl -u ada:{TOKEN}", "whole header or command"),
    "an address": ("https://metrics.librato.com/tokens", "is an address"),
    "Last9's token": ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "is a JWT, as Last9 has them"),
    "a key of this Hitchpost": ("hp_abcd1234_secret", "key of this Hitchpost"),
    "a GitHub token": ("ghp_abcdefghijklmnop", "GitHub token"),
    "an id": ("6092d6f0-3bfa-4d62-9d0b-5bc7ae6518a1", "is an id"),
    "both in one": (f"ada@acme.example:{TOKEN}", "e-mail and token together"),
    "the e-mail": ("ada@acme.example", "is an e-mail address"),
    "a placeholder": ("<api token>", "is a placeholder"),
    "a shell variable": ("$LIBRATO_TOKEN", "is a placeholder"),
    "a masked one": (f"{TOKEN[:8]}********", "masked or shortened"),
    "a shortened one": (f"{TOKEN[:30]}…", "masked or shortened"),
    "Baselime's key": (TOKEN[:32], "looks like a Baselime key"),
    "curly quotes": (f"“{TOKEN}”", "curly quotes"),
    "an invisible character": (f"{TOKEN[:9]}\u200b{TOKEN[9:]}", "invisible character"),
    "a space inside": (f"{TOKEN[:30]} {TOKEN[30:]}", "broken by a space or a line break"),
    "a line break inside": (f"{TOKEN[:30]}\n{TOKEN[30:]}", "broken by a space or a line break"),
    "capital letters": (TOKEN.upper(), "capital letters"),
    "another character": (f"{TOKEN[:-1]}!", "a character that Librato's tokens do not have"),
    "cut short": (TOKEN[:20], "too short"),
    "pasted twice": (TOKEN * 2, "too long"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_has_words_of_its_own(name: str) -> None:
    text, told = BAD[name]
    with pytest.raises(Invalid) as caught:
        check_token(text)
    (fault,) = caught.value.faults
    assert fault.where == "api_token"
    assert told in fault.what
    assert TOKEN[:8] not in fault.what


@pytest.mark.parametrize("text", [TOKEN, f"  {TOKEN}\n", f'"{TOKEN}"', f"'{TOKEN}'", "a1" * 11])
def test_a_token_is_taken_with_the_blanks_and_quotes_around_it(text: str) -> None:
    assert check_token(text).reveal() == text.strip().strip("\"'")


def test_a_fault_stands_at_the_field_that_was_typed_into() -> None:
    with pytest.raises(Invalid) as caught:
        check_token("", "full_token")
    assert caught.value.faults[0].where == "full_token"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("ada", "is not an e-mail address"),
        ("ada@acme", "is not an e-mail address"),
        ("ada acme@acme.example", "is not an e-mail address"),
        (f"ada@acme.example:{TOKEN}", "is not an e-mail address"),
        ("“ada@acme.example”", "is not an e-mail address"),
        (f"{'a' * 65}@acme.example", "is not an e-mail address"),
    ],
)
def test_a_bad_e_mail_is_named(text: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_email(text)
    (fault,) = caught.value.faults
    assert (fault.where, told in fault.what) == ("email", True)


def test_an_e_mail_is_one_account_however_it_is_written() -> None:
    assert check_email(" Ada@Acme.Example ") == "ada@acme.example"
