"""Which passwords are refused, and how one is checked."""

import pytest

from webapp.core import passwords
from webapp.errors import Invalid
from webapp.lib.secret import Secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "elevenchars",
        "123456789012",
        "Password1234",
        "aaaaaaaaaaaaaa",
        "abababababab",
        "x" * 257,
        "bobby.longname",
        "Bobby.LongName@example.org",
    ],
)
def test_what_is_guessed_first_is_refused_at_its_field(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        passwords.check(Secret(text), email="bobby.longname@example.org")
    assert [fault.where for fault in caught.value.faults] == ["password"]
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["twelve chars", "всё будет хорошо", "correct horse battery staple", "é" * 6 + "abcdef"]
)
def test_length_is_all_that_is_asked(text: str) -> None:
    passwords.check(Secret(text), email="bob@example.org")


def test_a_hash_is_argon2id_salted_and_matches_its_password_alone() -> None:
    password = Secret("four quiet words here")
    first, second = passwords.hash_password(password), passwords.hash_password(password)
    assert first.startswith("$argon2id$")
    assert first != second
    assert passwords.matches(password, first)
    assert not passwords.matches(Secret("four quiet words HERE"), first)
    assert not passwords.matches(password, "not a hash")
    assert not passwords.matches(password, None)


def test_a_made_password_passes_the_check() -> None:
    made = {passwords.make().reveal() for _ in range(50)}
    assert len(made) == 50
    for text in made:
        passwords.check(Secret(text), email="bob@example.org")
