"""One spelling for one value, checked against the reference implementation of RFC 8785."""

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.digest import NotCanonicalError, canonical, digest, digest_bytes, same

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    LEAVES | FLOATS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300)
@given(TREES)
def test_agrees_with_the_reference_implementation(value):
    assert canonical(value) == rfc8785.dumps(value)


SPELLINGS = {
    "numbers": ([1.0, -0.0, 1e21, 1e-7, 0.1], b"[1,0,1e+21,1e-7,0.1]"),
    "integers keep their digits": ([2**53 + 1, -(2**70)], b"[9007199254740993,-1180591620717411303424]"),
    "beside a float too": ([2**53 + 1, 0.5], b"[9007199254740993,0.5]"),
    "order of UTF-16 units": ({"\ufe0f": 1, "\U0001f4bb": 2}, '{"\U0001f4bb":2,"\ufe0f":1}'.encode()),
    "a number alone": (1.0, b"1"),
    "nothing": (None, b"null"),
    "a text that looks like a float": ({"a": ":1.5,null"}, b'{"a":":1.5,null"}'),
}


@pytest.mark.parametrize(("value", "data"), SPELLINGS.values(), ids=SPELLINGS)
def test_spelling(value, data):
    assert canonical(value) == data
    assert digest(value) == digest_bytes(data)


def nest(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


UNSAYABLE = {
    "not a number": float("nan"),
    "infinity in a list": [1, float("inf")],
    "half a pair": "\ud800",
    "half a pair as a key": {"\ud800": 1.5},
    "a number as a key": {1: 2},
    "too deep": nest(100_000),
}


@pytest.mark.parametrize("value", UNSAYABLE.values(), ids=UNSAYABLE)
def test_what_json_can_not_say_is_refused_by_name(value):
    with pytest.raises(NotCanonicalError, match="no JSON form"):
        canonical(value)


PAIRS = {
    "a list is not a truth": ([1], [True], False),
    "one is not true": (1, True, False),
    "nought is not false, deep": ({"a": [{"b": 0}]}, {"a": [{"b": False}]}, False),
    "one is one point nought": ({"a": 1}, {"a": 1.0}, True),
    "the order of keys": ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, True),
    "the order of a list": ([1, 2], [2, 1], False),
    "nothing is not missing": ({"a": None}, {}, False),
    "a text is not a number": ("1", 1, False),
    "a map is not a list": ({}, [], False),
    "beyond a double": ([2**53], [2**53 + 1], False),
    "a float beside null": ([None, 1.0], [None, 1], True),
}


@pytest.mark.parametrize(("a", "b", "expected"), PAIRS.values(), ids=PAIRS)
def test_same(a, b, expected):
    assert same(a, b) is same(b, a) is expected


@settings(max_examples=200)
@given(TREES, TREES)
def test_same_means_the_same_bytes(a, b):
    assert same(a, b) is (canonical(a) == canonical(b))
    assert same(a, a)
