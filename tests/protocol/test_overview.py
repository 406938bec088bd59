"""The fleet at one look: who is named, what counts as known, and the exit code a monitor gets."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest

from roosync_protocol.cycle.participant import digest_of
from roosync_protocol.envelope import Heard
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import (
    Arrival,
    Baseline,
    Cycle,
    Member,
    Operator,
    Policy,
    Result,
    Rollout,
    Roster,
    StatusReport,
)
from roosync_protocol.messages.work import Escalation
from roosync_protocol.overview import exit_code, exit_codes, overview

T0 = datetime(2026, 1, 16, 12, tzinfo=UTC)
KEY = "U" + "A" * 55
SHA = "a" * 64


@dataclass
class View:
    """What `overview` asks of a Fleet, given as plain data: proofs are tested in test_fleet."""

    law: Law
    reports: dict[str, StatusReport] = field(default_factory=dict)
    found: list = field(default_factory=list)
    open: object = None
    refused: Counter = field(default_factory=Counter)
    run: list = field(default_factory=list)
    arrived: dict = field(default_factory=dict)
    rolled: list = field(default_factory=list)

    def refusals(self):
        return self.refused

    def status(self, machine):
        return self.reports.get(machine)

    def decisions(self, machine=None):
        yield from (d for d in self.found if machine in (None, d.machine))

    def open_proposal(self):
        return self.open

    def requests(self):
        return []

    def open_cycles(self):
        return self.run

    def decision(self, machine, id_):
        return SimpleNamespace(state=next((d for d in self.found if (d.machine, d.id) == (machine, id_)), None))

    def rollouts(self):
        return self.rolled

    def arrivals(self, cycle):
        return self.arrived


def member(name, **more):
    return Member(agent="op-ana", timestamp=T0, revision=1, machine=name, key=KEY, **more)


def law(*names, revision=2, **more):
    base = Baseline(agent="op-ana", timestamp=T0, revision=revision, version=f"1.{revision}.0", commons=SHA)
    roster = Roster(agent="op-ana", timestamp=T0, revision=1, operators={"op-ana": Operator(key=KEY)})
    given = {"roster": roster, "baseline": base if revision else None, **more}
    return Law(fleet="home", root=KEY, members={n: member(n) for n in names}, **given)


def report(name, status="synced", count=0, **more):
    more = {"baseline_revision": 2, "baseline_version": "1.2.0", "roosync_version": "0.1.0", **more}
    return StatusReport(
        agent=name, timestamp=T0, machines_detected=1, status=status, divergences_count=count, last_sync=T0, **more
    )


def decision(machine, status="pending", verdict="drift", action="override_local", id_="d-1", requested=False, **more):
    fields = {"reference": "baseline", "rollback_requested": requested} | more
    return SimpleNamespace(machine=machine, status=status, verdict=verdict, action=action, id=id_, **fields)


def cycle(status="running", **more):
    return Cycle(
        agent="a", timestamp=T0, id="c-1", revision=1, operation_id="o-1", route="coordination", status=status,
        participants=("a", "b"), checkpoint="diffs", timeout_minutes=1, started=T0, entered=T0, **more,
    )  # fmt: skip


def fleet(*reports, decisions=(), names=("a", "b"), **more):
    return View(law(*names, **more), {r.agent: r for r in reports}, list(decisions))


ALL = {"a": T0, "b": T0}
BOTH = (report("a"), report("b"))

# what is known of a and b -> state of b, overall, divergences, exit codes; `a` asks
SITUATIONS = {
    "in step": (fleet(*BOTH), ALL, "synced", "synced", 0, (0,)),
    "drift": (fleet(report("a"), report("b", "diverged", 3)), ALL, "diverged", "diverged", 3, (2,)),
    "counted, though it says synced": (fleet(report("a"), report("b", count=1)), ALL, "diverged", "diverged", 1, (2,)),
    "a decision waits, and the report is of before": (
        fleet(*BOTH, decisions=[decision("b")]), ALL, "diverged", "diverged", 0, (2, 3)
    ),
    "approved waits for no person, and is not there yet": (
        fleet(*BOTH, decisions=[decision("b", "approved")]), ALL, "diverged", "diverged", 0, (2,)
    ),
    "a question about another machine": (
        fleet(*BOTH, decisions=[decision("b", reference="machine:a")]), ALL, "synced", "synced", 0, (3,)
    ),
    "conflict": (
        fleet(report("a"), report("b", "diverged", 1), decisions=[decision("b", verdict="conflict")]),
        ALL, "conflict", "conflict", 1, (3, 4),
    ),
    "a conflict whose sides fit together": (
        fleet(report("a"), report("b", "diverged", 1), decisions=[decision("b", verdict="conflict", action="merge")]),
        ALL, "diverged", "diverged", 1, (2, 3),
    ),
    "a conflict that was answered": (
        fleet(*BOTH, decisions=[decision("b", "rejected", "conflict")]), ALL, "synced", "synced", 0, (0,)
    ),
    "a rollback failed": (
        fleet(*BOTH, decisions=[decision("b", "rollback_failed")]), ALL, "conflict", "conflict", 0, (4,)
    ),
    "an apply failed, and was put back": (
        fleet(report("a"), report("b", "diverged", 1), decisions=[decision("b", "rolled_back")]),
        ALL, "diverged", "diverged", 1, (2, 4),
    ),
    "an apply failed, and is being put back": (
        fleet(report("a"), report("b", "diverged", 1), decisions=[decision("b", "failed")]),
        ALL, "diverged", "diverged", 1, (2, 4),
    ),
    "an apply failed, and the file was mended by hand": (
        fleet(*BOTH, decisions=[decision("b", "rolled_back")]), ALL, "synced", "synced", 0, (0,)
    ),
    "a person took it back": (
        fleet(report("a"), report("b", "diverged", 1), decisions=[decision("b", "rolled_back", requested=True)]),
        ALL, "diverged", "diverged", 1, (2,),
    ),
    "quarantine": (
        fleet(report("a"), report("b", quarantine={"roo.mcp": "emptied"})), ALL, "quarantined", "conflict", 0, (4,)
    ),
    "a target could not be read": (
        fleet(report("a"), report("b", unread={"roo.mcp": "invalid"})), ALL, "synced", "synced", 0, (2,)
    ),
    "a single file could not be read": (
        fleet(report("a"), report("b", skipped=("x.md: secret",))), ALL, "synced", "synced", 0, (0,)
    ),
    "things that the baseline does not speak of": (
        fleet(report("a"), report("b", only_here=3)), ALL, "synced", "synced", 0, (0,)
    ),
    "silent": (fleet(*BOTH), {"a": T0}, "synced", "synced", 0, (5,)),
    "silent with a conflict elsewhere": (
        fleet(*BOTH, decisions=[decision("a", verdict="conflict")]), {"a": T0}, "synced", "conflict", 0, (3, 4, 5)
    ),
    "present, and never reported": (fleet(report("a")), ALL, "no_report", "unknown", 0, (5,)),
    "nobody reported": (fleet(), ALL, "no_report", "unknown", None, (5,)),
    "presence could not be read": (fleet(*BOTH), None, "synced", "synced", 0, (5,)),
    "a cycle that goes on": (replace(fleet(*BOTH), run=[cycle()]), ALL, "synced", "synced", 0, (0,)),
    "a cycle that ended": (replace(fleet(*BOTH), run=[cycle("aborted")]), ALL, "synced", "synced", 0, (0,)),
    "a cycle that waits for a person": (
        replace(fleet(*BOTH), run=[cycle("waiting", stopped=2)]), ALL, "synced", "synced", 0, (3,)
    ),
    "no baseline": (
        fleet(report("a", "unknown"), report("b", "unknown"), revision=0), ALL, "unknown", "unknown", None, (2,)
    ),
    "in step with an older baseline": (
        fleet(report("a"), report("b", baseline_revision=1)), ALL, "unknown", "unknown", 0, (2,)
    ),
}  # fmt: skip


@pytest.mark.parametrize(("view", "present", "state", "status", "count", "codes"), SITUATIONS.values(), ids=SITUATIONS)
def test_what_is_known_and_what_a_monitor_is_told(view, present, state, status, count, codes):
    seen = overview(view, "a", present, T0)
    b = seen.machines[1]
    assert (b.machine, b.state, seen.status, seen.divergences_count) == ("b", state, status, count)
    assert exit_codes(seen) == codes
    assert exit_code(seen) == codes[-1]


def test_every_expected_machine_is_named_and_the_asking_one_sees_itself():
    view = fleet(report("a"), names=("a", "b", "c"))
    rows = {row.machine: row for row in overview(view, "a", {"b": T0}, T0 + timedelta(minutes=1)).machines}
    assert {m: r.seen for m, r in rows.items()} == {"a": "present", "b": "present", "c": "silent"}
    assert rows["a"].last_seen == T0 + timedelta(minutes=1)
    assert rows["b"].last_seen == T0
    assert rows["c"].last_seen is None
    assert rows["c"].waiting_for == "the machine to come back"


def test_a_machine_that_is_no_member_yet_still_sees_itself():
    row = next(r for r in overview(fleet(*BOTH), "new", ALL, T0).machines if r.machine == "new")
    assert (row.seen, row.state) == ("present", "no_report")
    assert "no member of this fleet yet" in row.notes


def test_an_operator_asks_and_is_no_machine():
    seen = overview(fleet(*BOTH), "op-ana", ALL, T0)
    assert [row.machine for row in seen.machines] == ["a", "b"]
    assert (seen.agent, seen.machines_detected) == ("op-ana", 2)


def test_a_revoked_machine_is_not_expected():
    view = fleet(*BOTH)
    view.law.members["b"] = member("b", revoked=True)
    assert [row.machine for row in overview(view, "a", ALL, T0).machines] == ["a"]


def test_unknown_is_never_zero():
    row = overview(fleet(report("a"), report("b", "unknown")), "a", None, T0).machines[1]
    assert (row.seen, row.divergences_count, row.last_seen) == ("unknown", None, T0)
    silent = overview(fleet(report("a")), "a", {}, T0).machines[1]
    assert (silent.divergences_count, silent.roosync_version, silent.baseline_version) == (None, None, None)


WAITING = {  # the most urgent thing first
    "nothing": (report("b"), [], ""),
    "decisions": (report("b", "diverged", 2), [decision("b"), decision("b")], "a person: 2 decisions"),
    "conflict": (
        report("b", "diverged", 1), [decision("b", verdict="conflict")], "a person: 1 decision, with a conflict"
    ),
    "approved": (report("b", "diverged", 1), [decision("b", "applying")], "the machine: 1 approved change to apply"),
    "quarantine": (report("b", quarantine={"roo.mcp": "x"}), [decision("b")], "a person: repair or accept roo.mcp"),
    "unread": (report("b", unread={"roo.mcp": "x"}), [], "a person: repair roo.mcp, which can not be read"),
    "newer baseline": (report("b", baseline_revision=1), [], "its comparison with baseline 1.2.0"),
    "broken": (report("b"), [decision("b", "rollback_failed", id_="d-7")], "a person: the rollback of d-7 failed"),
}  # fmt: skip


@pytest.mark.parametrize(("b", "decisions", "text"), WAITING.values(), ids=WAITING)
def test_who_has_to_do_what(b, decisions, text):
    assert overview(fleet(report("a"), b, decisions=decisions), "a", ALL, T0).machines[1].waiting_for == text


def test_what_was_not_read_and_what_is_not_shared_is_shown_with_its_machine():
    said = report("b", unread={"roo.mcp": "invalid"}, skipped=("x.md: secret",), only_here=3)
    a, b = overview(fleet(report("a"), said), "a", ALL, T0).machines
    assert (b.unread, b.skipped, b.only_here) == ({"roo.mcp": "invalid"}, 1, 3)
    assert b.notes == ("roo.mcp not read: invalid", "not read: x.md: secret")
    assert (a.unread, a.skipped, a.only_here) == ({}, 0, None), "an older agent does not say what only it has"


def test_paused_and_refused_are_said():
    view = fleet(*BOTH, policy=Policy(agent="op-ana", timestamp=T0, revision=1, paused_machines=frozenset({"b"})))
    view.refused.update({f"reason {n}": n for n in range(1, 40)})
    seen = overview(view, "a", ALL, T0)
    assert [row.paused for row in seen.machines] == [False, True]
    assert (len(seen.refused), seen.refused["reason 39"], seen.refused_total) == (20, 39, sum(range(40)))


EXPIRY = [(timedelta(days=15), ""), (timedelta(days=14), "expires on"), (-timedelta(days=1), "expired on")]


@pytest.mark.parametrize(("left", "said"), EXPIRY)
def test_law_that_runs_out_is_announced(left, said):
    view = fleet(*BOTH)
    view.law.members["b"] = member("b", expires=T0 + left)
    text = " ".join(overview(view, "a", ALL, T0).warnings)
    assert (f"the membership of b {said}" in text) if said else not text


def test_a_proposal_waits_for_a_person_until_a_baseline_overtakes_it():
    view = fleet(*BOTH)
    view.open = SimpleNamespace(id="p-1", status="open", arbitrations=2, after_revision=2)
    seen = overview(view, "a", ALL, T0)
    assert (seen.proposal.id, seen.proposal.open_questions, exit_code(seen)) == ("p-1", 2, 3)
    view.open = SimpleNamespace(id="p-1", status="open", arbitrations=2, after_revision=1)
    assert overview(view, "a", ALL, T0).proposal is None


def test_json_begins_with_the_fields_of_the_founding_protocol():
    said = msgspec.json.decode(msgspec.json.encode(overview(fleet(*BOTH), "a", ALL, T0)))
    assert list(said)[:5] == ["agent", "timestamp", "machines_detected", "status", "divergences_count"]


def test_it_reads_a_real_fleet_and_believes_only_genuine_reports():
    real = Fleet(law("a", "b"), lambda *_: True)
    for name, signer in (("a", KEY), ("b", "U" + "B" * 55)):
        subject = f"post.home.status.{name}"
        real.hear(Heard(message=report(name), subject=subject, speaker=name, signer=signer, operation="o", sequence=1))
    seen = overview(real, "a", ALL, T0)
    assert [row.state for row in seen.machines] == ["synced", "no_report"]
    assert seen.refused_total == 1


def arrival(machine, cycle):
    return Arrival(
        agent=machine, timestamp=T0, cycle=cycle.id, checkpoint=cycle.checkpoint, round=0, status="synced",
        divergences=digest_of((), ()),
    )  # fmt: skip


WAYS = "roosync cycle resume c-1, or roosync cycle abort c-1"
STOPS = {  # who arrived since its time was over -> what a person is asked, and the commands
    "nobody": ((), "not there: b", f"roosync cycle excuse MACHINE, {WAYS}"),
    "one": (("a",), "not there: b", f"roosync cycle excuse b, {WAYS}"),
    "whom it named": (
        ("b",),
        "has not arrived: a; excuse a machine, resume, or abort",
        f"roosync cycle excuse a, {WAYS}",
    ),
    "all": (("a", "b"), "", "roosync cycle resume c-1    (what it waited for is there)"),
}


@pytest.mark.parametrize(("there", "asked", "following"), STOPS.values(), ids=STOPS)
def test_a_cycle_that_stopped_is_told_as_it_is_now(there, asked, following):
    told = Escalation(level=2, reason="late", checkpoint="diffs", round=0, at=T0, trigger="time_over")
    stopped = cycle("waiting", stopped=2, waiting_for="not there: b", escalations=(told,))
    view = replace(fleet(*BOTH), run=[stopped], arrived={name: arrival(name, stopped) for name in there})
    (row,) = overview(view, "a", None, T0).cycles
    assert (row.id, row.checkpoint, row.stopped, row.waiting_for) == ("c-1", "DIFFS", 2, asked)
    assert row.next_step == following


ROLLOUTS = {  # status -> exit codes of a fleet in step, the command for a person
    "prepared": ((3,), "roosync update resume r-1"),
    "running": ((0,), ""),
    "waiting": ((4,), "roosync update show r-1"),
    "done": ((0,), None),
    "stopped": ((0,), None),
}


@pytest.mark.parametrize(("status", "codes", "following"), [(s, *told) for s, told in ROLLOUTS.items()], ids=ROLLOUTS)
def test_a_rollout_that_waits_for_a_person_is_told(status, codes, following):
    one = Rollout(
        agent="a", timestamp=T0, id="r-1", revision=4, operation_id="o-1", purpose="update", status=status,
        waves=(("a",), ("b",)), wave=1, timeout_minutes=5, started=T0, opened=T0, waiting_for="b failed",
    )  # fmt: skip
    seen = overview(replace(fleet(*BOTH), rolled=[one]), "a", ALL, T0)
    assert exit_codes(seen) == codes
    assert [(row.wave, row.waves, row.next_step) for row in seen.rollouts] == (
        [] if following is None else [(2, 2, following)]
    )


HELD = {  # status of the rollout, the decision of b -> what b waits for
    "it halted": ("waiting", "approved", "a person: 1 approved change of r-1"),
    "it was stopped": ("stopped", "approved", "a person: 1 approved change of r-1"),
    "it goes on": ("running", "approved", "the machine: 1 approved change to apply"),
    "the change is being made": ("waiting", "applying", "the machine: 1 approved change to apply"),
}


@pytest.mark.parametrize(("status", "of_b", "waits"), HELD.values(), ids=HELD)
def test_who_waits_for_a_rollout_that_halted_waits_for_a_person(status, of_b, waits):
    bad = {name: Result(outcome="failed", reason="no space " * 40) for name in "acd"}
    one = Rollout(
        agent="a", timestamp=T0, id="r-1", revision=4, operation_id="o-1", purpose="decisions", status=status,
        waves=(("a", "c", "d"), ("b",)), items=dict.fromkeys("abcd", ("d-1",)), timeout_minutes=5, started=T0,
        opened=T0, results=bad if status == "waiting" else {},
    )  # fmt: skip
    said = (SimpleNamespace(payload='{"rollout":"r-1"}'),)
    view = replace(fleet(*BOTH, decisions=[decision("b", of_b, approvals=said)]), rolled=[one])
    seen = overview(view, "a", ALL, T0)
    assert next(row.waiting_for for row in seen.machines if row.machine == "b") == waits
    if status == "waiting":
        assert seen.rollouts[0].waiting_for == "3 did not end well: a (failed), c (failed) and 1 more"


LEFT = {  # the decision of b, the rollout that its newest approval names -> is a person asked?
    "approved, and it waits for ever": ("approved", "r-1", True),
    "approved singly since": ("approved", "", False),
    "applied before it was stopped": ("applied", "r-1", False),
}


@pytest.mark.parametrize(("status", "named", "asked"), LEFT.values(), ids=LEFT)
def test_what_a_stopped_rollout_leaves_behind_is_told(status, named, asked):
    one = Rollout(
        agent="a", timestamp=T0, id="r-1", revision=4, operation_id="o-1", purpose="decisions", status="stopped",
        waves=(("b",),), items={"b": ("d-1", "d-9")}, timeout_minutes=5, started=T0, opened=T0,
    )  # fmt: skip
    said = tuple(SimpleNamespace(payload=f'{{"rollout":"{name}"}}') for name in ("r-1", named))
    seen = overview(
        replace(fleet(*BOTH, decisions=[decision("b", status, approvals=said)]), rolled=[one]), "a", ALL, T0
    )
    assert [row.next_step for row in seen.rollouts] == ["roosync rollout show r-1"] * asked
    assert (3 in exit_codes(seen)) is asked
    assert all("1 change that was approved for it is not applied" in row.waiting_for for row in seen.rollouts)


@pytest.mark.parametrize(
    ("requested", "says"), [(False, "a person: d-1 failed, and was put back"), (True, "its decisions")]
)
def test_a_change_that_failed_waits_for_a_person_and_one_that_was_taken_back_does_not(requested, says):
    view = fleet(report("a"), report("b", "diverged"), decisions=[decision("b", "rolled_back", requested=requested)])
    assert overview(view, "a", ALL, T0).machines[1].waiting_for == says
