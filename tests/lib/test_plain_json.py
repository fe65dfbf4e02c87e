"""Documents of the usual kind are read and written faster, and not otherwise."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.lib.plain_json import NotPlain, canonical, compact, read

texts = st.text(st.characters(exclude_categories=["Cs"]))
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(documents)
@example([1e16, -1e-5, 0.0001, 9999999999999998.0, -0.0])
@example(["\x7f", "é", '\b\f\x1b\\"/'])
@example({"b": 2**64, "a": [-(2**63) - 1]})
def test_what_is_read_is_written_as_python_writes_it(document: object) -> None:
    body = json.dumps(document, ensure_ascii=False).encode()
    wanted = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    try:
        value = read(body, max_depth=64)
    except NotPlain:
        assert canonical(document, plain=False) == wanted
        return
    assert repr(value) == repr(document)
    assert canonical(value, plain=True) == wanted


@given(documents)
def test_short_text_means_the_same(document: object) -> None:
    assert repr(json.loads(compact(document))) == repr(document)


@given(st.lists(texts))
def test_short_texts_are_those_that_identities_were_made_of(strings: list[str]) -> None:
    assert compact(strings) == json.dumps(strings, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":{"c":"::","d":[{"e":1,"e":":"}]}}',
        b'{"a":"\\u003a","b":1,"b":2}',
        b"[18446744073709551616]",
        b"-9223372036854775809",
        b"[1e400]",
        b'"\\ud800"',
        b"NaN",
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" * 5000,
        b"\xef\xbb\xbf1",
        b"\xff",
        b"",
    ],
)
def test_the_rest_is_left_to_the_strict_parser(body: bytes) -> None:
    with pytest.raises(NotPlain):
        read(body, max_depth=64)


@pytest.mark.parametrize("body", [b"[" * 64 + b"]" * 64, b'{"a":":","b":{"a":"::"}}', b' [-0, 1.50, "\\""] '])
def test_what_looks_unusual_and_is_not_is_read(body: bytes) -> None:
    assert read(body, max_depth=64) == json.loads(body)
