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
    made.found(alpha)
    made.join(alpha, beta)
    made.publish(alpha)
    made.settle(alpha)
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


def test_nothing_secret_in_any_of_it(two):
    alpha, beta = two
    said = json.dumps([site.said for site in (alpha, beta)])
    assert "ghp_FAKE" not in said
