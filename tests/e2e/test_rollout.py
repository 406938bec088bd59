"""Rollouts on real processes: a canary, a halt, what failed tried again, a machine that is not there, a stop.

Five machines and one person. What is not begun is looked at on the disk, and not only in what the commands say.
"""

import json
import signal
import time

import pytest

SETTINGS = ".claude/settings.json"
GLOB = "claude.settings/*"
NAMES = ("alpha", "beta", "delta", "gamma", "omega")


def settings(model):
    return json.dumps({"model": model, "cleanupPeriodDays": 30}, indent=2) + "\n"


@pytest.fixture(scope="module")
def five(fleets):
    """In step with one baseline. delta refuses the model haiku."""
    fleet = fleets()
    sites = [fleet.site(name) for name in NAMES]
    for site in sites:
        site.write(SETTINGS, settings("opus"))
        site.write(".claude/CLAUDE.md", "# Memory\n")
    check = f"! grep -q haiku '{fleet.sites['delta'].path(SETTINGS)}' || {{ echo 'no haiku here'; false; }}"
    fleet.sites["delta"].settings(f"[apply]\ncheck = {json.dumps(['sh', '-c', check])}\n")
    fleet.in_step(*sites)
    return fleet


def models(fleet):
    return {name: json.loads(site.read(SETTINGS))["model"] for name, site in fleet.sites.items()}


def change(fleet, waiting, model):
    """alpha has another model, and it becomes everybody's: the four others are asked."""
    alpha = fleet.sites["alpha"]
    alpha.write(SETTINGS, settings(model))
    decision = alpha.decision("pending", machine="alpha", entity="claude.settings/model")
    alpha.roosync("decision", "approve", decision["id"], "--action", "override_remote", "--yes")
    waiting("the others are asked", lambda: len(alpha.decisions(status="pending")) == 4)


def states(answer):
    return {row["machine"]: row["state"] for row in answer["machines"]}


def test_a_preview_signs_nothing_and_shows_the_same_change_once(five, waiting):
    alpha = five.sites["alpha"]
    change(five, waiting, "haiku")
    told = alpha.roosync("rollout", "start", "--entity", GLOB, "--preview", env={"COLUMNS": "80"}).out
    assert told.count("on 4 machines, the same on each") == 1
    assert "Wave 1      1 machine   beta" in told
    assert max(map(len, told.splitlines())) <= 80
    assert alpha.json("rollout", "list") == []
    assert {one["status"] for one in alpha.decisions(machine="beta")} == {"pending"}
    alpha.fails("rollout", "start", says="--entity GLOB")
    alpha.fails("rollout", "start", "--entity", GLOB, "--waves", "0", says=["0 is nobody", "--waves"])
    alpha.fails("rollout", "start", "--entity", GLOB, "--waves", "101%", says="more than all")
    alpha.fails("rollout", "start", "--entity", GLOB, "--canary", "9", says="larger than the 4")
    alpha.fails("rollout", "start", "--entity", GLOB, "--max-fail", "101", says="101 percent")
    alpha.fails("rollout", "start", "--entity", GLOB, "--on", "nobody-*", says="nobody-*")
    alpha.fails("rollout", "start", "--entity", "nothing/*", says="nothing that is called 'nothing/*' waits")
    alpha.fails("rollout", "start", "d-000000000000", says="there is no decision")
    assert alpha.json("rollout", "list") == []


def test_it_halts_when_one_fails_and_what_was_not_begun_is_untouched(five):
    alpha = five.sites["alpha"]
    done = alpha.json("rollout", "start", "--entity", GLOB, "--waves", "1", "--yes", codes=(4,))
    assert (done["status"], done["wave"], done["waves"]) == ("waiting", 2, 4)
    assert states(done) == {"beta": "changed", "delta": "failed", "gamma": "not_begun", "omega": "not_begun"}
    assert "no haiku here" in next(row["reason"] for row in done["machines"] if row["machine"] == "delta")
    assert models(five) == {"alpha": "haiku", "beta": "haiku", "delta": "opus", "gamma": "opus", "omega": "opus"}
    assert alpha.roosync("rollout", "show", codes=(4,)).out.count("FAILED") == 3
    assert alpha.roosync("status", codes=(4,)).out.count("rollout show") >= 1
    alpha.fails("rollout", "start", "--entity", GLOB, says="nothing that is called")  # what waits for a wave is taken


def test_only_what_failed_is_tried_again_and_then_it_goes_on_without(five):
    alpha, delta = five.sites["alpha"], five.sites["delta"]
    alpha.fails("rollout", "resume", "--without", "beta", "--yes", says="ended well")
    alpha.fails("rollout", "resume", "--without", "nobody", "--yes", says="takes no part")
    again = alpha.json("rollout", "resume", "--yes", codes=(4,))
    assert (again["round"], again["status"]) == (1, "waiting")
    assert [d["attempt"] for d in alpha.decisions(machine="delta", entity="claude.settings/model")] == [2]
    assert [d["attempt"] for d in alpha.decisions(machine="beta", entity="claude.settings/model")] == [1]
    delta.settings("")
    told = alpha.roosync("rollout", "resume", "--skip-failed", "--yes", codes=(4,)).out
    assert "goes on without: delta" in told
    assert "3 changed, 1 FAILED (of 4 machines)" in told
    assert models(five) == {"alpha": "haiku", "beta": "haiku", "delta": "opus", "gamma": "haiku", "omega": "haiku"}
    alpha.fails("rollout", "resume", says="begins another one")


def test_a_machine_that_is_not_there_is_named_within_two_seconds(five, waiting):
    alpha, omega = five.sites["alpha"], five.sites["omega"]
    failed = alpha.decision("rolled_back", machine="delta", entity="claude.settings/model")
    alpha.roosync("decision", "reject", failed["id"])
    alpha.write(SETTINGS, settings("sonnet"))
    decision = alpha.decision("pending", machine="alpha", entity="claude.settings/model")
    alpha.roosync("decision", "approve", decision["id"], "--action", "override_remote", "--yes")
    waiting("omega is asked", lambda: alpha.decisions(machine="omega", status="pending"))
    omega.tree()
    omega.process.send_signal(signal.SIGKILL)
    omega.process.wait(10)
    began = time.monotonic()
    asked = alpha.json("request", "omega or gamma", "--action", "publish", "--wait", "30", codes=(5,))
    assert {row["machine"]: row["state"] for row in asked["machines"]} == {"gamma": "done", "omega": "unreachable"}
    assert time.monotonic() - began < 6
    assert "unreachable: omega" in alpha.roosync("ping", codes=(5,)).out
    began = time.monotonic()
    done = alpha.json("rollout", "start", "--entity", GLOB, "--on", "omega", "--canary", "0", "--yes", codes=(5,))
    assert time.monotonic() - began < 6  # with the command's own start and the signatures; the wave is measured below
    assert states(done) == {"omega": "unreachable"}
    assert done["status"] == "waiting"
    omega.up("agent")
    waiting("omega waits for a person, as everybody", lambda: omega.row()["state"] == "diverged")
    back = alpha.json("rollout", "resume", "--yes", codes=(0,))
    assert states(back) == {"omega": "changed"}
    assert json.loads(omega.read(SETTINGS))["model"] == "sonnet"


def test_what_was_approved_for_a_stopped_rollout_is_named_and_can_be_approved_again(five, waiting):
    alpha = five.sites["alpha"]
    waiting("the rest is asked", lambda: alpha.decisions(machine="gamma", status="pending"))
    asked = {d["machine"]: d["id"] for d in alpha.decisions(status="pending")}
    started = alpha.json("rollout", "start", *asked.values(), "--pause", "600", "--yes", "--no-watch")
    id_ = started["id"]
    waiting("the canary is through", lambda: alpha.ask("rollout_show", id_=id_)["next_wave"])
    alpha.fails("rollout", "start", asked["gamma"], says="is approved already")
    stopped = alpha.json("rollout", "stop", id_, "--reason", "enough")
    assert stopped["status"] == "stopped"
    left = {name: id_ for name, id_ in asked.items() if states(stopped)[name] == "not_begun"}
    assert sorted(stopped["hanging"]) == sorted(left.values())
    assert alpha.roosync("rollout", "show", id_, codes=(2,)).out.count("decision approve") == 1
    alpha.fails("rollout", "stop", id_, says="is stopped")
    one, *rest = left.values()
    alpha.roosync("decision", "approve", one, "--yes")
    alpha.json("rollout", "start", *rest, "--yes", codes=(0,))
    assert set(models(five).values()) == {"sonnet"}
    assert [row["status"] for row in alpha.json("rollout", "list")] == ["done", "done", "stopped", "done"]


def test_many_that_are_approved_at_once_are_shown_once_and_accounted_for(five, waiting):
    alpha, omega = five.sites["alpha"], five.sites["omega"]
    change(five, waiting, "opus")
    omega.tree()
    omega.process.send_signal(signal.SIGKILL)
    omega.process.wait(10)
    began = time.monotonic()
    ran = alpha.roosync("approve", "--all", "--risk", "medium", "--yes", "--wait", "60", codes=(5,))
    assert time.monotonic() - began < 8
    assert ran.out.count("on 4 machines, the same on each") == 1
    assert "3 changed, 1 unreachable (of 4 machines)" in ran.out
    omega.up("agent")
    alpha.until_synced()
