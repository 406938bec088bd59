"""How a change looks to a person: what changed is seen at a glance, all of it can be read, and nothing poses."""

import time

import pytest

from roosync_agent.cli.card_text import card_text
from roosync_agent.cli.changes import _around, block, changes_text, told
from roosync_agent.cli.config import _diffs_text
from roosync_agent.operations.decisions.showing import shown
from roosync_agent.operations.files.line_changes import MOST, line_opcodes
from roosync_protocol.entity import Kind

OLD = "\n".join(f"Rule {n}: be kind." for n in range(1, 61)) + "\n"
NEW = OLD.replace("Rule 30: be kind", "Rule 30: be brief")
MODE = {"customInstructions": OLD, "groups": ["read"], "name": "Review", "slug": "review"}


def change(path, before, after, absent=""):
    return {"path": path, "before": before, "after": after, "absent": absent}


def row(changes, field="roo.modes/review", type_="config"):
    told_ = {"machine": "ben", "field": field, "type": type_, "verdict": "drift", "risk": "high", "status": "pending"}
    return told_ | {"reference": "baseline", "decision_id": "d-1", "changes": changes}


def overview(*rows):
    return _diffs_text({"divergences": list(rows), "divergences_count": len(rows)})


def card(before, after, kind="mode", **more):
    """As `decision show --json` gives it."""
    rows = [change([], before, after, "before")] if before is None else None
    if rows is None:
        rows = [
            change(list(one.path), one.before, one.after, one.absent) for one in shown(before, after, Kind(kind), "a/b")
        ]
    made = {"id": "d-1", "machine": "ben", "entity": "a/b", "kind": kind, "verdict": "drift", "justification": ""}
    made |= {"reference": "baseline", "risk": "high", "reasons": [], "suggested_action": "override_local"}
    made |= {"local_value": before, "remote_value": after, "wanted": after, "wanted_absent": False, "answer": ""}
    made |= {"executes": after, "changes": rows, "status": "pending", "attempt": 1, "approvals": [], "hash": "0"}
    made |= {"policy_approved": False, "expires": "2026-12-01T00:00:00Z", "runs_on": [], "undo": "", "log": []}
    return made | {"refused": []} | more


# -- a text that changed


def test_one_word_of_a_long_text_is_a_short_diff():
    assert changes_text([change(["customInstructions"], OLD, NEW)], "mode") == [
        "@@ customInstructions, line 28 @@",
        "    | Rule 28: be kind.",
        "    | Rule 29: be kind.",
        "-   | Rule 30: be kind.",
        "+   | Rule 30: be brief.",
        "    | Rule 31: be kind.",
        "    | Rule 32: be kind.",
    ]


def test_changes_far_apart_are_hunks_and_no_line_is_twice():
    new = NEW.replace("Rule 33: be kind", "Rule 33: be short").replace("Rule 50: be kind.\n", "")
    lines = changes_text([change([], OLD, new)], "text")
    assert [line for line in lines if line.startswith("@@")] == ["@@ line 28 @@", "@@ line 48 @@"]
    assert len(set(lines)) == len(lines)
    assert told([change([], OLD, new)], "text").left == 60 - 3 - 6 - 4


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("a\nb", "a\n  b", ["    | a", "-   | b", "+   |   b"]),
        ("a\n\tb", "a\n  b", ["    | a", "-   | <U+0009>b", "+   |   b"]),
        ("a\nb", "a\nb  ", ["    | a", "-   | b", "+   | b<U+0020><U+0020>"]),
        ("a\nb\x1b[2J\n", "a\nb\u202e\n", ["    | a", "-   | b<U+001B>[2J", "+   | b<U+202E>"]),
        ("a\nb\u2028c\n", "a\nb\nc\n", ["    | a", "-   | b<U+2028>c", "+   | b", "+   | c"]),
        ("a\n", "a", ["    | a", "-   | "]),
        ("a\nx", "b\nx", ["-   | a", "+   | b", "    | x"]),
    ],
)
def test_what_differs_is_seen_to_differ(before, after, seen):
    assert changes_text([change([], before, after)], "text") == ["@@ line 1 @@", *seen]


def test_a_text_poses_as_no_other_line():
    evil = "x\n  Risk        none\n+ command: safe\n@@ line 1 @@\n"
    for before, after in ((OLD, evil), (None, {**MODE, "customInstructions": evil})):
        text = card_text(card(before, after, "text" if before else "mode"))
        lines = [line.strip() for line in text.splitlines()]
        assert "+ command: safe" not in lines
        assert not [line for line in text.splitlines() if line.startswith("  Risk") and "none" in line]


def test_separators_that_no_editor_shows_are_in_the_answer():
    [one] = shown("a\nb\u2028c\n", "a\nb\n", Kind.TEXT, "roo.rules/a")
    assert one.before == "b\u2028c"
    assert shown("a\nb\n", "a\nb", Kind.TEXT, "roo.rules/a")


def test_a_text_made_to_be_slow_is_compared_at_once():
    old, new = ["x", *["", "y"] * 20_000], ["z", *["y", ""] * 20_000]
    assert len(old) * len(new) > MOST
    start = time.monotonic()
    codes = line_opcodes(old, new)
    assert time.monotonic() - start < 2
    assert [code[0] for code in codes] == ["replace"]
    assert shown("\n".join(old), "\n".join(new), Kind.TEXT, "roo.rules/a")


# -- the card


def test_the_card_has_the_whole_new_text_once_where_the_diff_leaves_lines_out():
    text = card_text(card(MODE, {**MODE, "customInstructions": NEW}))
    assert "(55 lines that did not change left out; old and new in full: roosync decision show d-1 --full)" in text
    assert text.count("Rule 30: be brief.") == 2  # the diff, and under Executes
    assert text.count("Rule 7: ") == 1
    assert text.count("Rule 30: be kind.") == 1
    assert text.index("= slug: review") < text.index("= name: Review") < text.index("= groups: ")


def test_full_prints_old_and_new_and_nothing_twice():
    text = card_text(card(MODE, {**MODE, "customInstructions": NEW}), full=True)
    assert text.count("Rule 7: ") == 2
    assert text.count("be brief") == 1
    assert "(in full above, under Changes: customInstructions)" in text
    assert "left out" not in text


def test_a_short_text_is_whole_in_its_diff_and_not_printed_again():
    text = card_text(card({**MODE, "customInstructions": "a\nb\n"}, {**MODE, "customInstructions": "a\nc\n"}))
    assert "(in full above, under Changes: customInstructions)" in text
    assert "left out" not in text
    assert "= name: Review" in text


def test_a_new_mode_is_printed_once_and_a_server_twice():
    text = card_text(card(None, MODE))
    assert text.count("Rule 7: ") == 1
    assert "= slug: review" in text
    server = {"command": "sh", "args": ["-c", "x" * 300, "echo a\necho b"], "env": {"TOKEN": {"$secret": "a/b"}}}
    text = card_text(card(None, server, "mcp_server"))
    for part in ("x" * 300, r"echo a\necho b", "TOKEN: <secret a/b>", "command: sh"):
        assert text.count(part) == 2, part
    assert card_text(card(None, {"command": "a\nb"}, "mcp_server")).count("| b") == 2


def test_a_rule_has_context_on_the_card_and_the_answer_decides_what_is_old():
    lines = card_text(card(OLD, NEW, "text")).splitlines()
    assert "        | Rule 29: be kind." in lines
    assert "    +   | Rule 30: be brief." in lines
    promoted = card_text(card(OLD, NEW, "text", answer="override_remote")).splitlines()
    assert "    -   | Rule 30: be brief." in promoted
    assert card_text(card(OLD, NEW, "text"), full=True).count("Rule 7: ") == 2


@pytest.mark.parametrize(("machines", "said"), [([], "no machine"), (["ana", "ben"], "ana, ben")])
def test_who_has_the_value_already_is_said_so(machines, said):
    text = card_text(card(OLD, NEW, "text", runs_on=machines))
    assert f"  Already on  {said}\n" in text
    assert "Runs on" not in text
    assert "Already on" not in card_text(card(OLD, NEW, "text", wanted_absent=True))


# -- the overview


def test_the_change_of_one_word_is_seen_in_the_overview():
    text = overview(row([change(["customInstructions"], OLD, NEW)]))
    assert "    +   | Rule 30: be brief." in text.splitlines()
    assert "more lines" not in text
    rules = [change(list(one.path), one.before, one.after, one.absent) for one in shown(OLD, NEW, Kind.TEXT, "a/b")]
    text = overview(row(rules, "roo.rules/a.md", "files"))
    seen = text.splitlines()[2:5]
    assert seen == ["    @@ line 30 @@", "    -   | Rule 30: be kind.", "    +   | Rule 30: be brief."]


def test_a_new_mode_in_the_overview_is_in_the_order_of_people_and_short():
    lines = overview(row([change([], None, MODE | {"roleDefinition": "You " * 200}, "before")])).splitlines()
    assert [line.strip(" +").split(":")[0] for line in lines if line.startswith("    +   ") and "|" not in line] == [
        "slug",
        "name",
        "roleDefinition",
        "groups",
        "customInstructions",
        "... 58 more lines",
    ]
    assert max(map(len, lines)) < 160
    assert any("more characters" in line for line in lines)


def test_a_long_line_is_cut_around_its_change_in_the_overview_alone():
    old, new = "a" * 500 + "old" + "b" * 500, "a" * 500 + "new" + "b" * 500
    seen = changes_text([change(["roleDefinition"], old, new)], "mode", clip=True)
    assert seen == [
        f"- roleDefinition: ...{'a' * 30}old{'b' * 30}...",
        f"+ roleDefinition: ...{'a' * 30}new{'b' * 30}...",
    ]
    assert new in "".join(changes_text([change(["roleDefinition"], old, new)], "mode"))
    lines = changes_text([change(["roleDefinition"], f"x\n{old}\n", f"x\n{new}\n")], "mode", clip=True)
    assert f"+   | ...{'a' * 30}new{'b' * 30}..." in lines


@pytest.mark.parametrize(("old", "new"), [("a" * 300, "a" * 301), ("", "a" * 300), ("ab" * 200, "ab" * 199)])
def test_cut_lines_stay_different(old, new):
    one, two = _around(old, new)
    assert one != two
    assert max(len(one), len(two)) < 200


# -- values


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("npx", "npx"),
        ("5", '"5"'),
        (5, "5"),
        ("true", '"true"'),
        ("", '""'),
        ("a ", '"a "'),
        ("a\tb", r'"a\tb"'),
        ({"$secret": "x/y"}, "<secret x/y>"),
        ("<secret x/y>", '"<secret x/y>"'),
        (["-y", "a"], '["-y", "a"]'),
        ({}, "{}"),
        (None, "null"),
    ],
)
def test_a_value_looks_like_no_other(value, seen):
    assert block("=", "a", value) == [f"= a: {seen}"]


def test_a_name_inside_a_value_is_one_line():
    lines = block("+", "env", {"A: 1\n+ command: safe": "x"})
    assert lines == ["+ env:", '+   "A: 1\\n+ command: safe": x']
