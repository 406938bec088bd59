"""A cycle on real processes: three machines, a person, an apply that fails, an agent that hangs, a leader that dies.

What seed 004 describes for two agents, played from the command line.
"""

import json
import signal

import pytest

SETTINGS = ".claude/settings.json"


def settings(model, days=30):
    return json.dumps({"model": model, "cleanupPeriodDays": days}, indent=2) + "\n"


@pytest.fixture(scope="module")
def three(fleets):
    """alpha leads, beta and gamma take part; in step with one baseline."""
    fleet = fleets()
    alpha, beta, gamma = (fleet.site(name) for name in ("alpha", "beta", "gamma"))
    for site in (alpha, beta, gamma):
        site.write(SETTINGS, settings("opus"))
        site.write(".claude/CLAUDE.md", "# Memory\n")
    check = ["sh", "-c", f"! grep -q haiku '{beta.path(SETTINGS)}'"]
    beta.settings(f"[apply]\ncheck = {json.dumps(check)}\n")
    fleet.in_step(alpha, beta, gamma)
    return fleet


def show(site, id_=None):
    return site.ask("cycle_show", id_=id_)


def at(site, waiting, *, status, checkpoint=None, patience=40):
    """Waits until the cycle of this fleet is in this state."""
    return waiting(
        lambda: f"the cycle is {status} at {checkpoint}; it is {show(site)}",
        lambda: (seen := show(site))["status"] == status and checkpoint in (None, seen["checkpoint"]) and seen,
        patience,
    )


def names(cycle):
    return [one["checkpoint"] for one in cycle["reached"]]


def test_a_fleet_in_step_goes_straight_to_the_end(three, waiting):
    alpha = three.sites["alpha"]
    started = alpha.json("cycle", "start", "--timeout", "2")
    assert started["participants"] == ["alpha", "beta", "gamma"]
    done = at(alpha, waiting, status="done")
    assert names(done) == ["init", "status", "diffs", "final"]
    assert not done["strict"]
    assert not done["escalations"]
    metrics = alpha.json("cycle", "metrics")
    assert metrics["checkpoints_reached"] == ["INIT", "STATUS", "DIFFS", "FINAL"]
    assert metrics["divergences_detected"] == 0
    assert alpha.roosync("cycle", "show").code == 0


def test_with_a_divergence_everybody_waits_for_the_person(three, waiting):
    alpha, gamma = three.sites["alpha"], three.sites["gamma"]
    gamma.write(SETTINGS, settings("sonnet"))
    decision = alpha.decision("pending", machine="gamma", entity="claude.settings/model")
    gamma.roosync("cycle", "start", "--timeout", "2")  # any machine may
    assert at(alpha, waiting, status="running", checkpoint="resolution")["strict"]
    waiting("only gamma is waited for", lambda: show(alpha)["waits_for"] == ["gamma"])
    assert alpha.roosync("cycle", "show", codes=(3,)).out.count("Waiting for: gamma") == 1
    alpha.roosync("decision", "approve", decision["id"], "--yes")
    done = at(alpha, waiting, status="done")
    assert names(done) == ["init", "status", "diffs", "resolution", "final"]
    metrics = alpha.json("cycle", "metrics")
    assert (metrics["divergences_detected"], metrics["divergences_resolved"]) == (1, 1)
    assert json.loads(gamma.read(SETTINGS))["model"] == "opus"


def test_an_apply_that_fails_goes_back_and_asks_before_anything_is_tried_again(three, waiting):
    alpha, beta, gamma = three.sites["alpha"], three.sites["beta"], three.sites["gamma"]
    gamma.write(SETTINGS, settings("haiku"))
    asked = alpha.decision("pending", machine="gamma", entity="claude.settings/model")
    alpha.roosync("decision", "approve", asked["id"], "--action", "override_remote", "--yes")
    wanted = alpha.decision("pending", machine="beta", entity="claude.settings/model")
    alpha.roosync("cycle", "start", "--timeout", "2")
    at(alpha, waiting, status="running", checkpoint="resolution")
    alpha.roosync("decision", "approve", wanted["id"], "--yes", codes=None)
    stopped = at(alpha, waiting, status="waiting", checkpoint="diffs")
    assert stopped["round"] == 1
    assert wanted["id"] in stopped["waiting_for"]
    assert [one["level"] for one in stopped["escalations"]] == [2]
    assert json.loads(beta.read(SETTINGS))["model"] == "opus", "it was put back at once"
    assert alpha.roosync("cycle", "show", codes=(3,)).out.count("A person is asked") == 1
    alpha.roosync("decision", "reject", wanted["id"])
    own = alpha.decision("pending", machine="alpha", entity="claude.settings/model")
    alpha.roosync("decision", "approve", own["id"], "--yes")
    done = at(alpha, waiting, status="done")
    assert names(done)[-2:] == ["resolution", "final"]
    assert alpha.json("cycle", "metrics")["decisions_rollback"] >= 1


def test_an_agent_that_hangs_is_named_and_excused(three, waiting):
    alpha, gamma = three.sites["alpha"], three.sites["gamma"]
    hung = next(process for process in gamma.tree() if "agent" in process.cmdline())
    hung.send_signal(signal.SIGSTOP)
    try:
        alpha.roosync("cycle", "start", "--timeout", "0.08")
        waits = at(alpha, waiting, status="waiting", checkpoint="init")
        assert {1, 2} <= {one["level"] for one in waits["escalations"]}
        assert "gamma" in waits["waiting_for"]
        assert "alpha" not in waits["waiting_for"]
        alpha.roosync("cycle", "excuse", "gamma", "--reason", "it hangs")
        done = at(alpha, waiting, status="done")
        assert done["excused"] == {"gamma": "it hangs"}
    finally:
        hung.send_signal(signal.SIGCONT)
    alpha.until_synced()


def test_when_the_leader_hangs_another_goes_on_from_the_records(three, waiting):
    """And the old one, when it wakes up, changes nothing."""
    alpha, beta, gamma = three.sites["alpha"], three.sites["beta"], three.sites["gamma"]
    gamma.write(SETTINGS, settings("other"))
    alpha.decision("pending", machine="gamma", entity="claude.settings/model")
    alpha.roosync("cycle", "start", "--timeout", "3", "--targets", "beta,gamma")
    at(alpha, waiting, status="running", checkpoint="resolution")
    leads = next(process for process in alpha.tree() if "agent" in process.cmdline())
    leads.send_signal(signal.SIGSTOP)
    try:
        gamma.write(SETTINGS, settings("haiku"))  # as agreed: nothing is left to be resolved
        done = at(beta, waiting, status="done", patience=60)
    finally:
        leads.send_signal(signal.SIGCONT)
    assert names(done) == ["init", "status", "diffs", "resolution", "final"], "no step is made twice"
    waiting("the old leader is back", lambda: alpha.status() is not None)
    assert show(alpha)["reached"] == done["reached"]
    assert show(alpha)["status"] == "done"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--timeout", "0"), "time-out"),
        (("--timeout", "-1"), "time-out"),
        (("--targets", "nobody"), "no machine"),
    ],
)
def test_a_cycle_that_makes_no_sense_is_refused(three, words, says):
    three.sites["alpha"].fails("cycle", "start", *words, says=says)
