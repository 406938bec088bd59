"""MCP servers across assistants and machines: the table, sharing one, taking one off everywhere.

Three homes with different assistants and systems' styles: alpha with Roo Code and Claude Code, beta as on Windows with
both, gamma with Roo Code, Cursor and Codex. The tests tell one story, in order.
"""

import json
import time
import tomllib

import pytest

from roosync_agent.collecting.places import layout
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE, locate
from roosync_protocol.entity import Kind

ROO = "globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
WINDOWS_ROO = f"AppData/Roaming/Code/User/{ROO}"
POSIX_ROO = f".config/Code/User/{ROO}"
CLAUDE = ".claude.json"
CURSOR = ".cursor/mcp.json"
CODEX = ".codex/config.toml"
CODEX_BEFORE = '# mine\nmodel = "gpt"  # the good one\n'
TOKEN = "ghp_" + "0123456789abcdefghij" + "ABCDEFGHIJ456789"
GITHUB = {"command": "npx", "args": ["-y", "@example/server-github"], "env": {"GITHUB_TOKEN": TOKEN}}
WINDOWS = {"command": "cmd", "args": ["/c", "npx", "-y", "@example/server-github"], "env": {"GITHUB_TOKEN": TOKEN}}
FETCH = {"command": "uvx", "args": ["mcp-server-fetch"]}
EVIL = {"command": "npx", "args": ["-y", "evil-server"]}
OTHER = {"command": "npx", "args": ["-y", "other-evil-server"], "disabled": True}
HOSTILE = "a.b/c \u202e\x1b[31m🐙"


def servers(**named):
    return json.dumps({"mcpServers": named}, indent=2)


def held(site, file):
    return json.loads(site.read(file)).get("mcpServers", {})


def add(site, file, server, name="evil"):
    """A server that the baseline does not speak of."""
    site.write(file, servers(**(held(site, file) | {name: server})))


@pytest.fixture(scope="module")
def fleet(fleets):
    made = fleets()
    alpha, beta, gamma = (made.site(name) for name in ("alpha", "beta", "gamma"))
    beta.settings('[this_machine]\nos = "windows"\n')
    alpha.write(POSIX_ROO, servers(fetch=FETCH, **{HOSTILE: FETCH}))
    alpha.write(CLAUDE, servers(github=GITHUB | {"type": "stdio"}))
    beta.write(WINDOWS_ROO, servers(fetch={"command": "cmd", "args": ["/c", "uvx", "mcp-server-fetch"]}))
    beta.write(CLAUDE, servers(github=WINDOWS))
    gamma.write(POSIX_ROO, servers(fetch=FETCH))
    gamma.write(CURSOR, "{}\n")
    gamma.write(CODEX, CODEX_BEFORE)
    made.found(alpha)
    for site in (beta, gamma):
        made.join(alpha, site)
    return made


@pytest.fixture
def three(fleet):
    return tuple(fleet.sites.values())[:3]


def row(site, name):
    found = [one for one in site.ask("servers")["servers"] if one["name"] == name]
    return found[0] if found else {"cells": []}


def cells(found):
    return {(c["machine"], c["target"]): c["variant"].lower() if c["off"] else c["variant"] for c in found["cells"]}


def test_without_a_baseline_it_says_what_comes_first(three):
    alpha = three[0]
    for words in (("share", "github", "--from", "claude", "--to", "roo"), ("remove", "evil", "--everywhere")):
        told = alpha.roosync("mcp-servers", *words, "--yes", codes=(2,)).out
        assert "none is published yet: `roosync baseline propose`" in told


def test_the_table_has_the_same_server_under_one_letter(fleet, three, waiting):
    alpha, beta, gamma = three
    fleet.agree(alpha)
    add(alpha, POSIX_ROO, EVIL)
    add(beta, WINDOWS_ROO, OTHER)
    add(beta, CLAUDE, EVIL)
    add(gamma, POSIX_ROO, EVIL | {"alwaysAllow": ["run"]})
    waiting("all packages, everywhere", lambda: all(len(row(one, "evil")["cells"]) == 4 for one in (alpha, gamma)))
    assert cells(row(alpha, "github")) == {("alpha", "claude.mcp"): "A", ("beta", "claude.mcp"): "A"}
    assert cells(row(alpha, "fetch")) == {(m, "roo.mcp"): "A" for m in ("alpha", "beta", "gamma")}
    evil = row(gamma, "evil")
    assert cells(evil) == {
        ("alpha", "roo.mcp"): "A",
        ("beta", "claude.mcp"): "A",
        ("beta", "roo.mcp"): "b",
        ("gamma", "roo.mcp"): "A",
    }
    assert [v["runs"] for v in evil["variants"]] == ["npx -y evil-server", "npx -y other-evil-server"]
    shown = alpha.roosync("mcp-servers").out
    assert "Machines:  1 alpha  2 beta  3 gamma" in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "secrets: env/GITHUB_TOKEN" in shown
    assert TOKEN not in shown
    assert max(map(len, shown.split("\n"))) <= 80
    alone = alpha.roosync("mcp-servers", "show", "evil").out
    assert "other than A: args" in alone
    assert "alwaysAllow" in alone


def test_a_shared_server_comes_with_its_secret_or_is_refused_by_name(three, waiting):
    """alpha and beta have the token in Claude Code; gamma has it nowhere."""
    alpha, beta, gamma = three
    dry = alpha.roosync("mcp-servers", "share", "github", "--from", "claude", "--to", "roo", "--dry-run").out
    assert "npx -y @example/server-github" in dry
    assert "= env:" in dry
    assert "GITHUB_TOKEN: <secret roo.mcp/github/env/GITHUB_TOKEN>" in dry
    assert "Risk       high\n" in dry
    assert "- a new server: npx -y @example/server-github" in dry
    assert "Nothing was signed" in dry
    assert "github" not in held(alpha, POSIX_ROO)
    ran = alpha.roosync("mcp-servers", "share", "github", "--from", "claude", "--to", "roo", "--yes", codes=(4,))
    assert held(alpha, POSIX_ROO)["github"] == GITHUB
    assert held(beta, WINDOWS_ROO)["github"]["env"] == {"GITHUB_TOKEN": TOKEN}
    assert "github" not in held(gamma, POSIX_ROO)
    assert "! gamma, roo.mcp: the machine has no value for roo.mcp/github/env/GITHUB_TOKEN" in ran.out, ran
    assert TOKEN not in ran.out
    assert cells(row(alpha, "github"))[("alpha", "roo.mcp")] == "A"
    gamma.write(POSIX_ROO, servers(**held(gamma, POSIX_ROO), github=GITHUB))
    alpha.until_synced()


def test_a_server_is_spelled_as_each_assistant_does(three):
    """gamma's own rights stay with Roo Code; a server that is off goes nowhere where it would run."""
    alpha, _, gamma = three
    words = ("mcp-servers", "share", "evil", "--from", "roo", "--variant")
    alpha.fails(*words, "B", "--to", "cursor", says=["Cursor can not have 'evil'", "nothing was signed", "it is off"])
    ran = alpha.roosync(*words, "A", "--to", "cursor,codex", "--yes")
    assert "Stays      alwaysAllow (of roo.mcp alone" in ran.out
    assert held(gamma, CURSOR) == {"evil": EVIL}
    codex = gamma.read(CODEX).decode()
    assert codex.startswith(CODEX_BEFORE)
    assert tomllib.loads(codex)["mcp_servers"] == {"evil": EVIL}
    found = cells(row(alpha, "evil"))
    assert {found["gamma", target] for target in ("roo.mcp", "cursor.mcp", "codex.mcp")} == {"A"}
    alpha.until_synced()


def test_it_is_gone_from_every_machine_within_seconds(fleet, three, waiting):
    alpha, beta, gamma = three
    before = alpha.json("mcp-servers", "remove", "evil", "--everywhere", "--dry-run")
    assert {(p["machine"], p["target"]) for p in before["places"]} == set(cells(row(alpha, "evil")))
    gamma.stop()
    waiting("gamma is away", lambda: alpha.row("gamma")["seen"] == "silent")
    start = time.monotonic()
    ran = alpha.roosync("mcp-servers", "remove", "evil", "--everywhere", "--yes", codes=(5,))
    took = time.monotonic() - start
    assert took < 15, took
    for site, file in ((alpha, POSIX_ROO), (beta, WINDOWS_ROO), (beta, CLAUDE)):
        assert "evil" not in held(site, file)
        assert "fetch" in held(site, file) or file == CLAUDE
    assert ran.out.count(" done ") == 3, ran
    assert "! gamma, roo.mcp: it does not answer; it asks when it comes back" in ran.out
    gamma.up("agent")
    gamma.decision("pending", machine="gamma", entity="roo.mcp/evil")
    assert "evil" in held(gamma, POSIX_ROO)
    again = alpha.json("mcp-servers", "remove", "evil", "--everywhere", "--yes", codes=(0,))
    assert [(one["machine"], one["state"]) for one in again["outcomes"]] == [("gamma", "done")] * 3
    assert "evil" not in held(gamma, POSIX_ROO)
    assert held(gamma, CURSOR) == {}
    assert not tomllib.loads(gamma.read(CODEX).decode()).get("mcp_servers")
    assert gamma.read(CODEX).decode().startswith(CODEX_BEFORE)
    alpha.until_synced()


def test_one_machine_takes_it_back_and_the_same_command_removes_it_again(three):
    alpha, beta, _ = three
    before = beta.read(CLAUDE)
    (done,) = beta.decisions(machine="beta", entity="claude.mcp/evil", status="applied")
    alpha.roosync("decision", "rollback", done["id"])
    assert held(beta, CLAUDE)["evil"] == EVIL
    assert cells(row(beta, "evil")) == {("beta", "claude.mcp"): "A"}
    again = alpha.json("mcp-servers", "remove", "evil", "--everywhere", "--yes", codes=(0,))
    assert [(one["machine"], one["state"], one["decision"]) for one in again["outcomes"]] == [
        ("beta", "done", done["id"])
    ]
    assert beta.read(CLAUDE) == before
    alpha.until_synced()


def test_what_changed_after_it_was_shown_is_not_signed(three, waiting):
    alpha, beta, _ = three
    add(beta, CLAUDE, EVIL)
    waiting("alpha sees it", lambda: row(alpha, "evil")["cells"])
    version = alpha.status()["baseline_version"]
    asking = alpha.talk("mcp-servers", "remove", "evil", "--everywhere")
    shown = ""
    while "Undo:" not in shown:
        shown += asking.stdout.readline()
    assert "npx -y evil-server" in shown
    add(beta, CLAUDE, OTHER)
    waiting("alpha sees the change", lambda: row(alpha, "evil")["variants"][0]["runs"] != "npx -y evil-server")
    asking.communicate("y\n", timeout=30)
    assert asking.returncode == 1
    assert "evil" in held(beta, CLAUDE)
    assert alpha.status()["baseline_version"] == version
    alpha.roosync("mcp-servers", "remove", "evil", "--everywhere", "--yes")
    assert "evil" not in held(beta, CLAUDE)


def test_one_machine_gives_it_up_and_gets_it_again(fleet, three, waiting):
    alpha, beta, gamma = three
    ran = alpha.json("mcp-servers", "remove", "fetch", "--machine", "beta", "--yes", codes=(0,))
    assert [(one["machine"], one["state"]) for one in ran["outcomes"]] == [("beta", "done")]
    alpha.until_synced()
    assert "fetch" not in held(beta, WINDOWS_ROO)
    assert "fetch" in held(gamma, POSIX_ROO)
    alpha.roosync("baseline", "propose", codes=None)
    fleet.agree(alpha)
    assert "fetch" not in held(beta, WINDOWS_ROO)
    words = ("share", "fetch", "--from", "roo", "--to", "roo", "--machine", "beta", "--yes")
    assert alpha.roosync("mcp-servers", *words).out.count(" done ") == 1
    assert held(beta, WINDOWS_ROO)["fetch"]["args"][-1] == "mcp-server-fetch"
    alpha.until_synced()


def test_who_joins_with_it_is_asked_and_nobody_gets_it_from_there(fleet, three, waiting):
    alpha, beta, gamma = three
    delta = fleet.site("delta")
    delta.write(CLAUDE, servers(evil=EVIL, github=GITHUB))
    fleet.join(alpha, delta)
    delta.decision("pending", machine="delta", entity="claude.mcp/evil")
    alpha.roosync("baseline", "propose", codes=None)
    fleet.publish(alpha)
    alpha.decision("pending", machine="delta", entity="claude.mcp/evil")
    for site, file in ((alpha, POSIX_ROO), (alpha, CLAUDE), (beta, CLAUDE), (beta, WINDOWS_ROO), (gamma, POSIX_ROO)):
        assert "evil" not in held(site, file)
    assert "evil" in held(delta, CLAUDE)
    ran = alpha.json("mcp-servers", "remove", "evil", "--everywhere", "--yes", codes=(0,))
    assert [(one["machine"], one["state"]) for one in ran["outcomes"]] == [("delta", "done")]
    assert held(delta, CLAUDE) == {"github": GITHUB}


def test_a_file_that_can_not_be_read_is_named_and_asks_once_it_can(three, waiting):
    alpha, beta, _ = three
    add(alpha, POSIX_ROO, EVIL, "worse")
    add(beta, CLAUDE, EVIL, "worse")
    waiting("alpha sees both", lambda: len(row(alpha, "worse")["cells"]) == 2)
    whole = beta.read(CLAUDE)
    beta.write(CLAUDE, whole[: len(whole) // 2])
    waiting("alpha is told", lambda: "claude.mcp" in alpha.ask("servers")["unread"].get("beta", {}))
    ran = alpha.roosync("mcp-servers", "remove", "worse", "--everywhere", "--wait", "1", "--yes", codes=(4, 5))
    assert "! claude.mcp on beta: " in ran.out
    assert "worse" not in held(alpha, POSIX_ROO)
    beta.write(CLAUDE, whole)
    beta.decision("pending", machine="beta", entity="claude.mcp/worse")
    alpha.roosync("mcp-servers", "remove", "worse", "--everywhere", "--yes")
    assert "worse" not in held(beta, CLAUDE)
    alpha.until_synced()


def test_a_removed_server_of_the_baseline_comes_back_with_an_earlier_version(fleet, three):
    alpha, beta, gamma = three
    version = alpha.status()["baseline_version"]
    alpha.roosync("mcp-servers", "remove", "fetch", "--from", "roo", "--yes")
    assert not any("fetch" in held(s, f) for s, f in ((alpha, POSIX_ROO), (beta, WINDOWS_ROO), (gamma, POSIX_ROO)))
    alpha.roosync("baseline", "restore", version)
    fleet.settle(alpha)
    assert all("fetch" in held(s, f) for s, f in ((alpha, POSIX_ROO), (beta, WINDOWS_ROO), (gamma, POSIX_ROO)))


EVERYBODY = {"command": "npx", "args": ["-y", "@example/all"], "env": {"API_TOKEN": TOKEN, "LOG_LEVEL": "debug"}}


def test_one_server_in_every_assistant_is_one_and_goes_from_all(fleet, waiting):
    """alpha gets every assistant, as a person has them: its folder, and nothing in it but what stood there."""
    alpha, beta, gamma, delta = fleet.sites.values()
    here = layout(RealDoor(), alpha.home, {}, "posix")
    specs = [spec for spec in TABLE if spec.kind is Kind.MCP_SERVER and "{workspace}" not in spec.folder]
    for spec in specs:
        for target in locate(spec, here, RealDoor()):
            target.file.parent.mkdir(parents=True, exist_ok=True)
    delta.write(POSIX_ROO, servers())
    for site, file in ((alpha, POSIX_ROO), (beta, WINDOWS_ROO), (gamma, POSIX_ROO), (delta, POSIX_ROO)):
        add(site, file, EVERYBODY, "all")
    waiting("everybody has it", lambda: len(row(alpha, "all")["cells"]) == 4)
    fleet.settle(alpha)  # delta's new list, and what alpha's new assistants get
    others = [spec.name for spec in specs if spec.name != "roo.mcp"]
    ran = alpha.json("mcp-servers", "share", "all", "--from", "roo", "--to", ",".join(others), "--yes", codes=(0,))
    assert {one["key"] for one in ran["outcomes"] if one["machine"] == "alpha"} == {f"{name}/all" for name in others}
    found = row(alpha, "all")
    assert {v["letter"] for v in found["variants"]} == {"A"}
    assert {cell["target"] for cell in found["cells"] if cell["machine"] == "alpha"} == {"roo.mcp", *others}
    alpha.until_synced()
    gone = alpha.json("mcp-servers", "remove", "all", "--everywhere", "--yes", codes=(0,))
    assert len(gone["outcomes"]) == len(found["cells"])
    waiting("the table says so", lambda: row(alpha, "all")["cells"] == [])
    assert not [path for path in alpha.home.rglob("*") if path.is_file() and b"@example/all" in path.read_bytes()]
