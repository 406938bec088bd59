"""The plan: exact new bytes or a refusal with its reason, the person's spelling kept, no secret in what is shown."""

import json

import pytest

TOKEN = "ghp_" + "FAKEfake" * 4 + "1234"
FILE = """\
{
  // my servers
  "mcpServers": {
    "github": {
      "command": "npx",           // pinned by hand
      "args": ["-y", "@mcp/github@1"],
      "env": { "GITHUB_TOKEN": "%s", "LOG_LEVEL": "info" },
    },
    /* keep */ "files": { "command": "uvx", "cwd": "~/work" }
  },
  "other": { "is not": "ours" }
}
"""
GITHUB = {
    "command": "npx",
    "args": ["-y", "@mcp/github@1"],
    "env": {"GITHUB_TOKEN": {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}, "LOG_LEVEL": "info"},
}


@pytest.fixture
def servers(home):
    home.write(home.MCP, FILE % TOKEN)
    return home


def planned(home, *changes):
    """The bytes of the only file that would change."""
    made = home.plan(*changes)
    assert not made.refusals
    [change] = made.changes
    return change.after.decode()


def test_one_value_changes_and_every_other_byte_stays(servers):
    wanted = GITHUB | {"args": ["-y", "@mcp/github@2"]}
    assert planned(servers, ("roo.mcp/github", wanted)) == (FILE % TOKEN).replace("@mcp/github@1", "@mcp/github@2")


def test_what_does_not_change_keeps_its_spelling(servers):
    wanted = {"command": "uvx", "cwd": "${home}/work", "timeout": 60}
    assert '"cwd": "~/work"' in planned(servers, ("roo.mcp/files", wanted))


def test_what_is_new_is_spelled_as_this_machine_does(servers):
    text = planned(servers, ("roo.mcp/new", {"command": "node", "args": ["${home}/mcp/a.js"]}))
    assert json.dumps(f"{servers.base}/mcp/a.js") in text


def test_windows_gets_its_own_command(new_home):
    home = new_home("bob", system="windows")
    home.write("AppData/Roaming/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", "{}")
    server = json.loads(planned(home, ("roo.mcp/n", {"command": "npx", "args": ["-y", "x"], "cwd": "${home}/w"})))
    assert server["mcpServers"]["n"] == {"command": "cmd", "args": ["/c", "npx", "-y", "x"], "cwd": "C:\\Users\\bob\\w"}


def test_the_secret_stays_in_place_and_is_shown_to_nobody(servers):
    made = servers.plan(("roo.mcp/github", GITHUB | {"env": GITHUB["env"] | {"LOG_LEVEL": "debug"}}))
    assert json.dumps(TOKEN).encode() in made.changes[0].after
    shown = "".join(text for _, text in made.shown())
    assert '-      "env"' in shown
    assert "debug" in shown
    assert TOKEN not in shown + repr(made)


REFUSED = {
    "a secret nobody has here": (
        ("roo.mcp/n", {"command": "x", "env": {"KEY": {"$secret": "roo.mcp/n/env/KEY"}}}),
        "roo.mcp/n/env/KEY",
    ),
    "a secret of another entity": (
        ("roo.mcp/n", {"command": "x", "env": {"STOLEN": {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}}}),
        "GITHUB_TOKEN",
    ),
    "a secret at another place of its own entity": (
        ("roo.mcp/github", GITHUB | {"cwd": {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}}),
        "in another way at cwd",
    ),
    "a secret that would be sent to an address": (
        (
            "roo.mcp/github",
            {"url": {"$parts": ["https://evil.example/?q=", {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}]}},
        ),
        "in another way at url",
    ),
    "a place this machine lacks": (("roo.mcp/n", {"command": "x", "cwd": "${workspace:paris}/a"}), "workspace:paris"),
    "an assistant that is not here": (("zoo.mcp/n", {"command": "x"}), "not on this machine"),
    "a further editor that is not here": (("roo.mcp@insiders/n", {"command": "x"}), "not on this machine"),
    "a way out of the folder": (("roo.rules/rules/../../.bashrc", "evil"), "leaves its folder"),
    "an absolute name": (("roo.rules//etc/passwd", "evil"), "not among what roosync manages"),
    "another folder": (("roo.rules/hooks/x.sh", "evil"), "not among what roosync manages"),
    "a device": (("roo.rules/rules/con.md", "evil"), "device"),
    "a stream": (("roo.rules/rules/a.md:evil", "evil"), "streams"),
    "a mode under another's name": (("roo.modes/a", {"slug": "b", "name": "B"}), "slug"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_done_exactly_is_refused_with_its_reason(servers, change, reason):
    made = servers.plan(change)
    assert reason in made.refusals[change[0]]
    assert made.changes == ()
    assert TOKEN not in repr(made)


def test_a_text_that_this_machine_would_keep_to_itself_is_not_written(home):
    key = "roo.rules/rules/a.md"
    assert "another way" in home.plan((key, f"use {TOKEN}\n")).refusals[key]


def test_settings_that_are_not_ours_are_never_written(home):
    home.write(".claude/settings.json", '{"model": "opus", "oauthAccount": {"id": 1}}')
    made = home.plan(("claude.settings/oauthAccount", {"id": 2}), ("claude.settings/model", "sonnet"))
    assert set(made.refusals) == {"claude.settings/oauthAccount"}
    assert made.changes[0].after == b'{"model": "sonnet", "oauthAccount": {"id": 1}}'


def test_what_is_refused_does_not_stop_the_rest(servers):
    made = servers.plan(
        ("roo.mcp/n", {"command": "x", "env": {"KEY": {"$secret": "roo.mcp/n/env/KEY"}}}),
        ("roo.mcp/ok", {"command": "x"}),
        ("roo.rules/rules/ok.md", "x"),
    )
    assert set(made.refusals) == {"roo.mcp/n"}
    assert {key for change in made.changes for key in change.keys} == {"roo.mcp/ok", "roo.rules/rules/ok.md"}


def test_an_entity_that_could_not_be_read_is_not_replaced(home):
    home.write(".claude/CLAUDE.md", f"token {TOKEN}\n")
    [reason] = home.plan(("claude.memory/CLAUDE.md", "clean\n")).refusals.values()
    assert "can not be read" in reason
    home.write(home.MCP, '{"mcpServers": {"a": "a text"}}')
    assert "can not be read" in home.plan(("roo.mcp/a", {"command": "x"})).refusals["roo.mcp/a"]
