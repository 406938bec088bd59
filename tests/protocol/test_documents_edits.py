"""What edits mean, apart from any format; and that the smallest steps mean the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.documents import FIRST, Delete, EditRefused, Insert, Rename, Set
from roosync_protocol.documents.edits import apply, equal, show
from roosync_protocol.documents.steps import Put, Replace, apply_step, steps

TREE = {"m": {"a": 1, "b": [1, 2]}, "n": None}

MEANINGS = {
    "replace": (Set(("m", "a"), 2), {"m": {"a": 2, "b": [1, 2]}, "n": None}),
    "insert at the end": (Set(("m", "c"), 2), {"m": {"a": 1, "b": [1, 2], "c": 2}, "n": None}),
    "insert behind": (Set(("m", "c"), 2, after="a"), {"m": {"a": 1, "c": 2, "b": [1, 2]}, "n": None}),
    "insert first": (Set(("m", "c"), 2, after=FIRST), {"m": {"c": 2, "a": 1, "b": [1, 2]}, "n": None}),
    "insert behind nobody": (Set(("m", "c"), 2, after="x"), {"m": {"a": 1, "b": [1, 2], "c": 2}, "n": None}),
    "parents that are missing": (Set(("x", "y", 0), 1), TREE | {"x": {"y": [1]}}),
    "a parent that is null": (Set(("n", "y"), 1), TREE | {"n": {"y": 1}}),
    "an element": (Set(("m", "b", 1), 3), {"m": {"a": 1, "b": [1, 3]}, "n": None}),
    "one element more": (Set(("m", "b", 2), 3), {"m": {"a": 1, "b": [1, 2, 3]}, "n": None}),
    "an element between": (Set(("m", "b", 1), 3, after=0), {"m": {"a": 1, "b": [1, 3, 2]}, "n": None}),
    "insert": (Insert(("m", "b"), 0, 3), {"m": {"a": 1, "b": [3, 1, 2]}, "n": None}),
    "insert into nothing": (Insert(("m", "x"), 0, 3), {"m": {"a": 1, "b": [1, 2], "x": [3]}, "n": None}),
    "delete": (Delete(("m", "b", 0)), {"m": {"a": 1, "b": [2]}, "n": None}),
    "rename": (Rename(("m", "a"), "z"), {"m": {"z": 1, "b": [1, 2]}, "n": None}),
    "all": (Set((), {"x": 1}), {"x": 1}),
}


@pytest.mark.parametrize(("edit", "wanted"), MEANINGS.values(), ids=MEANINGS)
def test_meaning(edit, wanted):
    assert equal(apply(TREE, edit, 200), wanted)
    value = TREE
    for step in steps(TREE, edit):
        value = apply_step(value, step)
    assert repr(value) == repr(wanted)  # in this order
    assert TREE == {"m": {"a": 1, "b": [1, 2]}, "n": None}


@pytest.mark.parametrize(
    "edit",
    [
        Delete(()),
        Delete(("x",)),
        Delete(("m", "b", 2)),
        Rename((), "x"),
        Rename(("m", "a"), "b"),
        Rename(("m", "b", 0), "x"),
        Rename(("x",), "y"),
        Set(("m", "a", "x"), 1),
        Set(("m", "b", "x"), 1),
        Set(("m", 0), 1),
        Set(("m", "b", 3), 1),
        Set(("m", "b", -1), 1),
        Set(("x", 1), 1),
        Set(("m", "b", 1), 1, after=1),
        Set((), None),
        Insert(("m",), 0, 1),
        Insert(("m", "b"), 3, 1),
        Insert(("m", "b"), -1, 1),
        Set(("m", "a"), {1: 2}),
        Set(("m", "a"), {"x": (1, 2)}),
        Set(("m", "a"), b"x"),
    ],
)
def test_what_means_nothing_is_refused(edit):
    with pytest.raises(EditRefused):
        apply(TREE, edit, 200)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        ([0], [False], False),
        (None, False, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (float("nan"), float("nan"), True),
        ("", None, False),
    ],
)
def test_equality_is_by_type(a, b, same):
    assert equal(a, b) is same


def test_a_path_as_a_person_writes_it():
    assert show(("customModes", 0, "slug")) == "customModes[0].slug"
    assert show(("mcpServers", "a.b", "")) == "mcpServers['a.b']['']"
    assert show(()) == "the whole document"


def test_the_steps_are_the_smallest():
    modes = [{"slug": f"m{n}", "groups": ["read", "edit"]} for n in range(50)]
    new = [dict(mode) for mode in modes]
    new[7] = {"slug": "m7", "groups": ["read", "mcp", "edit"]}
    del new[20]
    new.insert(30, {"slug": "new"})
    found = steps({"customModes": modes}, Set(("customModes",), new))
    assert sorted(map(repr, found)) == sorted(
        map(
            repr,
            [
                Put(("customModes", 7, "groups"), 1, "mcp"),
                Delete(("customModes", 20)),
                Put(("customModes",), 31, {"slug": "new"}),
            ],
        )
    )


def test_an_element_is_known_by_its_name():
    old = [{"slug": "a", "groups": [], "x": 1}, {"slug": "b", "groups": [], "x": 1}]
    new = [{"slug": "n", "groups": [], "x": 1}, {"slug": "a", "groups": [], "x": 2}, old[1]]
    assert steps({"l": old}, Set(("l",), new)) == [Replace(("l", 0, "x"), 2), Put(("l",), 0, new[0])]
    double = [{"name": "a", "x": 1}, {"name": "a", "x": 2}]
    assert steps({"l": double}, Set(("l",), double[1:])) == [Delete(("l", 0))]


def test_what_is_something_else_is_replaced_as_a_whole():
    old = {"l": [{"slug": "a", "x": 1}]}
    assert steps(old, Set(("l",), [{"slug": "b", "x": 2}])) == [Replace(("l", 0), {"slug": "b", "x": 2})]


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", 1.0, -0.0])
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=15
)


@settings(max_examples=150, deadline=None)
@given(TREES, TREES)
def test_the_steps_lead_from_any_value_to_any_other(old, new):
    value = {"v": old}
    for step in steps(value, Set(("v",), new)):
        value = apply_step(value, step)
    assert equal(value, {"v": new})
