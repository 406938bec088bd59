"""May this machine begin? And how does each machine stand, by its own decisions or its report of an update?"""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Result, Rollout, UpdateReport
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.rollout import gate
from roosync_protocol.rollout.standing import contradiction, end_of, is_updating, waits_for


def rollout(world, **more):
    fields = {
        "agent": "op-ann",
        "timestamp": world.now,
        "id": "r-1",
        "revision": 3,
        "operation_id": "o-1",
        "purpose": "decisions",
        "status": "running",
        "waves": (("pc-a",), ("pc-b",)),
        "items": {"pc-a": ("d-1",), "pc-b": ("d-2",)},
        "timeout_minutes": 10,
        "started": world.now,
        "opened": world.now,
    }
    return Rollout(**{**fields, **more})


GATES = {  # the rollout, the machine -> why not
    "the first wave": ({}, "pc-a", None),
    "the second": ({}, "pc-b", "wave 2 of r-1 is not open yet"),
    "opened": ({"wave": 1}, "pc-b", None),
    "an earlier one": ({"wave": 1}, "pc-a", None),
    "done: who comes late still may": ({"wave": 1, "status": "done"}, "pc-a", None),
    "prepared": ({"status": "prepared"}, "pc-a", "was not begun yet"),
    "halted": ({"status": "waiting"}, "pc-a", "halted, and a person is asked: `roosync rollout show r-1`"),
    "stopped": ({"wave": 1, "status": "stopped"}, "pc-a", "was stopped"),
    "not named": ({}, "pc-z", "does not name this machine"),
}


@pytest.mark.parametrize(("changes", "machine", "why"), GATES.values(), ids=GATES)
def test_the_gate(world, changes, machine, why):
    told = gate.opens(rollout(world, **changes), machine)
    assert told is None if why is None else why in told


def test_a_rollout_that_is_not_known_opens_nothing():
    assert "not known" in gate.opens(None, "pc-a")


@pytest.fixture
def asked(world):
    found = Divergence(key="claude.settings/x", kind=Kind.SETTING, verdict=Verdict.TAKE, local=1, wanted=2)
    return decide(found, Asked(machine="pc-a", reference="baseline", reference_revision=1, now=world.now), "o-2")


def test_the_newest_approval_says_which_rollout_it_belongs_to(world, asked, verifier):
    def named(state):
        return gate.named(state, world.law, verifier, world.now)

    assert named(asked) == ""
    first = world.approved(asked, rollout="r-1")
    assert named(first) == "r-1"
    assert named(world.approved(asked)) == ""
    world.wait(minutes=1)
    singly = world.approved(first, "op-bob")
    assert named(singly) == "", "another operator approved it singly since"
    world.wait(minutes=1)
    assert named(world.approved(singly, "op-ann", rollout="r-2")) == "r-2"


STANDS = {  # status and fields of the decision -> outcome, words in the reason
    "pending, and nobody approved it": ("pending", {}, "refused", "approve it again"),
    "pending again: the file was busy": (
        "pending",
        {"log": ("the file is busy",)},
        "refused",
        "the file is busy: approve",
    ),
    "approved": ("approved", {}, None, ""),
    "applying": ("applying", {}, None, ""),
    "failed: it is being put back": ("failed", {}, None, ""),
    "applied": ("applied", {"snapshot": "s-1"}, "changed", ""),
    "applied, nothing was written": ("applied", {}, "ok", "nothing to write"),
    "nothing to do any more": ("superseded", {}, "ok", ""),
    "put back": ("rolled_back", {"log": ("began", "no space left")}, "failed", "(no space left)"),
    "taken back by a person": ("rolled_back", {"rollback_requested": True}, "refused", "took it back"),
    "not put back": ("rollback_failed", {}, "failed", "could not be put back"),
    "overwritten": ("overwritten", {}, "failed", "old value back"),
    "rejected": ("rejected", {}, "refused", "rejected"),
    "promoted": ("promoted", {}, "refused", "baseline"),
    "kept": ("kept_special", {}, "refused", "keeps"),
    "expired": ("expired", {}, "timed_out", "approve it again"),
}


class Known:
    """A fleet as it is asked here."""

    def __init__(self, world, decisions=(), update=None, notes=()):
        self.law, self.decisions, self.told = world.law, {d.id: d for d in decisions}, update
        self.notes = notes

    def status(self, machine):
        return SimpleNamespace(notes=self.notes)

    def decision(self, machine, id_):
        return type("Folded", (), {"state": self.decisions.get(id_)})

    def update(self, machine):
        return self.told


@pytest.mark.parametrize(("status", "fields", "outcome", "words"), STANDS.values(), ids=STANDS)
def test_how_a_machine_stands_by_its_decision(world, asked, verifier, status, fields, outcome, words):
    state = replace(asked, status=status, **fields)
    found = end_of(rollout(world, items={"pc-a": (asked.id,)}), "pc-a", Known(world, [state]), verifier, world.now)
    assert (found and found.outcome) == outcome
    assert found is None or words in found.reason
    assert found is None or found.broken == (status == "rollback_failed")


def test_pending_with_one_of_two_approvals_is_awaited(world, asked, verifier):
    state = replace(world.approved(asked, rollout="r-1"), status="pending")
    fleet, run = Known(world, [state]), rollout(world, items={"pc-a": (asked.id,)})
    assert end_of(run, "pc-a", fleet, verifier, world.now) is None
    assert end_of(replace(run, id="r-2"), "pc-a", fleet, verifier, world.now).outcome == "refused"


TOGETHER = {  # statuses of a machine's decisions -> outcome
    "one is under way": (("applied", "applying"), None),
    "one failed: told at once": (("rolled_back", "applying"), "failed"),
    "one was rejected, and one is under way": (("rejected", "applying"), None),
    "one was rejected": (("rejected", "applied"), "refused"),
    "all well": (("superseded", "applied"), "ok"),
    "the worse one": (("rolled_back", "rollback_failed", "expired"), "failed"),
}


@pytest.mark.parametrize(("statuses", "outcome"), TOGETHER.values(), ids=TOGETHER)
def test_a_machine_with_several_decisions(world, asked, verifier, statuses, outcome):
    states = [replace(asked, status=status, id=f"d-{n}") for n, status in enumerate(statuses)]
    run = rollout(world, items={"pc-a": tuple(state.id for state in states)})
    found = end_of(run, "pc-a", Known(world, states), verifier, world.now)
    assert (found and found.outcome) == outcome
    assert found is None or found.broken == ("rollback_failed" in statuses)


def test_who_is_no_machine_any_more_and_what_is_gone(world, verifier):
    run = rollout(world)
    assert end_of(run, "pc-a", Known(world), verifier, world.now).outcome == "refused"
    world.enact(world.member("pc-a", revoked=True))
    found = end_of(run, "pc-a", Fleet(world.law, verifier), verifier, world.now)
    assert (found.outcome, "revoked" in found.reason) == ("refused", True)


UPDATES = {  # phase, its round, campaign -> outcome in round 1
    "waiting": ("waiting", 1, "r-1", None),
    "updating": ("updating", 1, "r-1", None),
    "confirmed": ("confirmed", 1, "r-1", "changed"),
    "confirmed in the round before": ("confirmed", 0, "r-1", "changed"),
    "unneeded": ("unneeded", 0, "r-1", "ok"),
    "refused": ("refused", 1, "r-1", "refused"),
    "returned": ("returned", 1, "r-1", "failed"),
    "returned in the round before: it tries again": ("returned", 0, "r-1", None),
    "not returned": ("return_failed", 1, "r-1", "failed"),
    "another campaign": ("confirmed", 1, "r-0", None),
}


@pytest.mark.parametrize(("phase", "round_", "campaign", "outcome"), UPDATES.values(), ids=UPDATES)
def test_how_a_machine_stands_by_its_update(world, verifier, phase, round_, campaign, outcome):
    run = rollout(world, purpose="update", items={}, round=1)
    report = UpdateReport(
        agent="pc-a", timestamp=world.now, campaign=campaign, phase=phase, version="2", reason="why", round=round_
    )
    fleet = Known(world, update=report)
    found = end_of(run, "pc-a", fleet, verifier, world.now)
    assert (found and found.outcome) == outcome
    assert found is None or found.broken == (phase == "return_failed")
    assert found is None or "why" in found.reason
    assert is_updating(run, "pc-a", fleet) == (phase == "updating")
    tries = phase in ("returned", "refused", "return_failed") and round_ == 0 and campaign == "r-1"
    assert gate.again(run, "pc-a", report) == tries
    kept = replace(run, results={"pc-a": {}})
    assert not gate.again(kept, "pc-a", report), "an operator went on without it"


def test_what_a_machine_that_has_not_ended_says_of_itself(world, asked):
    run = rollout(world, items={"pc-a": (asked.id,)})
    notes = ("another/thing waits: for nothing", f"{asked.entity} waits: the file is busy")
    assert waits_for(run, "pc-a", Known(world, [asked], notes=notes)) == notes[1]
    assert waits_for(run, "pc-a", Known(world, [], notes=notes)) == ""
    report = UpdateReport(
        agent="pc-a", timestamp=world.now, campaign="r-1", phase="waiting", version="2", reason="splay"
    )
    update = replace(run, purpose="update", items={})
    assert waits_for(update, "pc-a", Known(world, update=report)) == "splay"
    assert waits_for(update, "pc-a", Known(world, update=replace(report, campaign="r-0"))) == ""


LIES = {  # what who leads wrote down, what the machine's decision is -> is it contradicted?
    "changed, and nothing was begun": ("changed", "approved", {}, True),
    "changed, and it is under way": ("changed", "applying", {}, True),
    "failed, and it was applied": ("failed", "applied", {"snapshot": "s-1"}, True),
    "changed, and it was put back": ("changed", "rolled_back", {}, True),
    "changed": ("changed", "applied", {"snapshot": "s-1"}, False),
    "failed": ("failed", "rolled_back", {}, False),
    "nobody heard of it: not yet an end": ("timed_out", "applying", {}, False),
}


@pytest.mark.parametrize(("outcome", "status", "fields", "lie"), LIES.values(), ids=LIES)
def test_what_a_leader_wrote_down_is_held_against_what_the_machine_says(
    world, asked, verifier, outcome, status, fields, lie
):
    told = replace(world.approved(asked, rollout="r-1"), status=status, **fields)
    run = rollout(world, items={"pc-a": (asked.id,)}, results={"pc-a": Result(outcome=outcome)})

    def against(state):
        return contradiction(run, "pc-a", Known(world, [state] if state else []), verifier, world.now)

    assert against(told) == (f"claude.settings/x: {status.replace('_', ' ')}" if lie else "")
    assert against(None) == "", "who does not follow the others' decisions knows nothing of them"
    assert against(replace(world.approved(asked, rollout="r-2"), status=status, **fields)) == "", "it went on since"


@pytest.mark.parametrize(("phase", "outcome", "lie"), [
    ("updating", "changed", True),
    ("returned", "changed", True),
    ("confirmed", "failed", True),
    ("confirmed", "changed", False),
    ("refused", "failed", False),
    ("waiting", "unreachable", False),
])  # fmt: skip
def test_the_same_of_an_update(world, verifier, phase, outcome, lie):
    run = rollout(world, purpose="update", items={}, results={"pc-a": Result(outcome=outcome)})
    report = UpdateReport(agent="pc-a", timestamp=world.now, campaign="r-1", phase=phase, version="2")

    def against(said):
        return contradiction(run, "pc-a", Known(world, update=said), verifier, world.now)

    assert against(report) == (phase if lie else "")
    assert against(replace(report, campaign="r-2")) == against(None) == ""
