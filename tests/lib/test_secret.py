"""A Secret shows itself only when asked to."""

import copy
import json
import pickle

import pytest

from webapp.lib.secret import Secret

SECRET = Secret("do-not-show-me")


@pytest.mark.parametrize(
    "shown",
    [repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET:>40}", " ".join(map(str, [SECRET])), repr([SECRET])],
)
def test_no_way_of_printing_shows_it(shown: str) -> None:
    assert "do-not-show-me" not in shown
    assert "***" in shown


def test_it_does_not_leave_by_pickle_copy_or_json() -> None:
    for leave in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            leave(SECRET)


def test_two_are_equal_when_their_values_are() -> None:
    assert Secret("do-not-show-me") == SECRET
    assert Secret("another") != SECRET
    assert SECRET != "do-not-show-me"


def test_a_fingerprint_tells_two_apart_and_gives_neither_away() -> None:
    assert SECRET.fingerprint() != Secret("another").fingerprint()
    assert SECRET.fingerprint() not in SECRET.reveal()
    assert len(SECRET.fingerprint()) == 8
