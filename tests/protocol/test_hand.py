"""Members are written in the order of the file, and the value stays the value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_protocol.digest import same
from roosync_protocol.entity import Kind
from roosync_protocol.hand import in_hand, in_place
from roosync_protocol.shapes import alike

MODE = {"customInstructions": "x", "groups": ["read"], "name": "N", "roleDefinition": "r", "slug": "s"}
HANDS = {
    "as its kind is written": ((), Kind.MODE, "slug name roleDefinition groups customInstructions"),
    "as a neighbour is written": (
        [{"slug": 1, "name": 1, "customInstructions": 1, "groups": 1}],
        Kind.MODE,
        "slug name roleDefinition customInstructions groups",
    ),
    "the first model counts most": (
        [{"name": 1, "slug": 1}, {"slug": 1, "name": 1}],
        Kind.MODE,
        "name slug roleDefinition groups customInstructions",
    ),
    "no kind, no model": ((), None, "customInstructions groups name roleDefinition slug"),
}


@pytest.mark.parametrize(("models", "kind", "wanted"), HANDS.values(), ids=HANDS)
def test_members_have_the_order_of_the_file(models, kind, wanted):
    assert list(in_hand(MODE, models, kind)) == wanted.split()


def test_inside_too():
    value = {"args": [], "command": "x", "env": {"B": 1, "A": 2}, "x": {"command": 1, "args": 2}}
    made = in_hand(value, [{"env": {"A": 1, "B": 1}}], Kind.MCP_SERVER)
    assert json.dumps(made) == json.dumps(
        {"command": "x", "args": [], "env": {"A": 2, "B": 1}, "x": {"command": 1, "args": 2}}
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcdef"), inner, max_size=5),
    max_leaves=12,
)


@given(VALUES, st.lists(VALUES, max_size=3))
def test_the_value_stays_the_value_and_a_second_time_changes_nothing(value, models):
    made = in_hand(value, models, Kind.MODE)
    assert same(made, value)
    assert json.dumps(in_hand(made, models, Kind.MODE)) == json.dumps(made)


PLACES = {
    "a set keeps its order": (["b", "a"], ["a", "b"], ["b", "a"]),
    "what went is gone": (["c", "b", "a"], ["a", "c"], ["c", "a"]),
    "doubles are no change": (["b", "a", "b"], ["a", "b"], ["b", "a", "b"]),
    "no list before": (None, ["b", "a"], ["b", "a"]),
    "what is new comes last": (["b", "a"], ["c", "a", "b"], ["b", "a", "c"]),
    "all new": ([], ["b", "a"], ["b", "a"]),
}


@pytest.mark.parametrize(("now", "value", "wanted"), PLACES.values(), ids=PLACES)
def test_sets_keep_the_order_of_the_file(now, value, wanted):
    assert in_place((), {"alwaysAllow": now}, {"alwaysAllow": value}) == {"alwaysAllow": wanted}
    assert in_place((), {"args": now}, {"args": value}) == {"args": value}, "arguments have an order"


SHAPED = st.dictionaries(st.sampled_from(["alwaysAllow", "groups", "args", "customModes", "x"]), VALUES, max_size=4)


@given(SHAPED, SHAPED)
def test_what_is_written_is_alike_what_was_wanted(now, value):
    made = in_place((), now, value)
    assert alike((), made, value)
    assert json.dumps(in_place((), made, made)) == json.dumps(made)
