"""Base, local and baseline in, verdicts out: the table of 4-configuration, line by line."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.diff import ABSENT, DIVERGENT, JOIN_RULES, RULES, Change, Verdict, changes, compare, equal
from roosync_protocol.entity import Entity, Kind

KEY = "t/name"


def state(value, kind=Kind.SETTING, key=KEY):
    return {} if value is ABSENT else {key: Entity(key=key, kind=kind, value=value)}


def verdicts(base, local, baseline, *, removed=False, first_join=False, kind=Kind.SETTING, key=KEY):
    found = compare(
        *(state(v, kind, key) for v in (base, local, baseline)),
        removed=frozenset({key} if removed else ()),
        first_join=first_join,
    )
    return [d.verdict for d in found]


VALUES = {"x": "one", "y": "two", "z": "three", "-": ABSENT, ".": ABSENT}


@pytest.mark.parametrize("row", RULES, ids="".join)
def test_every_line_of_the_table(row):
    expected = [RULES[row]] if RULES[row] else []
    assert verdicts(*(VALUES[c] for c in row), removed=row[2] == "-") == expected


@pytest.mark.parametrize("row", JOIN_RULES, ids="".join)
def test_every_line_of_the_first_join(row):
    local, baseline = (VALUES[c] for c in row)
    expected = [JOIN_RULES[row]] if JOIN_RULES[row] else []
    assert verdicts(ABSENT, local, baseline, removed=row[1] == "-", first_join=True) == expected


def test_the_tables_are_complete():
    """Whatever three states there are, there is a line for them."""
    for base in ("x", "-"):
        for local in ("x", "y", "-"):
            for baseline in ("x", "y", "z", "-", "."):
                for removed in (True, False):
                    for first in (True, False):
                        verdicts(VALUES[base], VALUES[local], VALUES[baseline], removed=removed, first_join=first)


def test_a_first_join_never_deletes_nor_overwrites_by_itself():
    alone = {Verdict.ADOPT, Verdict.JOIN_ADD, Verdict.LOCAL_ONLY}  # the only verdicts nobody is asked about
    for local in ("x", "y"):
        for baseline in ("x", "-", "."):
            (verdict,) = verdicts(
                VALUES["x"], VALUES[local], VALUES[baseline], removed=baseline == "-", first_join=True
            )
            if verdict in alone:
                assert local == baseline or baseline == "."


NO_DIFFERENCE = {
    "the spelling of a large number": ({"a": 2**53}, {"a": float(2**53)}, KEY),
    "an exponent": (100, 1e2, KEY),
    "zero": ([0], [-0.0], KEY),
    "keys in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, KEY),
    "spelling of a number": ({"a": 1}, {"a": 1.0}, KEY),
    "a set in another order": (["a", "b"], ["b", "a"], "roo.profiles/allowedCommands"),
    "doubles in a set": (["a", "b", "a"], ["b", "a"], "roo.profiles/allowedCommands"),
    "what a sandbox lets through": (
        {"sandbox": {"network": {"allowedDomains": ["a", "b"]}, "filesystem": {"denyRead": ["a", "b"]}}},
        {"sandbox": {"network": {"allowedDomains": ["b", "a"]}, "filesystem": {"denyRead": ["b", "a"]}}},
        KEY,
    ),
    "tools that can be used": ({"includeTools": ["a", "b"]}, {"includeTools": ["b", "a"]}, KEY),
    "a set inside": ({"permissions": {"allow": ["a", "b"]}}, {"permissions": {"allow": ["b", "a"]}}, KEY),
    "a keyed list": ([{"slug": "a"}, {"slug": "b", "x": 1}], [{"slug": "b", "x": 1}, {"slug": "a"}], "t/customModes"),
    "a dotted setting": (["a", "b"], ["b", "a"], "vscode.settings/roo-cline.allowedCommands"),
}


@pytest.mark.parametrize(("a", "b", "key"), NO_DIFFERENCE.values(), ids=NO_DIFFERENCE)
def test_no_difference(a, b, key):
    assert verdicts(a, b, a, key=key) == verdicts(a, a, b, key=key) == []
    assert changes(a, b, Kind.SETTING, key) == []


BIG = 2**53
DIFFERENCE = {
    "a text for a number": ({"a": 1}, {"a": "1"}, KEY),
    "a text for a truth": ({"a": True}, {"a": "true"}, KEY),
    "numbers beyond what a double holds": ({"a": BIG}, {"a": BIG + 1}, KEY),
    "large numbers": (10**400, 10**400 + 1, KEY),
    "a text that spells no number": ({"a": "NaN"}, {"a": None}, KEY),
    "a name with a dot": ({"a.b": 1}, {"a": {"b": 1}}, KEY),
    "two spellings of one letter": ({"\u00e9": 1}, {"e\u0301": 1}, KEY),
    "a truth for a number": ({"a": 1}, {"a": True}, KEY),
    "another order of arguments": ({"args": ["a", "b"]}, {"args": ["b", "a"]}, KEY),
    "doubled argument": ({"args": ["a"]}, {"args": ["a", "a"]}, KEY),
    "an undeclared list": (["a", "b"], ["b", "a"], "t/somethingElse"),
    "two modes of one name": ([{"slug": "a"}], [{"slug": "a"}, {"slug": "a"}], "t/customModes"),
    "null and missing": ({"a": None}, {}, KEY),
}


@pytest.mark.parametrize(("a", "b", "key"), DIFFERENCE.values(), ids=DIFFERENCE)
def test_difference(a, b, key):
    assert verdicts(a, b, a, key=key) == [Verdict.DRIFT]
    assert changes(a, b, Kind.SETTING, key) != []


NAMES = ["a.b.c", "a/b/c", "😀", "x" * 600, " ", "..", "constructor", '"\n']


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_is_a_name(name):
    key = f"roo.mcp/{name}"
    server = {"command": "a", "env": {name: "1"}}
    assert verdicts(server, server, server | {"command": "b"}, kind=Kind.MCP_SERVER, key=key) == [Verdict.TAKE]
    changed = {"command": "a", "env": {name: "2"}}
    assert changes(server, changed, Kind.MCP_SERVER, key) == [Change(path=("env", name), before="1", after="2")]


def test_what_was_removed_does_not_come_back():
    """A machine that was away, an older base that was restored, a first join: the entity is there, the law says no."""
    assert verdicts("x", "x", ABSENT, removed=True) == [Verdict.BASELINE_DELETION]
    assert verdicts(ABSENT, "x", ABSENT, removed=True) == [Verdict.DELETE_MODIFY]
    assert verdicts("x", "x", ABSENT, removed=True, first_join=True) == [Verdict.DELETE_MODIFY]
    for verdict in (Verdict.BASELINE_DELETION, Verdict.DELETE_MODIFY):
        assert verdict in DIVERGENT


def test_a_conflict_that_merges_has_its_result_and_one_that_does_not_has_its_places():
    (fits,) = compare(state({"a": 1, "b": 1}), state({"a": 2, "b": 1}), state({"a": 1, "b": 2}), first_join=False)
    assert (fits.verdict, fits.merged, fits.conflicts) == (Verdict.CONFLICT, {"a": 2, "b": 2}, ())
    (collides,) = compare(state({"a": 1, "b": 1}), state({"a": 2, "b": 1}), state({"a": 3, "b": 2}), first_join=False)
    assert (collides.merged, collides.conflicts) == (ABSENT, (("a",),))


def test_an_mcp_server_is_never_mixed_from_two():
    base = {"command": "a", "env": {"X": "1"}}
    sides = [base | {"command": "b"}, base | {"env": {"X": "2"}}]
    (found,) = compare(*(state(v, Kind.MCP_SERVER) for v in (base, *sides)), first_join=False)
    assert (found.merged, found.conflicts) == (ABSENT, ((),))
    assert changes(*sides, Kind.MCP_SERVER) == [
        Change(path=("command",), before="b", after="a"),
        Change(path=("env", "X"), before="1", after="2"),
    ]


def test_an_entity_that_changed_its_kind_is_a_conflict_and_not_merged():
    (found,) = compare(
        state({"a": 1}), state({"a": 2}), state({"a": 1, "b": 1}, Kind.MODE), first_join=False
    )  # fmt: skip
    assert (found.verdict, found.merged) == (Verdict.CONFLICT, ABSENT)


SPECIAL = {
    "two places": ({"command": "C:\\a\\x.exe"}, {"command": "/usr/bin/x"}, True),
    "two tokens": ("${home}/a", "${workspace:b}/c", True),
    "a switch with a place": (["--root=/srv/a"], ["--root=/srv/b"], True),
    "two switches": (["--root=/srv/a"], ["--base=/srv/b"], False),
    "its own name": ("notes of pc-1", "notes of pc-2", False),  # only one of the two machines is known here
    "a place and a value": ({"cwd": "/srv/a", "n": 1}, {"cwd": "/srv/b", "n": 2}, False),
    "two public hosts": ("https://a.example.org", "https://b.example.org", False),
    "two local ports": ("http://localhost:1", "http://localhost:2", True),
    "prose": ("/think step by step", "/think twice", False),
}


@pytest.mark.parametrize(("local", "wanted", "expected"), SPECIAL.values(), ids=SPECIAL)
def test_what_is_special_to_a_machine_is_seen(local, wanted, expected):
    (joined,) = compare({}, state(local), state(wanted), first_join=True, machine="pc-1")
    (drift,) = compare(state(wanted), state(local), state(wanted), first_join=False, machine="pc-1")
    assert joined.special is drift.special is expected


CHANGES = {
    "a leaf": ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [(("a", "c"), 2, 3)]),
    "a truth": ({"a": 1}, {"a": True}, [(("a",), 1, True)]),
    "comes and goes": ({"a": 1}, {"b": 1}, [(("a",), 1, ABSENT), (("b",), ABSENT, 1)]),
    "a type": ({"a": [1]}, {"a": {"0": 1}}, [(("a",), [1], {"0": 1})]),
    "elements of a set": ({"alwaysAllow": ["a", "b"]}, {"alwaysAllow": ["c", "a"]},
        [(("alwaysAllow", "b"), "b", ABSENT), (("alwaysAllow", "c"), ABSENT, "c")]),
    "a group gets options": ({"groups": ["read", "edit"]}, {"groups": [["edit", {"fileRegex": "x"}], "read"]},
        [(("groups", "edit"), "edit", ["edit", {"fileRegex": "x"}])]),
    "one mode of a list": ({"customModes": [{"slug": "a", "n": 1}, {"slug": "b"}]},
        {"customModes": [{"slug": "b"}, {"slug": "a", "n": 2}]}, [(("customModes", "a", "n"), 1, 2)]),
    "a list is one leaf": ({"args": ["a", "b"]}, {"args": ["b", "a"]}, [(("args",), ["a", "b"], ["b", "a"])]),
    "the whole": ("a", "b", [((), "a", "b")]),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "expected"), CHANGES.values(), ids=CHANGES)
def test_changes(before, after, expected):
    assert changes(before, after) == [Change(path=p, before=b, after=a) for p, b, a in expected]


def test_a_long_list_in_another_order_shows_the_true_changes_only():
    before = [{"slug": f"mode-{n}", "name": str(n), "groups": ["read", "edit"]} for n in range(10_000)]
    after = [dict(mode) for mode in before]
    for mode in after[::300]:
        mode["name"] += " new"
    random.Random(1).shuffle(after)
    found = changes(before, after, Kind.SETTING, "roo.profiles/customModes")
    assert len(found) == 34
    assert {change.path[1] for change in found} == {"name"}


LEAVES = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]) | st.just(1.0)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "groups", "alwaysAllow"]), inner, max_size=3)
    ),
    max_leaves=8,
)
STATES = st.dictionaries(st.sampled_from(["t/a", "t/b", "u/a"]), TREES, max_size=3)


def entities(values):
    return {key: Entity(key=key, kind=Kind.SETTING, value=value) for key, value in values.items()}


@settings(max_examples=200)
@given(STATES, STATES, STATES, st.frozensets(st.sampled_from(["t/a", "u/a"])), st.booleans())
def test_it_never_fails_and_does_not_depend_on_order(base, local, baseline, removed, first_join):
    found = compare(*map(entities, (base, local, baseline)), removed=removed, first_join=first_join)
    turned = [dict(reversed(values.items())) for values in (base, local, baseline)]
    assert compare(*map(entities, turned), removed=removed, first_join=first_join) == found
    assert [d.key for d in found] == sorted({d.key for d in found})
    in_step = compare(*map(entities, (local, local, local)), first_join=first_join)
    assert all(first_join and d.verdict is Verdict.ADOPT for d in in_step)


@settings(max_examples=300)
@given(TREES, TREES)
def test_no_change_means_equal(a, b):
    one, other = (Entity(key=KEY, kind=Kind.SETTING, value=v) for v in (a, json.loads(json.dumps(b))))
    assert (changes(a, b, Kind.SETTING, KEY) == []) is equal(one, other)
