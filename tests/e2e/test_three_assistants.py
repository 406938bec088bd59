"""Three homes with different assistants, in the manner of three systems, come into step from the command line.

    alpha   Linux     Roo Code, Claude Code
    beta    Windows   Roo Code, Cursor, Codex: `cmd /c npx`, back-slashes, CRLF, tabs, TOML
    gamma   macOS     Claude Code, Cursor, Gemini CLI: comments and trailing commas

What differs in spelling is no question; what differs in meaning is asked once, and nothing else is.
"""

import json
import tomllib

import pytest

ROO = "globalStorage/rooveterinaryinc.roo-cline/settings"
LINUX, WINDOWS = ".config/Code/User", "AppData/Roaming/Code/User"
TOKENS = {name: f"ghp_{digits}abcdefghijABCDEFGHIJ456789" for name, digits in
          {"alpha": "0123456789", "beta": "9876543210", "gamma": "5555566666"}.items()}  # fmt: skip
GITHUB = ["-y", "@modelcontextprotocol/server-github@1.2.0"]
FILES = ["-y", "@modelcontextprotocol/server-filesystem@1"]
DOCS = "https://docs.example.com/mcp"
MODES = (
    "customModes:\n  - slug: review\n    name: Review\n    roleDefinition: You review changes.\n    groups: [read]\n"
)
RULES, MEMORY = "# Rules\n\n- Be kind.\n", "# Memory\n\nAnswer in French.\n"


def github(machine, *, shell=False):
    started = {"command": "cmd", "args": ["/c", "npx", *GITHUB]} if shell else {"command": "npx", "args": GITHUB}
    return started | {"env": {"GITHUB_TOKEN": TOKENS[machine]}}


def lay_alpha(site):
    site.settings('[this_machine]\nos = "posix"\nhome_as = "/home/ana"\n')
    servers = {
        "github": github("alpha") | {"alwaysAllow": ["search_issues"]},
        "files": {"command": "npx", "args": [*FILES, "/home/ana/projects"]},
        "docs": {"type": "streamable-http", "url": DOCS, "headers": {"X-Team": "a"}},
    }
    site.write(f"{LINUX}/{ROO}/mcp_settings.json", json.dumps({"mcpServers": servers}, indent=2))
    site.write(f"{LINUX}/{ROO}/custom_modes.yaml", "# of the team\n" + MODES)
    site.write(".roo/rules/00-base.md", RULES)
    own = {"model": "opus", "permissions": {"allow": ["Bash(git status)", "Read"], "deny": ["Read(.env)"]}}
    site.write(".claude/settings.json", json.dumps(own, indent=2))
    state = {"userID": "u", "mcpServers": {"github": {"type": "stdio"} | github("alpha")}}
    site.write(".claude.json", json.dumps(state, indent=2))
    site.write(".claude/CLAUDE.md", MEMORY)


def lay_beta(site):
    site.settings('[this_machine]\nos = "windows"\nhome_as = "C:\\\\Users\\\\ben"\n')

    def crlf(text):
        return text.replace("\n", "\r\n")

    servers = {
        "github": github("beta", shell=True) | {"alwaysAllow": ["search_issues"], "disabled": False},
        "files": {"command": "cmd", "args": ["/c", "npx", *FILES, "C:\\Users\\ben\\projects"]},
    }
    site.write(f"{WINDOWS}/{ROO}/mcp_settings.json", crlf(json.dumps({"mcpServers": servers}, indent="\t") + "\n"))
    site.write(f"{WINDOWS}/{ROO}/custom_modes.yaml", crlf(MODES.replace("[read]", "\n      - read")))
    site.write(".roo/rules/00-base.md", crlf(RULES))
    site.write(".cursor/mcp.json", json.dumps({"mcpServers": {"github": github("beta", shell=True)}}, indent=2))
    docs = f'[mcp_servers.docs]\nurl = "{DOCS}"\nhttp_headers = {{ X-Team = "a" }}\n'
    site.write(".codex/config.toml", f'model = "gpt-5"\n\n{docs}')


def lay_gamma(site):
    site.settings('[this_machine]\nos = "macos"\nhome_as = "/Users/chloe"\n')
    own = {"permissions": {"deny": ["Read(.env)"], "allow": ["Read", "Bash(git status)"]}, "model": "sonnet"}
    site.write(".claude/settings.json", json.dumps(own, indent=4))
    site.write(".claude.json", json.dumps({"mcpServers": {"github": github("gamma")}}))
    site.write(".claude/CLAUDE.md", MEMORY)
    site.write(".cursor/mcp.json", json.dumps({"mcpServers": {"github": github("gamma")}}))
    docs = f'"docs": {{"httpUrl": "{DOCS}", "headers": {{"X-Team": "a"}}}}'
    site.write(".gemini/settings.json", f'{{\n  // mine\n  "mcpServers": {{\n    {docs},\n  }},\n}}\n')


@pytest.fixture(scope="module")
def three(fleets, waiting):
    fleet = fleets()
    sites = {name: fleet.site(name) for name in ("alpha", "beta", "gamma")}
    for name, site in sites.items():
        globals()[f"lay_{name}"](site)
    fleet.found(sites["alpha"])
    fleet.join(sites["alpha"], sites["beta"])
    fleet.join(sites["alpha"], sites["gamma"])
    waiting("a proposal", lambda: (sites["alpha"].status() or {}).get("proposal"))
    waiting("a proposal of everybody", lambda: len(sites["alpha"].ask("baseline_show")["machines"]) == 3)
    return fleet


def test_only_what_differs_in_meaning_is_asked(three):
    alpha = three.sites["alpha"]
    proposal = alpha.ask("baseline_show")
    assert [question["key"] for question in proposal["arbitrations"]] == ["claude.settings/model"]
    assert {"roo.mcp/files", "roo.mcp/github", "cursor.mcp/github", "claude.mcp/github"} <= proposal["commons"].keys()
    assert proposal["overlays"] == {}, "a spelling is nobody's special"
    alpha.roosync("baseline", "choose", "claude.settings/model", "--take", "alpha")
    alpha.roosync("baseline", "publish")


def test_only_what_changes_a_machine_waits_for_a_person(three, waiting):
    alpha = three.sites["alpha"]
    expected = {("beta", "roo.mcp/docs"), ("gamma", "claude.settings/model")}
    asked = waiting("the decisions", lambda: len(found := alpha.decisions(status="pending")) >= 2 and found)
    assert {(one["machine"], one["entity"]) for one in asked} == expected
    alpha.roosync("approve", "--all", "--risk", "critical", "--yes")
    alpha.until_synced()
    assert {(one["machine"], one["entity"]) for one in alpha.decisions()} == expected, "nothing was asked since"
    text = three.sites["beta"].read(f"{WINDOWS}/{ROO}/mcp_settings.json").decode()
    assert "\r\n" in text
    assert "\n\t" in text
    assert json.loads(text)["mcpServers"]["docs"] == {
        "type": "streamable-http",
        "url": DOCS,
        "headers": {"X-Team": "a"},
    }, "complete: the same server of Codex on that machine has the header"


def test_a_server_is_shared_with_the_other_assistants_in_their_own_words(three):
    alpha, beta, gamma = (three.sites[name] for name in ("alpha", "beta", "gamma"))
    alpha.roosync("mcp-servers", "share", "github", "--from", "roo", "--to", "codex,gemini", "--yes")
    config = tomllib.loads(beta.read(".codex/config.toml").decode())
    assert config["mcp_servers"]["github"] == github("beta", shell=True)
    assert config["mcp_servers"]["docs"] == {"url": DOCS, "http_headers": {"X-Team": "a"}}
    text = gamma.read(".gemini/settings.json").decode()
    assert "// mine" in text
    assert TOKENS["gamma"] in text
    assert "httpUrl" in text
    alpha.until_synced()


def test_secrets_are_told_by_name_and_machine_and_never_by_value(three, waiting):
    alpha = three.sites["alpha"]
    wanted = {"beta": "set"}, {"gamma": "set"}, {"alpha": "set", "beta": "set"}
    places = [f"{target}/github/env/GITHUB_TOKEN" for target in ("codex.mcp", "gemini.mcp", "roo.mcp")]

    def told():  # the others publish what they have a moment after they applied it
        rows = {row["address"]: row["machines"] for row in alpha.json("secrets", codes=(0, 2))["rows"]}
        return tuple(rows.get(place) for place in places) == wanted and rows

    waiting("every token is told by its name", told)
    shown = alpha.roosync("secrets")
    assert "roo.mcp/docs/headers/X-Team" in shown.out
    assert "missing" not in shown.out.lower()


def test_a_server_goes_from_every_machine_with_one_yes(three):
    alpha = three.sites["alpha"]
    alpha.roosync("mcp-servers", "remove", "github", "--everywhere", "--yes")
    for name, site in three.sites.items():
        for path in (p for p in site.home.rglob("*") if p.is_file()):
            assert TOKENS[name] not in path.read_text("utf-8"), path
    alpha.until_synced()


def test_no_machine_ever_said_a_token(three):
    said = "".join(text for site in three.sites.values() for text in site.said)
    logs = "".join(site.told() for site in three.sites.values())
    assert not [token for token in TOKENS.values() if token in said + logs]
