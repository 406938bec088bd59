"""What the commands say to a person, and whether it is true: nothing is called in step that nobody looked at.

One fleet of two serves the module. Each test leaves it in step.
"""

import json

import pytest

CLAUDE_MCP = ".claude.json"


@pytest.fixture(scope="module")
def fleet(fleets, homes):
    made = fleets()
    alpha, beta = made.site("alpha"), made.site("beta")
    homes.lay(alpha)
    homes.lay(beta, crlf=True)
    alpha.write(".zoo/rules/10-zoo.md", "of Zoo Code\n")
    made.in_step(alpha, beta)
    return made


@pytest.fixture
def two(fleet):
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    alpha.until_synced()
    yield alpha, beta
    alpha.until_synced()


# -- what could not be read


def test_in_step_is_said_plainly_when_it_is_all_of_it(two):
    alpha, _ = two
    assert alpha.roosync("compare", codes=(0,)).out.startswith("Synced: alpha agrees with baseline ")
    assert "In step: nothing to do." in alpha.roosync("status").out
    assert alpha.json("compare")["not_read"] == []


def test_a_target_that_can_not_be_read_is_not_called_in_step(two, waiting):
    """It was never read, so nothing is quarantined: only its silence can tell."""
    alpha, beta = two
    beta.write(CLAUDE_MCP, '{"mcpServers": ')
    try:
        ran = beta.roosync("compare", codes=(2,))
        assert ran.out.startswith("In step, except: claude.mcp not read: "), ran
        assert "Synced" not in ran.out
        assert "Next: roosync collect --dry-run" in ran.out
        told = beta.json("compare", codes=(2,))
        assert [(one["target"], one["path"]) for one in told["not_read"]] == [("claude.mcp", "")]
        assert told["not_read"][0]["reason"]

        waiting("alpha is told", lambda: alpha.row("beta")["unread"])
        for site in two:  # on every machine
            seen = site.roosync("status", codes=(2,)).out
            assert "Status: synced, except what was not read" in seen
            assert "! beta: claude.mcp not read: " in seen
            assert "In step, except: beta: claude.mcp not read: " in seen
            assert "nothing to do" not in seen
            assert "a person: repair claude.mcp, which can not be read" in seen
            row = next(row for row in site.json("status", codes=(2,))["machines"] if row["machine"] == "beta")
            assert list(row["unread"]) == ["claude.mcp"]
    finally:
        beta.path(CLAUDE_MCP).unlink()
    waiting("it is read again", lambda: not alpha.row("beta")["unread"])


def test_a_single_thing_that_stays_here_is_named_beside_in_step(two, waiting):
    """A text that looks secret is kept back on purpose, for good: no drift, and no silence either."""
    alpha, beta = two
    path = beta.write(".roo/rules/90-key.md", "Use ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake1234 always.\n")
    try:
        ran = beta.roosync("compare", codes=(0,))
        assert "In step, except: roo.rules not read: ${home}/.roo/rules/90-key.md" in ran.out, ran
        assert "looks secret" in ran.out
        waiting("alpha is told", lambda: alpha.row("beta")["skipped"])
        assert "In step, except: beta: not read: ${home}/.roo/rules/90-key.md" in alpha.roosync("status").out
    finally:
        path.unlink()
    waiting("it is gone", lambda: not alpha.row("beta")["skipped"])


def test_what_the_other_machine_did_not_read_is_said_too(two, waiting):
    alpha, beta = two
    beta.write(CLAUDE_MCP, '{"mcpServers": ')
    try:
        beta.roosync("publish")
        told = waiting("its package says so", lambda: alpha.ask("compare", other="beta")["not_read_there"])
        assert ".claude.json" in told[0]
        assert "not read on beta: ${home}/.claude.json: " in alpha.roosync("compare", "--other", "beta", codes=None).out
    finally:
        beta.path(CLAUDE_MCP).unlink()
    beta.roosync("publish")


def test_targets_that_are_not_here_are_no_part_of_the_answer(two):
    alpha, beta = two
    commons = alpha.ask("baseline_show")["commons"]
    shared = sum(key.startswith("zoo.rules/") for key in commons)
    assert beta.json("compare")["not_here"] == ({"zoo.rules": shared} if shared else {})
    assert alpha.json("compare")["not_here"] == {}


# -- what nobody else has


def test_what_only_one_machine_has_is_counted_and_is_no_divergence(two, waiting):
    alpha, beta = two
    assert "Not shared" not in alpha.roosync("status").out
    added = [beta.write(name, "mine\n") for name in (".roo/rules/50-own.md", ".claude/agents/own.md")]
    try:
        waiting("alpha is told", lambda: alpha.row("beta")["only_here"] == 2)
        for site in two:
            ran = site.roosync("status", codes=(0,))
            assert "2 on beta." in ran.out, ran
            assert "no divergence" in ran.out
            assert "roosync baseline propose" in ran.out
        seen = alpha.json("status")
        assert (seen["status"], seen["divergences_count"]) == ("synced", 0)
        assert [row["only_here"] for row in seen["machines"]] == [0, 2]
        assert len(beta.json("compare")["only_here"]) == 2
    finally:
        for path in added:
            path.unlink()
    waiting("it is gone", lambda: alpha.row("beta")["only_here"] == 0)


# -- what was compared with what


def test_a_question_about_another_machine_says_so(two, homes, waiting):
    alpha, beta = two
    agreed = beta.read(homes.memory)
    beta.write(homes.memory, agreed + b"Also in Italian.\r\n")
    own = alpha.decision("pending", machine="beta", entity="claude.memory/CLAUDE.md")
    beta.roosync("publish")
    asked = alpha.roosync("compare", "--other", "beta", "--json", codes=(3,)).json["divergences"][0]
    assert asked["reference"] == "machine:beta"
    assert "alpha differs from machine beta in 1." in alpha.roosync("compare", "--other", "beta", codes=(3,)).out

    rows = {line.split()[0]: line for line in alpha.roosync("decisions", codes=(3,)).out.splitlines() if line}
    assert "COMPARED WITH" in rows["DECISION"]
    assert "machine beta" in rows[asked["decision_id"]]
    assert "the baseline" in rows[own["id"]]
    rows = alpha.roosync("diffs", codes=(3,)).out.splitlines()
    assert [("compared with machine beta" in row) for row in rows if asked["decision_id"] in row] == [True]
    assert not any("compared with" in row for row in rows if own["id"] in row)
    card = alpha.roosync("decision", "show", asked["decision_id"]).out
    assert "with machine beta, not with the baseline" in card
    what = next(line for line in card.splitlines() if line.startswith("  What"))
    assert "beta" in what
    assert "joined" not in what, what
    assert "keep_special" not in what, "that is an answer to the baseline alone"
    told = alpha.fails(
        "decision", "approve", asked["decision_id"], "--action", "override_remote", "--yes", says="machine beta"
    )
    assert "roosync baseline propose" in told

    # no merge is offered: what happened, whose fault, what next
    merge = ("--action", "merge", "--yes")
    told = alpha.fails("decision", "approve", asked["decision_id"], *merge, says="no earlier value in common")
    assert "keep_special" not in told
    told = alpha.fails(
        "decision",
        "approve",
        own["id"],
        *merge,
        says=["nothing was signed", "only two changes of one agreed value can be merged", "nobody's mistake", "Next: "],
    )
    for way in (f"approve {own['id']}", "--action override_remote", "--action keep_special", f"reject {own['id']}"):
        assert way in told

    beta.write(homes.memory, agreed)
    alpha.roosync("decision", "reject", asked["decision_id"])
    beta.roosync("publish")


# -- which targets are managed


def test_a_target_is_managed_or_not_read_and_not_both(two, homes):
    _, beta = two
    told = beta.roosync("targets", "--all").out
    rows = {line.split()[0]: line for line in told.splitlines() if line}
    assert " managed " in rows["roo.mcp"]
    assert " not set up " in rows["roo.profiles"]
    assert " not here " in rows["zoo.mcp"]
    found = {one["target"]: one for one in beta.json("targets")["targets"]}
    assert [(found[name]["found"], found[name]["managed"]) for name in ("roo.mcp", "roo.profiles", "zoo.mcp")] == [
        (True, True),
        (False, False),
        (False, False),
    ]
    assert found["roo.mcp"]["things"] == 3
    assert "! roo.profiles is not set up: Roo Code keeps its profiles" in told
    assert "zoo.profiles is not" not in told, "nobody asks why what is not here is not read"
    beta.write(CLAUDE_MCP, '{"mcpServers": ')
    try:
        assert "! claude.mcp is not read: " in beta.roosync("targets").out
    finally:
        beta.path(CLAUDE_MCP).unlink()


# -- taking back


@pytest.mark.parametrize("exact", [False, True], ids=["later edits stay", "exact"])
def test_a_rollback_is_exact_when_it_is_asked_to_be(two, homes, waiting, exact):
    alpha, beta = two
    agreed = beta.read(homes.mcp)
    edited = agreed.replace(b'"timeout": 60', b'"timeout": %d' % (6 if exact else 5))
    beta.write(homes.mcp, edited)
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    waiting("it is restored", lambda: beta.read(homes.mcp) == agreed)
    alpha.decision("applied", machine="beta", entity="roo.mcp/fetch")
    beta.write(homes.mcp, agreed.replace(b"// mine", b"// mine, since"))
    alpha.roosync("decision", "rollback", asked["id"], *(["--exact"] if exact else []))
    assert beta.read(homes.mcp) == (edited if exact else edited.replace(b"// mine", b"// mine, since"))
    beta.write(homes.mcp, agreed)


def test_nothing_secret_in_any_of_it(two):
    alpha, beta = two
    said = json.dumps([site.said for site in (alpha, beta)])
    assert "ghp_FAKE" not in said
