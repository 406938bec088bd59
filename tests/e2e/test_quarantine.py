"""A file breaks on one machine of a real fleet: nothing spreads, everybody is told, and a command puts it back."""

import shutil

import pytest

STORAGE = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline"


@pytest.fixture
def two(pair):
    alpha, beta = pair.sites["alpha"], pair.sites["beta"]
    alpha.until_synced()
    return alpha, beta


def truncated_and_rules_removed(site, homes):
    site.write(homes.mcp, site.read(homes.mcp)[:300])
    for name in homes.more_rules[1:4]:
        site.path(name).unlink()


def uninstalled(site, homes):
    shutil.rmtree(site.path(STORAGE))


BROKEN = {
    "truncated, and rules removed": (
        truncated_and_rules_removed,
        {"roo.mcp": "it can not be read: line ", "roo.rules": "3 of 6"},
    ),
    "uninstalled": (uninstalled, {"roo.mcp": "3 of 3 entities are gone", "roo.modes": "2 of 2"}),
}


def files(site):
    return {
        path.relative_to(site.home).as_posix(): path.read_bytes() for path in site.home.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(("spoil", "why"), BROKEN.values(), ids=BROKEN)
def test_what_broke_stays_here_is_told_everywhere_and_is_put_back(two, homes, waiting, spoil, why):
    alpha, beta = two
    here, there = files(beta), files(alpha)
    known = {one["id"]: one["status"] for one in alpha.decisions()}
    spoil(beta, homes)
    for target, reason in why.items():
        waiting(
            f"alpha knows of {target}, and why",
            lambda t=target, r=reason: any(f"quarantined {t}: " in n and r in n for n in alpha.row("beta")["notes"]),
        )
    assert alpha.row("beta")["state"] == "quarantined"
    for words in (["status"], ["compare"], ["collect", "--dry-run"], ["quarantine", "show"]):
        told = beta.roosync(*words, codes=(4,)).out
        assert all(target in told for target in why)
    told = alpha.roosync("status", codes=(4,)).out
    assert all(target in told for target in why)
    assert {one["id"]: one["status"] for one in alpha.decisions()} == known, "nobody is asked anything"
    if spoil is truncated_and_rules_removed:
        beta.fails("quarantine", "release", "roo.mcp", says=["can not be read", "roosync quarantine repair roo.mcp"])
    for target in why:
        shown = beta.roosync("quarantine", "repair", target, "--dry-run").out
        assert "ghp_" not in shown
        assert "Dry run" in shown
    for target in why:
        beta.roosync("quarantine", "repair", target, "--yes")
    alpha.until_synced()
    assert files(beta) == here
    assert files(alpha) == there
    assert beta.roosync("quarantine", "show").code == 0
    assert {one["id"]: one["status"] for one in alpha.decisions()} == known


def test_it_is_held_back_and_repairable_after_a_restart_and_while_nothing_runs(two, homes, waiting):
    alpha, beta = two
    here = files(beta)
    beta.stop()
    beta.write(homes.mcp, "")
    assert beta.json("quarantine", "show", codes=(4,))["roo.mcp"]["since"] is None  # nobody saw it yet
    beta.up("agent")
    waiting("alpha knows", lambda: alpha.row("beta")["state"] == "quarantined")
    since = beta.json("quarantine", "show", codes=(4,))["roo.mcp"]["since"]
    beta.stop()
    beta.up("agent")
    waiting("alpha still knows", lambda: alpha.row("beta")["state"] == "quarantined")
    (held,) = beta.json("quarantine", "show", codes=(4,)).values()
    assert (held["since"], held["gone"], held["repairable"]) == (since, ["fetch", "files", "github"], True)
    beta.stop()
    beta.roosync("quarantine", "repair", "roo.mcp", "--yes")  # needs neither agent nor broker
    assert files(beta) == here
    beta.up("agent")
    alpha.until_synced()


def test_what_was_edited_since_stays_and_is_asked_about(two, homes, waiting):
    alpha, beta = two
    good = beta.read(homes.mcp)
    beta.write(homes.mcp, '{"mcpServers": {"fetch": {"command": "uvx", "args": ["mcp-server-fetch"], "timeout": 5}}}')
    waiting("alpha knows", lambda: alpha.row("beta")["state"] == "quarantined")
    done = beta.json("quarantine", "repair", "roo.mcp", "--yes")
    assert done["changed"]
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    alpha.until_synced()
    assert b'"timeout": 60' in beta.read(homes.mcp)
    beta.write(homes.mcp, good)
    alpha.until_synced()
