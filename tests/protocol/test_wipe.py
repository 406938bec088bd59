"""What a person did passes; what is left of a broken file does not."""

import pytest

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.wipe import degraded


def servers(count, target="roo.mcp", kind=Kind.MCP_SERVER, start=0):
    value = "text\n" * 40 if kind is Kind.TEXT else {"command": "npx", "args": ["x" * 80]}
    keys = [f"{target}/s{i}" for i in range(start, count)]
    return {key: Entity(key=key, kind=kind, value=value) for key in keys}


def edited(entities, value):
    return {key: Entity(key=key, kind=e.kind, value=value) for key, e in entities.items()}


FILE = "roo.mcp/mcp_settings.json"
RULE = "roo.rules/rules/a.md"

ORDINARY = {  # before, sizes, after, sizes
    "nothing happened": (servers(5), {FILE: 900}, servers(5), {FILE: 900}),
    "one of two is removed": (servers(2), {FILE: 1200}, servers(1), {FILE: 600}),
    "the only one is removed": (servers(1), {FILE: 400}, {}, {FILE: 40}),
    "one of four is removed": (servers(4), {FILE: 900}, servers(3), {FILE: 700}),
    "two of ten are removed": (servers(10), {FILE: 4000}, servers(8), {FILE: 3200}),
    "one is removed and the last one edited": (
        servers(10), {FILE: 4000}, servers(8) | edited(servers(9, start=8), {"command": "uvx"}), {FILE: 3600}),
    "one is removed and another one made smaller": (
        servers(10), {FILE: 4000}, edited(servers(1), {"command": "npx"}) | servers(9, start=1), {FILE: 3500}),
    "the first is removed, and a member of the last one": (
        servers(10), {FILE: 4000}, servers(9, start=1) | edited(servers(10, start=9), {"command": "npx"}),
        {FILE: 3500}),
    "some were added": (servers(1), {FILE: 300}, servers(9), {FILE: 3000}),
    "a reformat makes the file small": (servers(5), {FILE: 4000}, servers(5), {FILE: 900}),
    "a small file shrank": (servers(1), {FILE: 500}, edited(servers(1), {"command": "x"}), {FILE: 90}),
    "another file, without entities of ours": (servers(2), {FILE: 900, "roo.mcp/b": 900}, servers(2), {FILE: 900}),
    "one rule file of ten is removed": (
        servers(10, "roo.rules", Kind.TEXT), {RULE: 200}, servers(10, "roo.rules", Kind.TEXT, start=1), {}),
    "a rule becomes a word": (
        servers(1, "roo.rules", Kind.TEXT), {"roo.rules/s0": 200}, edited(servers(1, "roo.rules", Kind.TEXT), "no\n"),
        {"roo.rules/s0": 3}),
    "a text was empty before": (
        edited(servers(2, "roo.rules", Kind.TEXT), ""), {"roo.rules/s0": 0, "roo.rules/s1": 0},
        edited(servers(2, "roo.rules", Kind.TEXT), "") | edited(servers(1, "roo.rules", Kind.TEXT), "new\n"),
        {"roo.rules/s0": 4, "roo.rules/s1": 0}),
    "the first look": (None, {}, {}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("before", "sizes", "after", "now"), ORDINARY.values(), ids=ORDINARY)
def test_ordinary_work_passes(before, sizes, after, now):
    assert degraded(before, sizes, after, now) == {}


SUSPECT = {  # before, sizes, after, sizes -> words of the reason
    "all of five": (servers(5), {FILE: 900}, {}, {FILE: 20}, "5 of 5 entities are gone"),
    "all of two": (servers(2), {FILE: 400}, {}, {FILE: 20}, "2 of 2 entities are gone"),
    "one of three": (servers(3), {}, servers(2), {}, "1 of 3 entities are gone at once: s2"),
    "three of a hundred": (servers(100), {}, servers(97), {}, "3 of 100"),
    "three renamed": (servers(9), {}, servers(12, start=3), {}, "3 of 9"),
    "the file with the only one vanished": (servers(1), {FILE: 200}, {}, {}, f"{FILE} is gone"),
    "values cut short": (
        servers(2), {FILE: 2000}, edited(servers(2), {"command": ""}), {FILE: 900}, "900 bytes where about 2000"),
    "a server gone and the other cut": (
        servers(2), {FILE: 4000}, edited(servers(1), {"command": ""}), {FILE: 900}, "900 bytes where about 2000"),
    "half a rule": (
        servers(1, "roo.rules", Kind.TEXT), {RULE: 5000}, edited(servers(1, "roo.rules", Kind.TEXT), "t"), {RULE: 1},
        "1 bytes where about 5000"),
    "the only one, and nothing else is left": (servers(1), {FILE: 400}, {}, {FILE: 3}, f"{FILE} is empty"),
    "zero bytes": (servers(1), {FILE: 400}, {}, {FILE: 0}, f"{FILE} is empty"),
    "an emptied rule": (
        servers(9, "roo.rules", Kind.TEXT), {"roo.rules/s0": 200},
        servers(9, "roo.rules", Kind.TEXT) | edited(servers(1, "roo.rules", Kind.TEXT), ""), {"roo.rules/s0": 0},
        "roo.rules/s0 is empty"),
    "two of ten, and the last one cut": (
        servers(10), {FILE: 4000}, servers(7) | edited(servers(8, start=7), {"command": "np", "args": None}),
        {FILE: 3000}, "the file ends in the middle of s7, and 2 of 10 entities are gone"),
    "all rules": (servers(3, "roo.rules", Kind.TEXT), {RULE: 200}, {}, {}, "3 of 3"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "sizes", "after", "now", "words"), SUSPECT.values(), ids=SUSPECT)
def test_what_broke_is_held_back_with_the_reason(before, sizes, after, now, words):
    found = degraded(before, sizes, after, now)
    (target,) = {key.split("/")[0] for key in before}
    assert list(found) == [target]
    assert words in found[target]


def test_a_file_that_does_not_parse_is_held_back_even_at_the_first_look():
    found = degraded(None, {}, {}, {FILE: 12}, unreadable={FILE: "line 1: expected a value"})
    assert found == {"roo.mcp": f"{FILE} can not be read: line 1: expected a value"}


def test_one_broken_target_does_not_hold_back_the_others():
    before = servers(4) | servers(4, "claude.mcp")
    assert list(degraded(before, {}, servers(4), {})) == ["claude.mcp"]


def test_what_was_decided_is_no_loss():
    before, gone = servers(4), frozenset(servers(4))
    assert degraded(before, {FILE: 900}, {}, {}, approved=gone) == {}
    assert degraded(before, {FILE: 900}, {}, {FILE: 3}, approved=gone) == {}
    assert degraded(before, {FILE: 900}, {}, {}, approved=gone - {"roo.mcp/s0"}) == {"roo.mcp": f"{FILE} is gone"}


def test_files_may_be_named_otherwise():
    found = degraded(servers(1), {"/home/u/x.json": 900}, {}, {}, owner=lambda path: "roo.mcp")
    assert found == {"roo.mcp": "/home/u/x.json is gone"}
