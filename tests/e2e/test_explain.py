"""`roosync explain` and own targets in a fleet that lives: from where, since when, by whom, why, and what next."""

import json

import pytest

from roosync_agent.cli.explained_text import explained_text

TOML = """name = "aider.config"
assistant = "aider"
file = "{home}/.aider.conf.yml"
keys = ["*"]
risk = { "read" = "critical" }
"""
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ456789"
FETCH = "roo.mcp/fetch"


def lay(site, homes, *, crlf=False):
    homes.lay(site, crlf=crlf, token=TOKEN)
    (site.state / "targets").mkdir()
    (site.state / "targets" / "aider.toml").write_text(TOML)
    site.write(".aider.conf.yml", f"# mine\nmodel: opus\nread: {site.home}/notes.md\nopenai-api-key: sk-1\n")


@pytest.fixture(scope="module")
def fleet(fleets, homes):
    made = fleets()
    alpha, beta = made.site("alpha"), made.site("beta")
    lay(alpha, homes)
    lay(beta, homes, crlf=True)
    alpha.write(".claude.json", '{"userID": "u", "mcpServers": {"own": {"command": "npx"}}, "oauthAccount": {}}')
    made.in_step(alpha, beta)
    return made


@pytest.fixture
def two(fleet):
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    alpha.until_synced()
    yield alpha, beta
    alpha.until_synced()


def explain(site, what, field=""):
    """What the command prints as JSON (the first test compares the two), without a process for each question."""
    return site.ask("explain", what=what, field=field, path=what if what.startswith("/") else "")


def entity(site, *words):
    answer = explain(site, *words)
    assert answer["kind"] == "entity", answer
    return answer["entity"]


def leaf(one, field):
    [found] = [leaf for leaf in one["leaves"] if leaf["field"] == field]
    return found


def test_a_thing_in_step_says_where_it_comes_from(two):
    alpha, _ = two
    one = entity(alpha, "roo.mcp/github")
    assert alpha.json("explain", "roo.mcp/github", codes=(0,))["entity"] == one
    assert (one["state"], one["base"]) == ("in step", "as it is now")
    assert one["source"].startswith("common to all machines in baseline 1.0.0")
    assert (one["had_by"], one["of"]) == (["alpha", "beta"], 2)
    [change] = one["history"]
    assert (change["version"], change["what"], change["signed_by"]) == ("1.0.0", "brought", "op-ana")
    assert one["next"].startswith("nothing")


def test_each_field_says_what_it_is(two):
    alpha, _ = two
    one = entity(alpha, "roo.mcp/github")
    address = "roo.mcp/github/env/GITHUB_PERSONAL_ACCESS_TOKEN"
    token = leaf(one, "env.GITHUB_PERSONAL_ACCESS_TOKEN")
    assert token["secrets"] == {address: "set here"}
    assert leaf(one, "alwaysAllow")["list_rule"].startswith("a set")
    assert leaf(one, "args")["list_rule"] == "a list whose order counts"
    assert (leaf(one, "command")["risk"], leaf(one, "command")["rule"]) == ("high", "what is started")
    assert {leaf["baseline"] for leaf in one["leaves"]} == {"same"}
    files = entity(alpha, "roo.mcp/files")
    assert str(alpha.home) in leaf(files, "args")["means"]
    assert "${home}/projects" in leaf(files, "args")["here"]


def test_a_field_alone(two):
    alpha, _ = two
    for words in (("roo.mcp/github/args",), ("roo.mcp/github", "args"), ("roo.mcp/github.args",)):
        assert [leaf["field"] for leaf in entity(alpha, *words)["leaves"]] == ["args"]
    assert [leaf["field"] for leaf in entity(alpha, "aider.config/read")["leaves"]] == ["read"]
    told = explain(alpha, "roo.mcp/github/nothing")
    assert (told["kind"], "no field 'nothing'" in told["reason"]) == ("unknown", True)


def test_a_difference_says_who_is_asked_and_what_was_answered(two, homes):
    alpha, beta = two
    agreed = beta.read(homes.mcp)
    beta.write(homes.mcp, agreed.replace(b'"timeout": 60', b'"timeout": 7'))
    asked = alpha.decision("pending", machine="beta", entity=FETCH)
    one = entity(beta, FETCH)
    assert (one["state"], one["base"]) == ("waits", "but changed on this machine since")
    assert f"roosync decision show {asked['id']}" in one["next"]
    assert (leaf(one, "timeout")["here"], leaf(one, "timeout")["agreed"], leaf(one, "timeout")["baseline"]) == (
        7,
        60,
        "differs",
    )
    assert entity(alpha, FETCH)["state"] == "in step", "alpha has it as agreed"
    elsewhere = entity(alpha, f"beta:{FETCH}")
    assert (elsewhere["machine"], elsewhere["state"], elsewhere["decisions"][0]["id"]) == ("beta", "waits", asked["id"])
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    alpha.until_synced()
    [was] = entity(beta, FETCH)["decisions"]
    assert (was["status"], was["said_yes"]) == ("applied", ["op-ana"])
    assert beta.read(homes.mcp) == agreed


def test_a_promotion_is_told_by_its_note(two, homes):
    alpha, beta = two
    for old, new in ((b'"timeout": 60', b'"timeout": 61'), (b'"timeout": 61', b'"timeout": 60')):
        alpha.write(homes.mcp, alpha.read(homes.mcp).replace(old, new))
        asked = alpha.decision("pending", machine="alpha", entity=FETCH)
        alpha.roosync("decision", "approve", asked["id"], "--action", "override_remote", "--yes")
        alpha.until_synced()
    told = entity(beta, FETCH)["history"]
    assert [change["what"] for change in told] == ["changed", "changed", "brought"]
    assert told[0]["note"] == "override_remote of roo.mcp/fetch by alpha"
    assert [change["version"] for change in told] == ["1.0.2", "1.0.1", "1.0.0"]
    assert [change["what"] for change in entity(beta, "roo.mcp/github")["history"]] == ["brought"]


def test_what_belongs_to_one_machine_says_so(two, homes):
    alpha, beta = two
    beta.write(homes.rule, "# Other rules\n\nfor beta\n")
    asked = alpha.decision("pending", machine="beta", entity="roo.rules/rules/00-base.md")
    alpha.roosync("decision", "approve", asked["id"], "--action", "keep_special", "--yes")
    alpha.until_synced()
    one = entity(beta, "roo.rules/rules/00-base.md")
    assert one["state"] == "in step"
    assert one["source"].startswith("special to beta")
    assert one["history"][0]["what"] == "made special to this machine"
    assert entity(alpha, "roo.rules/rules/00-base.md")["source"].startswith("common")
    assert "special to beta, as in baseline" in beta.roosync("explain", "roo.rules/rules/00-base.md").out


def test_what_is_known_to_one_machine_alone(two):
    alpha, _ = two
    alpha.write(".roo/rules/99-alone.md", "alone\n")
    try:
        one = entity(alpha, "roo.rules/rules/99-alone.md")
        assert (one["state"], one["base"], one["history"]) == ("only here", "nothing yet", [])
    finally:
        alpha.path(".roo/rules/99-alone.md").unlink()


def test_a_file_says_what_of_it_is_managed(two, homes):
    alpha, _ = two
    [file] = explain(alpha, str(alpha.path(".claude.json")))["files"]
    assert (file["target"], file["entities"]) == ("claude.mcp", ["claude.mcp/own"])
    assert file["unmanaged"] == ["userID", "oauthAccount"]
    assert file["states"] == {"claude.mcp/own": "in step"}
    [same] = explain(alpha, "${home}/.claude.json")["files"]
    assert same == file
    [mcp] = explain(alpha, str(alpha.path(homes.mcp)))["files"]
    assert len(mcp["entities"]) == 3


UNKNOWN = {  # what is asked -> what is said, what is offered
    "roo.mcp/githib": ("no such thing here", ["roo.mcp/github"]),
    "githib": ("no file and no thing", ["roo.mcp/github"]),
    "/etc/passwd": ("outside of the managed home folder", []),
    "${home}/.roo/other/x.md": ("of this folder, roo.rules manages", []),
    "${home}/.netrc": ("no such file", []),
    "shop.config/x": ("no target shop.config is known", []),
    "claude.settings/theme": ("not among what claude.settings manages", []),
    "betta:roo.mcp/github": ("'betta' is no machine of this fleet", ["beta:roo.mcp/github"]),
    "beta:roo.mcp/githib": ("beta has published no such thing", ["beta:roo.mcp/github"]),
    "a\x1b[31mb": ("no file and no thing", []),
}


@pytest.mark.parametrize("asked", UNKNOWN, ids=ascii)
def test_what_is_not_managed_says_why(two, asked):
    alpha, _ = two
    says, near = UNKNOWN[asked]
    answer = explain(alpha, asked)
    assert (answer["kind"], says in answer["reason"]) == ("unknown", True), answer
    assert answer["nearest"][: len(near)] == near
    assert "\x1b" not in explained_text(answer)


def test_what_is_not_managed_ends_with_its_own_code_and_harmless_words(two):
    alpha, _ = two
    assert "roosync explain roo.mcp/github" in alpha.roosync("explain", "roo.mcp/githib", codes=(1,)).out
    assert "\x1b" not in alpha.roosync("explain", "a\x1b[31mb", codes=(1,)).out


def test_a_bare_name_is_enough_where_it_is_one(two):
    alpha, _ = two
    assert entity(alpha, "github")["key"] == "roo.mcp/github"


# -- own targets


def test_an_own_target_is_kept_in_step_and_judged(two):
    alpha, beta = two
    one = entity(alpha, "aider.config/read")
    assert (one["state"], one["declared"]) == ("in step", "targets/aider.toml")
    assert leaf(one, "read")["here"] == "${home}/notes.md"
    assert (leaf(one, "read")["risk"], leaf(one, "read")["rule"]) == ("critical", "read, in the target's own file")
    before = beta.read(".aider.conf.yml")
    beta.write(".aider.conf.yml", before.replace(b"model: opus", b"model: other").replace(b"notes.md", b"other.md"))
    model = alpha.decision("pending", machine="beta", entity="aider.config/model")
    read = alpha.decision("pending", machine="beta", entity="aider.config/read")
    assert (model["risk"], read["risk"]) == ("medium", "critical"), "what models are called is known everywhere"
    for asked in (model, read):
        alpha.roosync("decision", "approve", asked["id"], "--yes")
    alpha.until_synced()
    assert beta.read(".aider.conf.yml") == before


def test_a_declaration_that_breaks_stops_nothing_else(two):
    _, beta = two
    toml = beta.state / "targets" / "aider.toml"
    try:
        toml.write_text(TOML + "colour = 1\n")
        ran = beta.roosync("targets", codes=(1,))
        assert "targets/aider.toml declares nothing: line 6: colour: there is no such key" in ran.out
        compared = beta.json("compare", codes=(0, 2))
        assert [one["path"] for one in compared["not_read"]] == ["targets/aider.toml"]
        assert compared["not_here"]["aider.config"] == 3
        assert entity(beta, "aider.config/model")["state"] == "not here"
        assert beta.decisions(machine="beta", status="pending") == [], "nothing is taken for deleted"
    finally:
        toml.write_text(TOML)
    assert entity(beta, "aider.config/model")["state"] == "in step"


# -- without a fleet, without a broker


def test_without_a_fleet(new_fleet, homes):
    site = new_fleet.site("alone")
    lay(site, homes)
    assert "aider.config" in site.roosync("targets").out
    answer = site.json("explain", "roo.mcp/github")
    assert (answer["entity"]["state"], "no fleet" in answer["not_known"]) == ("not compared", True)
    assert leaf(answer["entity"], "command")["risk"] == "high"
    assert "no fleet" in site.roosync("explain", str(site.path(homes.mcp))).out
    assert TOKEN not in "".join(site.said)


def test_while_the_broker_is_away(fleet):
    """The last question to this fleet: nothing is started again."""
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    explain(beta, "roo.mcp/github")  # no turn of the agent is under way: that would be finished first
    assert alpha.stop() == 0
    answer = beta.json("explain", "roo.mcp/github", timeout=60)
    assert answer["entity"]["leaves"]
    beta.stop()
    answer = beta.json("explain", "roo.mcp/github")
    assert answer["entity"]["state"] == "not compared"
    assert answer["not_known"]


def test_no_secret_was_said(fleet):
    said = json.dumps([site.said for site in fleet.sites.values()])
    assert TOKEN not in said
    assert "sk-1" not in said
