"""The approval card on real machines: what each lacks is asked of it at this moment, and silence is told as silence."""

import json
import pathlib
import time

import pytest

TOKEN = "ghp_" + "x9K2" * 9
NOTES = {
    "command": "notes-server",
    "args": ["--stdio", "--folder", "a b"],
    "env": {"NOTES_TOKEN": TOKEN},
    "alwaysAllow": ["search"],
}
OLD = """
from roosync_agent.operations.coordination import lacking
async def serve(machine):
    "An agent of the release before answers pings, and not this."
lacking.serve = serve
"""


def program(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return str(folder)


ALPHA = """{"mcpServers": {
    "github": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-github"],
               "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "ghp_0123456789abcdefghijABCDEFGHIJ456789"},
               "alwaysAllow": ["search_issues"]},
    "files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "HOME/projects"]},
    "fetch": {"command": "uvx", "args": ["mcp-server-fetch"], "timeout": 60}}}"""


@pytest.fixture(scope="module")
def fleet(fleets, homes, waiting, tmp_path_factory):
    """Alpha wrote a server down. Beta has neither program nor secret; gamma has the program; delta is old."""
    made = fleets()
    paths = tmp_path_factory.mktemp("paths")
    alpha, beta, gamma, delta = (homes.lay(made.site(name)) for name in ("alpha", "beta", "gamma", "delta"))
    beta.extra["PATH"] = program(paths / "beta", "npx")
    gamma.extra["PATH"] = program(paths / "gamma", "notes-server")
    (paths / "old").mkdir()
    (paths / "old/sitecustomize.py").write_text(OLD)
    delta.extra["PYTHONPATH"] = str(paths / "old")
    made.in_step(alpha, beta, gamma, delta)
    servers = json.loads(ALPHA.replace("HOME", str(alpha.home)))
    servers["mcpServers"]["notes"] = NOTES
    alpha.write(homes.mcp, json.dumps(servers, indent=2))
    waiting("alpha published it", lambda: "roo.mcp/notes" in alpha.roosync("collect", "--dry-run", "--json").out)
    alpha.roosync("publish")
    alpha.roosync("baseline", "propose", codes=(0, 3))
    alpha.roosync("baseline", "choose", "roo.mcp/notes", "--take", "alpha")
    made.proposal = alpha.json("baseline", "show"), alpha.roosync("baseline", "show", codes=(3,)).out
    made.publish(alpha)
    for name in ("beta", "gamma", "delta"):
        alpha.decision("pending", machine=name, entity="roo.mcp/notes")
    return made


def card_of(fleet, name):
    """What `decision show` says of the decision of one machine, for programs and for a person."""
    alpha = fleet.sites["alpha"]
    decision = alpha.decision("pending", machine=name, entity="roo.mcp/notes")
    return alpha.json("decision", "show", decision["id"]), alpha.roosync("decision", "show", decision["id"]).out


PROGRAM, SECRET = ("program", "notes-server"), ("secret", "env/NOTES_TOKEN")
LACKS = {  # machine -> what it lacks, and a line of its card
    "beta": ({PROGRAM, SECRET}, "! beta: the program notes-server, the secret env/NOTES_TOKEN"),
    "gamma": ({SECRET}, "! gamma: the secret env/NOTES_TOKEN"),
}


@pytest.mark.parametrize(("machine", "lacks", "line"), [(m, *told) for m, told in LACKS.items()], ids=LACKS)
def test_what_a_machine_lacks_is_asked_of_it(fleet, machine, lacks, line):
    card, text = card_of(fleet, machine)
    assert {(one["kind"], one["name"]) for one in card["lacks"] if one["machine"] == machine} == lacks
    assert (card["asked"], card["not_said"], card["unsure"]) == ([machine], {}, [])
    assert line in text


def test_an_agent_of_the_release_before_does_not_say(fleet):
    card, text = card_of(fleet, "delta")
    assert (card["lacks"], list(card["not_said"])) == ([], ["delta"])
    assert "delta did not say: its agent is of a version before this question" in text


def test_the_card_names_who_agreed_and_from_where(fleet):
    card, text = card_of(fleet, "beta")
    assert (card["agreed"]["signed_by"], card["agreed"]["had_by"]) == ("op-ana", ["alpha"])
    assert [(one["machine"], one["file"]) for one in card["origins"]] == [
        ("alpha", "roo.mcp/settings/mcp_settings.json")
    ]
    assert [(one["path"], one["what"], one["new"]) for one in card["unasked"]] == [("alwaysAllow", "search", True)]
    assert "    =   - a b\n" in text, "each argument on a line of its own"
    assert TOKEN not in text + json.dumps(card)


def test_several_that_ask_the_same_are_one_card_and_each_is_asked(fleet):
    alpha = fleet.sites["alpha"]
    ids = [one["id"] for one in alpha.decisions(status="pending", entity="roo.mcp/notes")]
    (shared,) = alpha.ask("decision_cards", ids=ids)
    assert sorted(shared["card"]["asked"]) == ["beta", "delta", "gamma"]
    found = {(one["machine"], one["kind"]) for one in shared["card"]["lacks"]}
    assert found == {("beta", "program"), ("beta", "secret"), ("gamma", "secret")}


def test_a_proposal_says_the_same_before_it_is_published(fleet):
    answer, text = fleet.proposal
    (effect,) = [answer["effects"]["roo.mcp/notes"]]
    found = {(one["machine"], one["kind"]) for one in effect["missing"]["lacks"]}
    assert (effect["new"], effect["risk"]) == (True, "high")
    assert found == {("beta", "program"), ("beta", "secret"), ("gamma", "secret")}
    assert list(effect["missing"]["not_said"]) == ["delta"]
    assert "! beta: the program notes-server, the secret env/NOTES_TOKEN" in text
    assert sorted(answer["effects"]) == ["roo.mcp/notes"], "what is agreed already is not told again"


def test_sharing_a_server_asks_the_machines_that_would_get_it(fleet):
    words = ("mcp-servers", "share", "fetch", "--from", "roo", "--to", "claude", "--dry-run")
    missing = fleet.sites["alpha"].json(*words)["missing"]
    assert {(one["machine"], one["name"]) for one in missing["lacks"]} >= {("beta", "uvx"), ("gamma", "uvx")}
    assert (sorted(missing["asked"]), list(missing["not_said"])) == (["alpha", "beta", "delta", "gamma"], ["delta"])
    assert "    =   - " in fleet.sites["alpha"].roosync(*words).out or "    = args: " in fleet.sites["alpha"].said[-2]


def test_before_a_value_becomes_everybodys_all_others_are_asked(fleet, homes, waiting):
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    servers = json.loads(ALPHA.replace("HOME", str(beta.home)))
    servers["mcpServers"]["fetch"]["command"] = "fetch-of-beta"
    beta.write(homes.mcp, json.dumps(servers, indent=2))
    decision = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")

    def promoted():  # once beta has published it, the others can look it up
        card = alpha.ask("decision_show", id_=decision["id"], action="override_remote")
        return card if len(card["lacks"]) == 2 else None

    card = waiting("everybody knows what beta published", promoted)
    assert sorted(card["asked"]) == ["alpha", "delta", "gamma"]
    assert {(one["machine"], one["name"]) for one in card["lacks"]} == {
        (m, "fetch-of-beta") for m in ("alpha", "gamma")
    }
    assert list(card["not_said"]) == ["delta"]
    assert alpha.ask("decision_show", id_=decision["id"], action="keep_special")["asked"] == [], "nobody gets it"


def test_a_machine_that_is_off_is_named_at_once(fleet):
    fleet.sites["gamma"].stop()
    began = time.monotonic()
    card, text = card_of(fleet, "gamma")
    assert time.monotonic() - began < 10
    assert card["not_said"] == {"gamma": "no agent of it is connected"}
    assert "gamma did not say: no agent of it is connected" in text


def test_what_a_machine_has_by_now_it_lacks_no_more(fleet):
    beta = fleet.sites["beta"]
    program(pathlib.Path(beta.extra["PATH"]), "notes-server")
    assert {one["kind"] for one in card_of(fleet, "beta")[0]["lacks"]} == {"secret"}
