"""JSON is taken only when it is bounded, unambiguous and storable."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.errors import Invalid
from webapp.lib.strict_json import MAX_DEPTH, Json, loads


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"a":NaN}', "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "too large"),
        (b"1" * 5000, "5000 digits"),
        (b'{"a":1,"a":2}', "repeats the key 'a'"),
        (b'"\\u0000"', "NUL"),
        (b'{"\\u0000":1}', "NUL"),
        (b'["\\ud800"]', "surrogate"),
        (b'["\\ude00\\ud83d"]', "surrogate"),
        (b"[" * 200_000, "nested deeper"),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "nested deeper"),
        (b" " * 2000, "2,000 bytes"),
        # With a reader that begins anew at each quote this would take minutes.
        (b"[" * 65 + b'"' + b'\\"' * 150_000, "nested deeper"),
        (b"[" * 65 + b'"' + b'\\"' * 150_000 + b"\\", "nested deeper"),
    ],
)
def test_it_names_what_is_wrong(body: bytes, fault: str) -> None:
    limit = 1000 if body.isspace() else 1_000_000
    with pytest.raises(Invalid, match=fault):
        loads(body, max_bytes=limit)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\\\u0000"', "\\u0000"),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
        (b'["' + b"[" * 500 + b'"]', ["[" * 500]),
        (b'["\\"[[[' + b"{" * 500 + b'"]', ['"[[[' + "{" * 500]),
        (b" [1.5, -0, true, null] ", [1.5, 0, True, None]),
    ],
)
def test_it_takes_what_only_looks_wrong(body: bytes, value: Json) -> None:
    parsed = loads(body, max_bytes=1_000_000)
    assert value is None or parsed == value


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner)
    ),
    max_leaves=20,
)


@given(documents, st.booleans())
def test_every_plain_document_comes_back_as_it_was(document: Json, escape: object) -> None:
    body = json.dumps(document, ensure_ascii=bool(escape)).encode()
    assert loads(body, max_bytes=10_000_000) == document


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_invalid(body: bytes) -> None:
    with suppress(Invalid):
        loads(body, max_bytes=1000)
