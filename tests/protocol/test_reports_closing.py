"""The closing report of a cycle: figures from the records, each failed attempt with its reason, two languages."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from roosync_broker.keys import verify
from roosync_protocol.cycle.metrics import Evidence
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Baseline, Cycle, Decision, Side, StatusReport
from roosync_protocol.messages.work import Escalation, Reached
from roosync_protocol.reports import closing_markdown, closing_report

T0 = datetime(2025, 12, 8, 9, tzinfo=UTC)
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


SHA = "a" * 64


def decision(entity="roo.mcp/github", **more):
    given = {
        "agent": "beta", "timestamp": T0, "id": "d-0123456789ab", "revision": 1, "operation_id": "o-1",
        "machine": "beta", "entity": entity, "kind": Kind.MCP_SERVER, "category": "config", "reference": "baseline",
        "verdict": "drift", "local": Side(digest=SHA), "remote": Side(digest=None), "wanted": Side(digest=None),
        "action": "override_local", "justification": "It was changed.", "risk": "high", "surface": SHA,
        "status": "pending", "created": T0, "expires": T0 + timedelta(days=30),
    }  # fmt: skip
    return Decision(**{**given, **more})


def at(minutes):
    return T0 + timedelta(minutes=minutes)


def cycle(route="deployment", status="done", reached=("version", "collected", "baseline", "synced"), **more):
    given = {
        "agent": "alpha", "timestamp": at(9), "id": "c-1", "revision": 9, "operation_id": "o-1", "route": route,
        "status": status, "participants": ("alpha", "beta", "gamma"), "checkpoint": "synced", "timeout_minutes": 60.0,
        "required_version": "2.1.0", "started": T0, "entered": at(4),
        "reached": tuple(Reached(checkpoint=c, round=0, at=at(n + 1), divergences=n) for n, c in enumerate(reached)),
    }  # fmt: skip
    return Cycle(**{**given, **more})


def status(machine, version="2.1.0", *, synced=True, **more):
    return StatusReport(
        agent=machine, timestamp=T0, machines_detected=3, status="synced" if synced else "diverged",
        divergences_count=0 if synced else 1, roosync_version=version, last_sync=T0 if synced else None, **more,
    )  # fmt: skip


LAW = Baseline(agent="op-ana", timestamp=T0, revision=3, version="1.2.0", commons=SHA)


def evidence(*statuses, decisions=(), steps=None, baseline=LAW):
    statuses = statuses or tuple(map(status, ("alpha", "beta", "gamma")))
    return Evidence(decisions=decisions, steps=steps or {}, statuses={s.agent: s for s in statuses}, baseline=baseline)


def report(made=None, known=None):
    return closing_report(made or cycle(), known or evidence(), "alpha", at(10))


def criteria(made):
    return {one.name: (one.met, one.found) for one in made.criteria}


def test_a_deployment_that_went_well_meets_the_four_criteria():
    made = report()
    assert criteria(made) == {
        "in_version": (True, "2.1.0: 3/3 (100%)"),
        "validated": (True, "1.2.0, revision 3, op-ana"),
        "synchronised": (True, "3/3 (100%)"),
        "nothing_lost": (True, "0"),
    }
    assert made.successful
    assert [(s.checkpoint, s.seconds, s.divergences) for s in made.checkpoints] == [
        ("VERSION", 60.0, 0), ("COLLECTED", 60.0, 1), ("BASELINE", 60.0, 2), ("SYNCED", 60.0, 3),
    ]  # fmt: skip
    assert made.divergences_per_phase == {"VERSION": 0, "COLLECTED": 1, "BASELINE": 2, "SYNCED": 3}
    assert (made.started, made.ended) == (T0, at(4))
    assert list(made.metrics) == [
        "test_session", "duration_minutes", "checkpoints_reached", "sync_latency_avg_seconds", "decisions_total",
        "decisions_success", "decisions_rollback", "divergences_detected", "divergences_resolved",
    ]  # fmt: skip
    msgspec.json.encode(made)


ALPHA, BETA, GAMMA = map(status, ("alpha", "beta", "gamma"))
GONE = decision(
    status="applied", local=Side(digest=SHA), wanted=Side(digest=None), risk="high", timestamp=at(1)
)  # no approval
BROKEN = decision(status="rollback_failed", timestamp=at(1))
EMPTY = status("gamma", quarantine={"roo.mcp": "empty"})
UNMET = {
    "an agent of an older version": (evidence(ALPHA, BETA, status("gamma", "2.0.9")), "in_version", "67%); gamma"),
    "an agent that never reported": (evidence(ALPHA, BETA), "in_version", "67%); gamma"),
    "and never synchronised": (evidence(ALPHA, BETA), "synchronised", "gamma"),
    "no baseline": (evidence(baseline=None), "validated", "-"),
    "a rollback that failed": (evidence(decisions=(BROKEN,)), "nothing_lost", "beta: roo.mcp/github"),
    "removed without a person": (evidence(decisions=(GONE,)), "nothing_lost", "beta: roo.mcp/github"),
    "quarantined": (evidence(ALPHA, BETA, EMPTY), "nothing_lost", "gamma: roo.mcp"),
}


@pytest.mark.parametrize(("known", "name", "found"), UNMET.values(), ids=UNMET)
def test_what_is_not_shown_is_not_met(known, name, found):
    made = report(None, known)
    met, told = criteria(made)[name]
    assert not met
    assert found in told
    assert not made.successful


def test_an_excused_agent_is_named_and_not_waited_for():
    made = report(cycle(excused={"gamma": f"on holiday, {TOKEN}"}), evidence(ALPHA, BETA))
    assert made.successful
    assert criteria(made)["in_version"] == (True, "2.1.0: 2/2 (100%)")
    text = closing_markdown(made)
    assert "### Excused Agents\n- gamma: on holiday" in text
    assert TOKEN not in text
    assert TOKEN not in str(made)


def test_without_a_required_version_all_have_the_newest_one():
    assert criteria(report(cycle(required_version="")))["in_version"] == (True, "2.1.0: 3/3 (100%)")
    mixed = evidence(ALPHA, BETA, status("gamma", "2.2.0"))
    assert criteria(report(cycle(required_version=""), mixed))["in_version"] == (False, "2.2.0: 1/3 (33%); alpha, beta")
    assert not criteria(report(cycle(required_version=""), evidence(status("alpha", ""))))["in_version"][0]


def test_each_failed_attempt_is_there_once_with_its_reason_also_when_a_later_one_went_well():
    first = decision(status="failed", attempt=1, timestamp=at(1), log=("check said no",))
    undone = decision(status="rolled_back", attempt=1, timestamp=at(2), log=("check said no", f"put back {TOKEN}"))
    good = decision(status="applied", attempt=2, timestamp=at(3), approvals=())
    failures = ("beta/d-0123456789ab/1", "gamma/d-forgotten/1", "nonsense")
    told = Escalation(
        level=2, reason="applying x on gamma (d-forgotten) failed", checkpoint="synced", round=0, at=at(2)
    )
    known = evidence(decisions=(good,), steps={good.id: (first, undone, good)})
    made = report(cycle(failures=failures, escalations=(told,)), known)
    rows = [(u.machine, u.decision_id, u.attempt, u.reason.split(" ghp")[0]) for u in made.rollbacks]
    assert rows[0][:3] == ("beta", "d-0123456789ab", 1)
    assert rows[0][3].startswith("put back")
    assert rows[1] == ("gamma", "d-forgotten", 1, "applying x on gamma (d-forgotten) failed")
    assert len(rows) == 2
    assert TOKEN not in closing_markdown(made)


def test_the_steps_of_a_decision_are_those_of_members_oldest_first(world):
    first = decision(agent="pc-a", machine="pc-a", status="pending", operation_id="o-a")
    failed = world.step(first, "pc-a", "failed", log=("check said no",))
    forged = world.say(world.step(first, "pc-a", "applied"), signer="somebody")
    fleet = Fleet(world.law, verify)
    for heard in (world.say(first), forged, world.say(failed)):
        fleet.hear(heard)
    assert [one.status for one in fleet.steps("pc-a", first.id)] == ["pending", "failed"]
    assert fleet.steps("pc-b", first.id) == []


def test_nobody_else_says_that_an_apply_failed():
    forged = decision(agent="gamma", status="failed", timestamp=at(1), log=("a lie",))
    good = decision(status="applied", timestamp=at(2))
    assert report(None, evidence(decisions=(good,), steps={good.id: (forged, good)})).rollbacks == ()


def test_a_coordination_cycle_is_judged_by_what_is_left():
    rejected = decision(status="rejected", timestamp=at(1))
    pending = decision(entity="roo.mcp/open", status="pending", timestamp=at(1))
    made = report(cycle("coordination", reached=("init", "status", "diffs", "final")), evidence(decisions=(rejected,)))
    assert criteria(made) == {"in_step": (True, "3/3 (100%)"), "resolved": (True, "0"), "nothing_lost": (True, "0")}
    assert made.accepted_differences == ("beta: roo.mcp/github",)
    made = report(cycle("coordination"), evidence(ALPHA, status("beta", synced=False), GAMMA, decisions=(pending,)))
    assert criteria(made)["resolved"] == (False, "beta: roo.mcp/open")
    assert not criteria(made)["in_step"][0]


def test_a_cycle_that_runs_has_no_end_and_no_success():
    made = report(cycle(status="waiting", reached=(), waiting_for="answer x"))
    assert (made.ended, made.successful, made.checkpoints) == (None, False, ())
    assert "- Ended: not yet" in closing_markdown(made)
    assert "- Waiting For: answer x" in closing_markdown(made)


HEADINGS = {
    "en": ["Summary", "Success Criteria", "Checkpoints", "Divergences per Phase", "Accepted Differences", "Rollbacks",
           "Escalations", "Excused Agents", "Metrics"],
    "fr": ["Synthèse", "Critères de Succès", "Checkpoints", "Divergences par Phase", "Différences Acceptées",
           "Rollbacks", "Escalades", "Agents Excusés", "Métriques"],
}  # fmt: skip


@pytest.mark.parametrize("language", HEADINGS)
def test_the_markdown_form_has_every_part_in_both_languages(language):
    text = closing_markdown(report(), language)
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == HEADINGS[language]
    assert "CHECKPOINT-SYNCED" in text
    assert re.search("- checkpoints_reached ?: VERSION, COLLECTED, BASELINE, SYNCED\n", text)
    assert ("atteint (100" in text or "atteint (2.1.0" in text) == (language == "fr")


def test_hostile_words_start_no_markup():
    hostile = "x\n## Status\n**met** <script> `"
    made = report(cycle(note=hostile, excused={"gamma": hostile}, waiting_for=hostile), evidence(ALPHA, BETA))
    text = closing_markdown(made)
    assert "\n## Status" not in text
    assert "<script>" not in text
    assert "**met**" not in text
