"""What fits together is put together; what does not is named leaf by leaf, with a pick and a reason."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from roosync_protocol.consolidation import votes
from roosync_protocol.consolidation.arbitration import question
from roosync_protocol.consolidation.together import OWN, UNION, together
from roosync_protocol.entity import Entity, Kind

T0 = datetime(2026, 1, 16, tzinfo=UTC)


def put(key, *values, kind=Kind.SETTING):
    """The values of pc-1, pc-2 ...; each was collected an hour after the one before."""
    held = {f"pc-{n}": Entity(key=key, kind=kind, value=value) for n, value in enumerate(values, 1)}
    groups = votes.groups(held, {machine: T0 + timedelta(hours=n) for n, machine in enumerate(held)})
    return together(key, groups)


FIT = {  # key, values -> the one value
    "one more leaf each": ("roo.profiles/experiments", [{"a": 1, "b": 2}, {"a": 1, "c": 3}], {"a": 1, "c": 3, "b": 2}),
    "deeper": ("roo.profiles/x", [{"m": {"a": 1}}, {"m": {"b": 1}, "n": 1}], {"m": {"b": 1, "a": 1}, "n": 1}),
    "numbers spelled in two ways": ("roo.profiles/x", [{"a": 1, "b": 1}, {"a": 1.0}], {"a": 1, "b": 1}),
    "a leaf of two of three": ("roo.profiles/x", [{"a": 1}, {"a": 1}, {"b": 1, "a": 1}, {"b": 1, "a": 1, "c": []}],
        None),
    "modes of a list": ("roo.profiles/customModes", [[{"slug": "a"}], [{"slug": "b"}]], [{"slug": "b"}, {"slug": "a"}]),
    "dots and slashes": ("roo.profiles/x", [{"a.b/c": 1}, {"😀": 1, "": 2}], {"😀": 1, "": 2, "a.b/c": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("key", "values", "expected"), FIT.values(), ids=FIT)
def test_what_fits_together(key, values, expected):
    made = put(key, *values)
    if expected is None:
        assert [d.path for d in made.disputes] == [("b",), ("c",)]  # on two of four, on one of four
    else:
        assert (made.entity.value, made.disputes, made.minor) == (expected, (), True)


QDRANT, EXPERIMENTS = "roo.profiles/codebaseIndexConfig", "roo.profiles/experiments"
DISPUTES = {  # key, values -> path, the pick's value, words of the reason, of low risk
    "the newest": (EXPERIMENTS, [{"x": True}, {"x": False}], ("x",), False, "pc-2 was collected last", False),
    "the majority": (EXPERIMENTS, [{"x": 1, "y": 1}, {"x": 1}, {"x": 2}], ("x",), 1, "2 of 3 machines", False),
    "more careful": ("roo.profiles/alwaysAllowExecute", [False, True], (), False, "the careful one", False),
    "encrypted": (QDRANT, [{"codebaseIndexQdrantUrl": "https://a"}, {"codebaseIndexQdrantUrl": "http://a"}],
        ("codebaseIndexQdrantUrl",), "https://a", "the careful one", False),
    "no weight": ("roo.profiles/maxWorkspaceFiles", [105, 106], (), 106, "collected last", True),
    "a truth is no number": ("roo.profiles/maxWorkspaceFiles", [1, True], (), True, "collected last", False),
    "a text is no number": ("roo.profiles/maxWorkspaceFiles", [1, "1"], (), "1", "collected last", False),
    "a place of one user": ("roo.profiles/notes", ["/home/a/x", "plain"], (), "plain", "last", False),
    "a map and a list": ("roo.profiles/x", [{"a": 1}, ["a"]], (), ["a"], "collected last", False),
    "on a minority": (EXPERIMENTS, [{}, {}, {"x": 1}], ("x",), UNSET, "2 of 3 machines", False),
    "a path that one has": (EXPERIMENTS, [{"a": 1}, {"a": 1, "x": "/home/a"}], ("x",), "/home/a", "last", False),
}  # fmt: skip


@pytest.mark.parametrize(("key", "values", "path", "picked", "words", "minor"), DISPUTES.values(), ids=DISPUTES)
def test_what_does_not(key, values, path, picked, words, minor):
    made = put(key, *values)
    dispute = next(d for d in made.disputes if d.path == path)
    assert type(dispute.sides[dispute.pick].value) is type(picked)
    assert dispute.sides[dispute.pick].value == picked
    assert words in dispute.why
    assert made.minor is minor
    assert sorted(m for side in dispute.sides for m in side.machines) == [f"pc-{n + 1}" for n in range(len(values))]


HOOK = {"Stop": [{"hooks": [{"command": "ok"}]}]}
GRAVE = {  # what the machine that published last has beside the others: key, values
    "another host": (QDRANT, [{"codebaseIndexQdrantUrl": "https://a"}, {"codebaseIndexQdrantUrl": "http://b"}]),
    "a profile's address": ("roo.profiles/apiConfigs.a", [{"openAiBaseUrl": "https://a"}, {"openAiBaseUrl": "https://b"}]),
    "another hook": ("claude.settings/hooks", [HOOK, {"Stop": [{"hooks": [{"command": "x"}]}]}]),
    "a hook more": ("claude.settings/hooks", [HOOK, HOOK | {"PreToolUse": [{"hooks": [{"command": "x"}]}]}]),
    "everything allowed": ("claude.settings/permissions", [{"deny": ["a"]}, {"deny": ["a"], "allow": ["Bash(*)"]}]),
    "no question any more": ("claude.settings/permissions", [{}, {"defaultMode": "bypassPermissions"}]),
    "where prompts go": ("claude.settings/env", [{"A": "1"}, {"A": "1", "ANTHROPIC_BASE_URL": "https://x"}]),
}  # fmt: skip


@pytest.mark.parametrize(("key", "values"), GRAVE.values(), ids=GRAVE)
def test_whoever_publishes_last_decides_nothing_grave(key, values):
    made = put(key, *values)
    (dispute,) = made.disputes
    assert not made.minor
    assert dispute.pick == OWN or "pc-2" not in dispute.sides[dispute.pick].machines
    if dispute.path and any(side.value is UNSET for side in dispute.sides):
        assert made.entity.value == values[0]
    held = {f"pc-{n}": Entity(key=key, kind=Kind.SETTING, value=value) for n, value in enumerate(values, 1)}
    groups = votes.groups(held, {"pc-1": T0, "pc-2": T0 + timedelta(days=20_000)})
    asked = question(key, groups, (), {}).suggestion
    assert (asked.take, asked.machine) in (("special", None), ("machine", "pc-1"))


SETS = {  # key, values -> pick, elements of all, shared
    "what is forbidden": ("roo.profiles/deniedCommands", [["a", "b"], ["b", "c"]], UNION, {"a", "b", "c"}, 1),
    "what is allowed": ("roo.profiles/allowedCommands", [["a", "b"], ["b", "c"]], OWN, {"a", "b", "c"}, 1),
    "less is allowed": ("roo.profiles/allowedCommands", [["b"], ["b", "c"]], 1, {"b", "c"}, 1),
}


@pytest.mark.parametrize(("key", "values", "pick", "union", "shared"), SETS.values(), ids=SETS)
def test_sets_are_always_asked_about(key, values, pick, union, shared):
    made = put(key, *values)
    (dispute,) = made.disputes
    assert (dispute.pick, dispute.shared, set(made.entity.value)) == (pick, shared, union)
    assert {tuple(side.value) for side in dispute.sides} == {tuple(e for e in v if e != "b") for v in values}
    assert not made.minor


WHOLE = {
    "a server": ("roo.mcp/x", Kind.MCP_SERVER, ()),
    "a text": ("roo.rules/x", Kind.TEXT, ()),
    "a profile": ("roo.profiles/apiConfigs.gemini-2.5.pro", Kind.SETTING, ()),
    "a profile among others": ("roo.profiles/apiConfigs", Kind.SETTING, ("x",)),
    "a server in a setting": ("claude.settings/mcpServers", Kind.SETTING, ("x",)),
}


@pytest.mark.parametrize(("key", "kind", "path"), WHOLE.values(), ids=WHOLE)
def test_what_is_one_piece(key, kind, path):
    """The address of one with the key of another would be what nobody wrote."""
    values = [{"baseUrl": "https://a", "key": {"$secret": "x"}}, {"baseUrl": "https://b", "command": "b"}]
    placed = [{path[0]: value} if path else value for value in values]
    made = put(key, *placed, kind=kind)
    assert made.entity.value in placed
    assert [d.path for d in made.disputes] == [path]


def test_a_thousand_values_of_one_leaf_are_no_work():
    made = put("roo.profiles/experiments", *({"x": n, "y": 1} for n in range(1000)))
    (dispute,) = made.disputes
    assert (len(dispute.sides), made.entity.value["x"]) == (1000, 999)


LEAVES = st.sampled_from([1, True, "a", "/home/u/x", None, ["a"], ["b"]])
VALUES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(st.sampled_from(["a", "deniedCommands", "c"]), inner, max_size=3)
)


@settings(max_examples=200)
@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from(list(Kind)))
def test_it_never_fails_and_invents_no_leaf(values, kind):
    made = put("roo.profiles/x", *values, kind=kind)

    def leaves(value, path=()):
        if isinstance(value, dict) and value:
            return {leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))}
        if isinstance(value, list):
            return {(*path, element) for element in value} or {path}
        return {(*path, repr(value))}

    assert leaves(made.entity.value) <= {leaf for value in values for leaf in leaves(value)} | {()} | {
        path[:n] for value in values for path in leaves(value) for n in range(len(path))
    } | {(*path[:n], "{}") for value in values for path in leaves(value) for n in range(len(path))}
    if all(value == values[0] and repr(value) == repr(values[0]) for value in values):
        assert made.disputes == ()


@pytest.mark.parametrize(
    ("key", "kind", "values"),
    [
        ("roo.rules/x", Kind.TEXT, [f"prose {n}\n" + "a line of it\n" * 50_000 for n in range(8)]),
        ("roo.profiles/deniedCommands", Kind.SETTING, [[f"{n} {i}" for i in range(5_000)] for n in range(5)]),
        ("roo.profiles/experiments", Kind.SETTING, [{f"k{i}": i * n for i in range(2_000)} for n in range(5)]),
    ],
    ids=["texts", "sets", "leaves"],
)
def test_a_lot_is_not_judged_for_minutes(key, kind, values):
    start = time.process_time()
    made = put(key, *values, kind=kind)
    assert time.process_time() - start < 4
    assert not made.minor
