"""What an entity may do without asking, as it would stand; each word of the table is a word of the rules."""

import pytest

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.programs import STARTS
from roosync_protocol.risk.rules import RULES
from roosync_protocol.risk.unasked import MOST, WHY, unasked

S, M = Kind.SETTING, Kind.MCP_SERVER
CASES = {  # key, kind, before, after -> path, what is open, is it new
    "tools of a server": (
        "roo.mcp/a", M, {"alwaysAllow": ["read"]}, {"command": "x", "alwaysAllow": ["read", "write"], "trust": True},
        [("alwaysAllow", "read", False), ("alwaysAllow", "write", True), ("trust", True, True)],
    ),
    "a tool by its name": (
        "codex.mcp/a", M, None, {"tools": {"ask": {"approval_mode": "prompt"}, "run": {"approval_mode": "auto"}}},
        [("tools.run.approval_mode", "auto", True)],
    ),
    "permissions": (
        "claude.settings/permissions", S, {"allow": ["Read"]}, {"allow": ["Bash(*)"], "deny": ["Write"]},
        [("permissions.allow", "Bash(*)", True)],
    ),
    "a mode that asks": ("claude.settings/permissions", S, None, {"defaultMode": "plan"}, []),
    "a mode that does not": (
        "claude.settings/permissions", S, None, {"defaultMode": "bypassPermissions"},
        [("permissions.defaultMode", "bypassPermissions", True)],
    ),
    "a hook": ("claude.settings/hooks", S, {"A": [1]}, {"A": [1]}, [("hooks", {"A": [1]}, False)]),
    "a sandbox that is off": (
        "claude.settings/sandbox", S, None, {"enabled": False}, [("sandbox.enabled", False, True)],
    ),
    "nothing": ("claude.settings/model", S, None, "opus", []),
    "a mode": ("roo.modes/a", Kind.MODE, None, {"groups": ["edit"]}, []),
    "no map": ("roo.mcp/a", M, None, "x", []),
}  # fmt: skip


@pytest.mark.parametrize(("key", "kind", "before", "after", "found"), CASES.values(), ids=CASES)
def test_what_is_open(key, kind, before, after, found):
    told = unasked(Entity(key=key, kind=kind, value=after), before)
    assert [(one.path, one.what, one.new) for one in told] == found


def test_the_words_are_those_of_rules():
    assert {rule.why for rule in RULES} >= WHY | STARTS


def test_every_rule_that_is_about_asking_is_among_them():
    about = {rule.why for rule in RULES if "without asking" in rule.why or "by itself" in rule.why}
    assert about - WHY <= {"how long a question waits before it is answered by itself"}


def test_a_list_of_thousands_is_bounded():
    tools = [f"tool-{number}" for number in range(10_000)]
    entity = Entity(key="roo.mcp/a", kind=M, value={"alwaysAllow": tools})
    assert len(unasked(entity, {"alwaysAllow": tools})) == MOST
