"""Two changes made one, or the place where they collide."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from roosync_protocol.digest import same
from roosync_protocol.entity import Kind
from roosync_protocol.merge import MAX_LINES, merge, merge_lines
from roosync_protocol.shapes import normal, root

KEY = "t/name"
COMMANDS = "roo.profiles/allowedCommands"

MERGES = {  # base, local, remote, key -> value
    "different leaves": ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3}, KEY, {"a": 2, "b": 3}),
    "deep": ({"m": {"a": 1, "b": 1}}, {"m": {"a": 2, "b": 1}}, {"m": {"a": 1}}, KEY, {"m": {"a": 2}}),
    "both the same": ({"a": 1}, {"a": 2}, {"a": 2}, KEY, {"a": 2}),
    "both add": ({}, {"a": 1}, {"b": 2}, KEY, {"a": 1, "b": 2}),
    "both delete": ({"a": 1, "b": 1}, {"b": 1}, {"b": 1}, KEY, {"b": 1}),
    "no base, no collision": (UNSET, {"a": 1, "c": 1}, {"b": 2, "c": 1}, KEY, {"a": 1, "c": 1, "b": 2}),
    "sets add and take away": (["a", "b"], ["a", "b", "c"], ["d", "a"], COMMANDS, ["a", "c", "d"]),
    "a set without a base": (UNSET, ["b", "a"], ["a", "c"], COMMANDS, ["b", "a", "c"]),
    "groups with options": (
        {"groups": ["read", "edit"]},
        {"groups": ["read", ["edit", {"fileRegex": "x"}]]},
        {"groups": ["read", "edit", "mcp"]},
        KEY,
        {"groups": ["read", ["edit", {"fileRegex": "x"}], "mcp"]},
    ),
    "modes by name": (
        [{"slug": "a", "n": 1}, {"slug": "b", "n": 1}],
        [{"slug": "b", "n": 2}, {"slug": "a", "n": 1}],
        [{"slug": "a", "n": 3}, {"slug": "b", "n": 1}, {"slug": "c"}],
        "roo.profiles/customModes",
        [{"slug": "b", "n": 2}, {"slug": "a", "n": 3}, {"slug": "c"}],
    ),
    "prose inside a mode": (
        {"customInstructions": "a\nb\nc\n"},
        {"customInstructions": "A\nb\nc\n"},
        {"customInstructions": "a\nb\nC\n"},
        KEY,
        {"customInstructions": "A\nb\nC\n"},
    ),
    "a list that only one changed": ({"args": ["a"]}, {"args": ["a"]}, {"args": ["b"]}, KEY, {"args": ["b"]}),
    "the spelling of a number is no change": ({"a": 1, "b": 1}, {"a": 1.0, "b": 2}, {"a": 3, "b": 1}, KEY,
        {"a": 3, "b": 2}),
}  # fmt: skip


@pytest.mark.parametrize(("base", "local", "remote", "key", "expected"), MERGES.values(), ids=MERGES)
def test_merges(base, local, remote, key, expected):
    result = merge(Kind.SETTING, base, local, remote, key)
    assert (result.value, result.conflicts) == (expected, ())


COLLISIONS = {  # base, local, remote -> places
    "one leaf": ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 3, "b": 4}, Kind.SETTING, (("a",),)),
    "a truth for a number": ({"a": 0}, {"a": 1}, {"a": True}, Kind.SETTING, (("a",),)),
    "deleted and changed": ({"a": 1}, {}, {"a": 2}, Kind.SETTING, (("a",),)),
    "changed and deleted": ({"a": {"b": 1}}, {"a": {"b": 2}}, {}, Kind.SETTING, (("a",),)),
    "arguments": ({"args": ["a"]}, {"args": ["a", "b"]}, {"args": ["c", "a"]}, Kind.SETTING, (("args",),)),
    "types": ({"a": 1}, {"a": [1]}, {"a": {"b": 1}}, Kind.SETTING, (("a",),)),
    "no base": (UNSET, {"a": 1}, {"a": 2}, Kind.SETTING, (("a",),)),
    "one option of one group": ({"groups": ["edit"]}, {"groups": [["edit", {"fileRegex": "a"}]]},
        {"groups": [["edit", {"fileRegex": "b"}]]}, Kind.MODE, (("groups", "edit"),)),
    "two modes of one name": ({"customModes": [{"slug": "a"}]}, {"customModes": [{"slug": "a"}, {"slug": "a"}]},
        {"customModes": []}, Kind.SETTING, (("customModes",),)),
    "a command is no prose": ({"command": "a\nb\n"}, {"command": "A\nb\n"}, {"command": "a\nB\n"}, Kind.MODE,
        (("command",),)),
    "an MCP server is one atom": ({"command": "a", "env": {}}, {"command": "b", "env": {}},
        {"command": "a", "env": {"X": "1"}}, Kind.MCP_SERVER, ((),)),
    "an MCP server without a base": (UNSET, {"command": "a"}, {"command": "a", "env": {}}, Kind.MCP_SERVER, ((),)),
}  # fmt: skip


@pytest.mark.parametrize(("base", "local", "remote", "kind", "places"), COLLISIONS.values(), ids=COLLISIONS)
def test_collisions_name_the_place(base, local, remote, kind, places):
    assert merge(kind, base, local, remote, KEY).conflicts == places


def test_an_mcp_server_that_only_one_side_changed_is_taken_whole():
    base, changed = {"command": "a", "env": {"A": "1"}}, {"command": "b"}
    assert merge(Kind.MCP_SERVER, base, base, changed).value == changed
    assert merge(Kind.MCP_SERVER, base, changed, dict(reversed(base.items()))).value == changed


PROFILE = {"openAiBaseUrl": "https://a", "openAiModelId": "a", "openAiApiKey": {"$secret": "x"}}


@pytest.mark.parametrize("dotted", [True, False])
def test_an_api_profile_is_one_piece_too(dotted):
    sides = [PROFILE, PROFILE | {"openAiBaseUrl": "https://b"}, PROFILE | {"openAiModelId": "b"}]
    key = "roo.profiles/apiConfigs.gemini-2.5" if dotted else "roo.profiles/apiConfigs"
    values = sides if dotted else [{"gemini-2.5": side, "other": {"x": 1}} for side in sides]
    assert merge(Kind.SETTING, *values, key).conflicts == ((() if dotted else ("gemini-2.5",)),)
    assert merge(Kind.SETTING, values[0], values[0], values[1], key).value == values[1]


LINES = {  # base, local, remote -> merged
    "apart": ("1\n2\n3\n4\n5\n", "one\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n", "one\n2\n3\n4\nfive\n"),
    "both the same": ("1\n2\n", "1\nx\n", "1\nx\n", "1\nx\n"),
    "the same beside another": ("1\n2\n3\n", "x\n2\n3\n", "x\n2\ny\n", "x\n2\ny\n"),
    "insert and append": ("1\n2\n", "0\n1\n2\n", "1\n2\n3\n", "0\n1\n2\n3\n"),
    "delete and change": ("1\n2\n3\n4\n", "1\n3\n4\n", "1\n2\n3\nfour\n", "1\n3\nfour\n"),
    "no line end at the end": ("1\n2\n3", "one\n2\n3", "1\n2\nthree", "one\n2\nthree"),
    "the same line": ("1\n2\n3\n", "1\na\n3\n", "1\nb\n3\n", None),
    "neighbours touch": ("1\n2\n", "one\n2\n", "1\ntwo\n", None),
    "two additions at one place": ("1\n", "1\na\n", "1\nb\n", None),
    "change in what went": ("1\n2\n3\n", "1\n3\n", "1\ntwo\n3\n", None),
    "nothing in common": ("", "a", "b", None),
    "other line ends on one side": ("1\n2\n3\n", "1\r\n2\r\n3\r\n", "1\n2\nthree\n", "1\r\n2\r\nthree\r\n"),
    "lines end as one side has them": ("1\r\n2\r\n3", "1\n2\n3", "1\r\n2\r\nthree", "1\n2\nthree"),
    "a line end at the end, and a line before": ("1\n2\n3", "1\n2\n3\n", "one\n2\n3", "one\n2\n3\n"),
    "no line end at the end any more": ("1\n2\n3\n", "1\n2\n3", "one\n2\n3\n", "one\n2\n3"),
    "an addition behind a last line without an end": ("1\n2\n3", "1\n2\n3\n4\n", "one\n2\n3", "one\n2\n3\n4\n"),
    "one side empties it": ("1\n2\n3\n", "", "1\n2\nthree\n", None),
    "both sides empty it": ("1\n2\n", "", "", ""),
    "blank lines": ("\n\n1\n", "\n\n\n1\n", "\n\n1\n2\n", "\n\n\n1\n2\n"),
    "other line separators are text": ("a\u2028b\n1\n2\n", "a\u2028B\n1\n2\n", "a\u2028b\n1\nx\n", "a\u2028B\n1\nx\n"),
}


@pytest.mark.parametrize(("base", "local", "remote", "expected"), LINES.values(), ids=LINES)
def test_prose_merges_by_lines(base, local, remote, expected):
    assert merge_lines(base, local, remote) == merge_lines(base, remote, local) == expected
    result = merge(Kind.TEXT, base, local, remote, "roo.rules/a.md")
    assert (result.value, result.conflicts) == ((local, ((),)) if expected is None else (expected, ()))


def test_endless_prose_is_asked_about_rather_than_merged():
    long = "a\n" * (MAX_LINES + 1)
    assert merge_lines(long, "b\n" + long, long + "c\n") is None


HOSTILE = {  # texts whose lines repeat: the matcher is quadratic in them
    "one line, many times": ("a\n" * 20_000, "b\n" + "a\n" * 19_999, "a\n" * 19_999 + "c\n"),
    "two lines in turn": ("a\nb\n" * 10_000, "b\na\n" * 10_000, "a\nb\nb\n" * 6_000),
    "nothing is left": ("".join(f"{n}\n" for n in range(20_000)), "x\n" * 20_000, "y\n" * 20_000),
}


@pytest.mark.parametrize(("base", "local", "remote"), HOSTILE.values(), ids=HOSTILE)
def test_no_text_takes_long(base, local, remote):
    start = time.process_time()
    merge_lines(base, local, remote)
    assert time.process_time() - start < 2


def test_a_long_text_with_a_small_change_on_each_side_merges():
    """Also when its lines repeat, so that the matcher could not be asked about the whole."""
    lines = [f"line {n % 50}\n" for n in range(20_000)]
    local, remote = [*lines[:-1], "end\n"], lines[1:]
    assert merge_lines(*map("".join, (lines, local, remote))) == "".join(local[1:])


UNKNOWN = {"slug": "a", "x-unknown": {"deep": [1, {"y": None}]}, "name": "A"}


def test_a_field_nobody_knows_passes_untouched():
    changed = UNKNOWN | {"name": "B"}
    for base in (UNKNOWN, UNSET):
        result = merge(Kind.MODE, base, UNKNOWN if base is not UNSET else changed, changed, "roo.modes/a")
        assert (result.value, result.conflicts) == (changed, ())
    more = merge(Kind.MODE, UNKNOWN, UNKNOWN | {"z": 1}, changed, "roo.modes/a")
    assert more.value == UNKNOWN | {"z": 1, "name": "B"}


def test_an_edit_keeps_the_local_order_and_puts_what_is_new_behind():
    local = [{"slug": "c"}, {"slug": "a", "n": 1}, {"slug": "b"}]
    base = sorted(local, key=lambda mode: mode["slug"])
    wanted = [{"slug": "d"}, {"slug": "a", "n": 2}, {"slug": "b"}, {"slug": "c"}]
    result = merge(Kind.SETTING, base, local, wanted, "roo.profiles/customModes")
    assert [mode["slug"] for mode in result.value] == ["c", "a", "b", "d"]
    assert result.value[1] == {"slug": "a", "n": 2}


def test_ten_thousand_modes_merge_in_no_time():
    base = [{"slug": f"mode-{n}", "n": n, "groups": ["read", "edit"]} for n in range(10_000)]
    local = [mode | {"x": 1} if n % 7 == 0 else mode for n, mode in enumerate(base)]
    remote = [mode | {"y": 1} if n % 5 == 0 else mode for n, mode in reversed(list(enumerate(base)))]
    start = time.process_time()
    result = merge(Kind.SETTING, base, local, remote, "roo.profiles/customModes")
    assert time.process_time() - start < 2
    assert result.conflicts == ()
    assert [mode["slug"] for mode in result.value] == [mode["slug"] for mode in base]
    assert result.value[0] == {"slug": "mode-0", "n": 0, "groups": ["read", "edit"], "x": 1, "y": 1}


LEAVES = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "b"]) | st.just(1.0)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "groups", "alwaysAllow"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def equal(a, b):
    path = root(Kind.SETTING, KEY)
    return same(normal(path, a), normal(path, b))


@settings(max_examples=300)
@given(TREES, TREES, st.sampled_from(list(Kind)))
def test_whoever_moved_alone_wins(base, changed, kind):
    """Up to the soft order of lists, taking and keeping are exact."""
    taken, kept = merge(kind, base, base, changed, KEY), merge(kind, base, changed, base, KEY)
    both = merge(kind, base, changed, changed, KEY)
    assert taken.conflicts == kept.conflicts == both.conflicts == ()
    assert all(equal(result.value, changed) for result in (taken, kept, both))


@settings(max_examples=300)
@given(TREES | st.just(UNSET), TREES, TREES)
def test_the_sides_may_be_exchanged(base, local, remote):
    one, other = merge(Kind.SETTING, base, local, remote, KEY), merge(Kind.SETTING, base, remote, local, KEY)
    assert set(one.conflicts) == set(other.conflicts)
    if not one.conflicts:
        assert equal(one.value, other.value)


@settings(max_examples=200)
@given(*[st.lists(st.sampled_from(["a", "b", "", "\n", "\r\n", "c\n", "\r"]), max_size=9).map("".join)] * 2)
def test_lines_of_one_side_alone_always_merge(base, changed):
    assert merge_lines(base, changed, base) == merge_lines(base, base, changed) == changed
