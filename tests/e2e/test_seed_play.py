"""Seeds 002 and 004 played from the command line: three agents as processes, and a person between them.

002: a deployment, from machines that share nothing to a baseline that all of them follow. 004: a coordination with a
divergence that a person approves, an apply that fails, an agent that hangs, and a file that can not be put back. Each
test is an act, and goes on where the one before ended.
"""

import json
import shutil
import signal
import subprocess

import pytest

from roosync_protocol import __version__

SETTINGS = ".claude/settings.json"
MODEL = "claude.settings/model"
METRICS = [  # seed 004, literally
    "test_session", "duration_minutes", "checkpoints_reached", "sync_latency_avg_seconds", "decisions_total",
    "decisions_success", "decisions_rollback", "divergences_detected", "divergences_resolved",
]  # fmt: skip
STATUS = ["agent", "timestamp", "machines_detected", "status", "divergences_count"]
# A person's own check of what was applied. `refuse` beside the home makes it say no; `ruin` takes the file away too.
CHECK = 'if [ -e "$0/ruin" ]; then rm -f "$1"; mkdir "$1"; fi; test ! -e "$0/refuse" && test ! -e "$0/ruin"'


def settings(model):
    return json.dumps({"model": model, "cleanupPeriodDays": 30}, indent=2) + "\n"


@pytest.fixture(scope="module")
def three(fleets):
    """Founded and joined, and nothing else: no baseline yet, and gamma has another model."""
    fleet = fleets()
    sites = [fleet.site(name) for name in ("alpha", "beta", "gamma")]
    for site in sites:
        site.write(SETTINGS, settings("sonnet" if site.name == "gamma" else "opus"))
        site.write(".claude/CLAUDE.md", "# Memory\n")
    beta = sites[1]
    check = json.dumps(["sh", "-c", CHECK, str(beta.base), str(beta.path(SETTINGS))])
    beta.settings(f"[apply]\ncheck = {check}\n")
    fleet.found(sites[0])
    for site in sites[1:]:
        fleet.join(sites[0], site)
    return sites


def show(site):
    return site.ask("cycle_show", id_=None)


def at(site, waiting, *, status, checkpoint=None):
    return waiting(
        lambda: f"the cycle is {status} at {checkpoint}; it is {show(site)}",
        lambda: (seen := show(site))["status"] == status and checkpoint in (None, seen["checkpoint"]) and seen,
    )


def names(cycle):
    return [one["checkpoint"] for one in cycle["reached"]]


def levels(cycle):
    """In the order in which they were told, each once."""
    return list(dict.fromkeys(one["level"] for one in cycle["escalations"]))


def triggers(cycle):
    return [one["trigger"] for one in cycle["escalations"]]


# -- seed 002


def test_a_coordination_without_a_baseline_says_what_comes_first(three):
    three[0].fails("cycle", "start", says=["no baseline yet", "--route deployment"])


def test_phase_1_waits_for_agents_in_the_version_and_names_the_others(three, waiting):
    alpha, beta, gamma = three
    alpha.roosync("cycle", "start", "--route", "deployment", "--version", "v99.0.0", "--timeout", "0.05")
    stopped = at(beta, waiting, status="waiting", checkpoint="version")
    assert stopped["waiting_for"].startswith("has an older version: alpha, beta, gamma")
    assert levels(stopped) == [1, 2]
    assert triggers(stopped)[-1] == "time_over"
    seen = gamma.roosync("status", codes=(3,)).out
    assert "stopped, level 2, at CHECKPOINT-VERSION" in seen
    assert f"Next: roosync cycle excuse MACHINE, roosync cycle resume {stopped['id']}" in seen
    assert "roosync cycle report" in alpha.roosync("cycle", "abort", "--reason", "no such version").out
    assert show(beta)["status"] == "aborted"


def test_phases_2_to_4_from_packages_to_a_baseline_that_all_follow(three, waiting, tmp_path):
    alpha, beta, gamma = three
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    for name, value in (("user.name", "Ana"), ("user.email", "ana@example.org")):
        subprocess.run(["git", "-C", str(repository), "config", name, value], check=True)
    beta.roosync("cycle", "start", "--route", "deployment", "--version", f"v{__version__}", "--timeout", "2")
    at(alpha, waiting, status="running", checkpoint="baseline")
    assert {row["checkpoint"]: row["round"] for row in show(gamma)["reached"]} == {"version": 0, "collected": 0}
    waiting("a proposal of all three", lambda: len((alpha.ask("baseline_show") or {}).get("machines", ())) == 3)
    if alpha.status()["proposal"]["open_questions"]:
        alpha.roosync("baseline", "choose", "--suggested")
    alpha.roosync("baseline", "publish", "--commit", str(repository))
    committed = subprocess.run(
        ["git", "-C", str(repository), "ls-tree", "-r", "--name-only", "HEAD"], check=True, capture_output=True
    ).stdout.decode()
    assert "baseline.json" in committed
    at(alpha, waiting, status="running", checkpoint="synced")
    wanted = alpha.decision("pending", machine="gamma", entity=MODEL)
    waiting("the operators are asked", lambda: wanted["id"] in [r["target"] for r in alpha.ask("requests")])
    alpha.roosync("decision", "approve", wanted["id"], "--yes")
    done = at(alpha, waiting, status="done")
    assert names(done) == ["version", "collected", "baseline", "synced"]
    assert json.loads(gamma.read(SETTINGS))["model"] == "opus"
    report = beta.json("cycle", "report", codes=(0,))
    assert {one["name"]: one["met"] for one in report["criteria"]} == dict.fromkeys(
        ("in_version", "validated", "synchronised", "nothing_lost"), True
    )
    assert report["successful"]
    french = gamma.roosync("cycle", "report", "--markdown", "--language", "fr").out
    assert "Rapport de Clôture" in french
    assert "CHECKPOINT-SYNCED" in french
    assert list(alpha.json("cycle", "metrics")) == METRICS
    assert list(alpha.json("report", "status")) == STATUS


# -- seed 004


def test_a_divergence_is_told_alike_approved_by_a_person_and_gone(three, waiting):
    alpha, beta, gamma = three
    gamma.write(SETTINGS, settings("haiku"))
    decision = alpha.decision("pending", machine="gamma", entity=MODEL)
    gamma.roosync("cycle", "start", "--timeout", "2")
    stands = at(alpha, waiting, status="running", checkpoint="resolution")
    assert stands["strict"]
    lists = [[(d["machine"], d["id"]) for d in site.decisions(status="pending")] for site in three]
    assert lists[0] == lists[1] == lists[2] == [("gamma", decision["id"])]
    assert "Divergence Report - gamma" in beta.roosync("report", "divergence", decision["id"], "--markdown").out
    alpha.roosync("decision", "approve", decision["id"], "--yes")
    done = at(beta, waiting, status="done")
    assert names(done) == ["init", "status", "diffs", "resolution", "final"]
    assert not done["escalations"]
    figures = beta.json("cycle", "metrics")
    assert list(figures) == METRICS
    assert (figures["decisions_total"], figures["decisions_success"], figures["decisions_rollback"]) == (1, 1, 0)
    assert (figures["divergences_detected"], figures["divergences_resolved"]) == (1, 1)


def test_an_apply_that_fails_is_put_back_asked_again_and_then_goes_on(three, waiting):
    alpha, beta, gamma = three
    (beta.base / "refuse").touch()
    beta.write(SETTINGS, settings("haiku"))
    decision = alpha.decision("pending", machine="beta", entity=MODEL)
    alpha.roosync("cycle", "start", "--timeout", "2")
    at(alpha, waiting, status="running", checkpoint="resolution")
    alpha.roosync("decision", "approve", decision["id"], "--yes", codes=None)
    stopped = at(gamma, waiting, status="waiting", checkpoint="diffs")
    assert (stopped["round"], stopped["stopped"], triggers(stopped)) == (1, 2, ["apply_failed"])
    assert json.loads(beta.read(SETTINGS))["model"] == "haiku", "put back at once"
    assert "1 failed" in gamma.roosync("decisions", codes=(4,)).out
    seen = gamma.roosync("status", codes=(4,)).out
    assert "a person is asked: answer claude.settings/model on beta" in seen
    id_ = decision["id"]
    assert f"Next: roosync decision approve {id_}, or roosync decision reject {id_}" in seen
    assert show(gamma)["status"] == "waiting", "nothing is tried again by itself"
    (beta.base / "refuse").unlink()
    alpha.roosync("decision", "approve", decision["id"], "--yes", codes=None)
    done = at(gamma, waiting, status="done")
    again = [one for one in names(done) if one != "resolution"]  # which is passed over when it was applied by DIFFS
    assert again == ["init", "status", "diffs", "diffs", "final"]
    assert json.loads(beta.read(SETTINGS))["model"] == "opus"
    report = alpha.json("cycle", "report", codes=(0,))
    assert [(one["machine"], one["attempt"]) for one in report["rollbacks"]] == [("beta", 1)]
    assert report["rollbacks"][0]["reason"]
    assert alpha.json("cycle", "metrics")["decisions_rollback"] == 1


def test_what_a_person_takes_back_is_a_rollback_and_no_failure(three, waiting):
    alpha, beta, gamma = three
    applied = alpha.decisions(machine="beta", status="applied", entity=MODEL)[0]
    gamma.write(SETTINGS, settings("opus-mini"))
    other = alpha.decision("pending", machine="gamma", entity=MODEL)
    beta.roosync("cycle", "start", "--timeout", "2")
    at(alpha, waiting, status="running", checkpoint="resolution")
    alpha.roosync("decision", "rollback", applied["id"], codes=None)
    back = alpha.decision("rolled_back", machine="beta", entity=MODEL)
    alpha.roosync("decision", "approve", other["id"], "--yes", codes=None)
    alpha.decision("applied", machine="gamma", entity=MODEL)
    waiting("beta alone is waited for", lambda: show(alpha)["waits_for"] == ["beta"])
    assert (show(alpha)["status"], show(alpha)["checkpoint"]) == ("running", "resolution")
    alpha.roosync("decision", "approve", back["id"], "--yes", codes=None)
    done = at(alpha, waiting, status="done")
    assert not done["escalations"]
    report = alpha.json("cycle", "report", codes=(0,))
    assert [one["reason"].split(":")[0] for one in report["rollbacks"]] == ["taken back by a person"]
    assert report["metrics"]["decisions_rollback"] == 1


def test_an_agent_that_hangs_then_a_file_that_can_not_be_put_back(three, waiting):
    """Escalation 1, 2, 3, in this order, in one cycle."""
    alpha, beta, gamma = three
    hung = next(process for process in gamma.tree() if "agent" in process.cmdline())
    hung.send_signal(signal.SIGSTOP)
    try:
        alpha.roosync("cycle", "start", "--timeout", "0.15")
        stuck = at(alpha, waiting, status="waiting", checkpoint="init")
        assert levels(stuck) == [1, 2]
        assert stuck["waiting_for"].startswith("not there, no answer to a ping: gamma")
        (beta.base / "ruin").touch()
        beta.write(SETTINGS, settings("ruined"))
        decision = alpha.decision("pending", machine="beta", entity=MODEL)
        alpha.roosync("cycle", "excuse", "gamma", "--reason", "it hangs")
        at(alpha, waiting, status="running", checkpoint="resolution")
        alpha.roosync("decision", "approve", decision["id"], "--yes", codes=None)
        stopped = at(alpha, waiting, status="waiting", checkpoint="diffs")
    finally:
        hung.send_signal(signal.SIGCONT)
    assert levels(stopped) == [1, 2, 3]
    assert (stopped["stopped"], triggers(stopped)[-1]) == (3, "rollback_failed")
    seen = alpha.roosync("cycle", "show", codes=(3,)).out
    assert "nothing at all is applied on its machines" in seen
    assert "Next: roosync snapshots, on the machine named" in seen
    alpha.write(SETTINGS, settings("meanwhile"))
    held = alpha.decision("pending", machine="alpha", entity=MODEL)
    alpha.roosync("decision", "approve", held["id"], "--yes", codes=None)
    waiting("alpha says why it waits", lambda: any("a cycle is stopped" in n for n in alpha.row("alpha")["notes"]))
    assert json.loads(alpha.read(SETTINGS))["model"] == "meanwhile", "approved, and not applied"
    (beta.base / "ruin").unlink()
    shutil.rmtree(beta.path(SETTINGS))
    beta.write(SETTINGS, settings("opus"))  # the person repairs it
    alpha.roosync("decision", "reject", decision["id"], codes=None)
    alpha.decision("applied", machine="alpha", entity=MODEL)
    done = at(alpha, waiting, status="done")
    assert done["excused"] == {"gamma": "it hangs"}
    report = alpha.json("cycle", "report", codes=None)
    assert levels(report) == [1, 2, 3]
    assert report["excused"] == {"gamma": "it hangs"}


# -- what makes no sense

NONSENSE = {
    "no time": (("start", "--timeout", "0"), 1, ["time-out of 0 minutes", "above 0"]),
    "a stranger": (("start", "--targets", "delta"), 1, ["'delta' is no machine", "alpha, beta, gamma"]),
    "nobody": (("start", "--targets", ""), None, ["names no machine", "leave it out"]),
    "no route": (("start", "--route", "sideways"), None, ["coordination", "deployment"]),
    "no version": (("start", "--route", "deployment", "--version", "new"), 1, ["'new' is no version", "v2.1.0"]),
    "excused from an ended one": (("excuse", "beta"), 1, ["roosync cycle start"]),
    "aborted after the end": (("abort",), 1, ["roosync cycle start"]),
}


@pytest.mark.parametrize(("words", "code", "says"), NONSENSE.values(), ids=NONSENSE)
def test_what_makes_no_sense_is_refused_with_the_next_step(three, words, code, says):
    ran = three[0].roosync("cycle", *words, codes=None)
    assert ran.code == code if code is not None else ran.code != 0
    for part in says:
        assert part in ran.err + ran.out, ran


def test_while_one_runs_nothing_else_begins_and_nobody_is_left_alone(three, waiting):
    alpha, beta, gamma = three
    beta.write(SETTINGS, settings("another"))
    alpha.decision("pending", machine="beta", entity=MODEL)
    id_ = alpha.json("cycle", "start", "--timeout", "2", "--targets", "alpha,beta")["id"]
    at(alpha, waiting, status="running", checkpoint="resolution")
    beta.fails("cycle", "start", says=[id_, "roosync cycle watch", "roosync cycle abort"])
    alpha.fails("cycle", "resume", says=["waits for nobody's word", "roosync cycle watch"])
    alpha.fails("cycle", "excuse", "gamma", says=["takes no part", "alpha, beta"])
    alpha.roosync("cycle", "excuse", "alpha", "--reason", "busy")
    alpha.fails("cycle", "excuse", "alpha", says="excused from")
    alpha.fails("cycle", "excuse", "beta", says=["nobody would be left", f"roosync cycle abort {id_}"])
    alpha.roosync("cycle", "abort")
    assert show(gamma)["status"] == "aborted"
