"""What may leave the bus: what ended long ago and nothing needs. Whatever is open, young, refused or failed stays."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol import approval, proposal
from roosync_protocol.clearing import GRACE, Told, leaving
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Campaign, Choice, Cycle, PackageRef, Proposal, Request, Rollout
from roosync_protocol.messages.work import Reached
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.request import approval_id

DAY = timedelta(days=1)


class Bus:
    """What was said about records, as the keeper reads it."""

    def __init__(self, world):
        self.world, self.said = world, []

    def say(self, *messages):
        self.said += [(self.world.say(message), self.world.now) for message in messages]
        return messages[-1]

    def leaving(self, **later):
        world = self.world
        view, told = Fleet(world.law, verify), {}
        ids = {heard.subject.split(".")[-2].encode() for heard, _ in self.said}
        for heard, at in self.said:
            key = tuple(heard.subject.split(".")[2:-1])
            told.setdefault(key, Told(newest=at)).add(at, repr(heard.message).encode(), ids)
            view.hear(heard)
        return [key[0] for key in leaving(view, told, world.now + timedelta(**later))]

    # -- records

    def decision(self, *steps, name="x"):
        world = self.world
        found = Divergence(key=f"claude.settings/{name}", kind=Kind.SETTING, verdict=Verdict.TAKE, local=1, wanted=2)
        asked = Asked(machine="pc-a", reference="baseline", reference_revision=1, now=world.now)
        last = self.say(decide(found, asked, world.new_operation()))
        for step in steps:
            if step == "approved":
                last = self.say(world.approved(last))
            elif step == "again":
                last = self.say(replace(world.step(last, "op-ann", "pending", reopened=True), attempt=last.attempt + 1))
            else:
                who = "op-ann" if step in ("rejected", "promoted", "kept_special") else "pc-a"
                last = self.say(world.step(last, who, step))
        return last

    def request(self, *steps, to="pc-b", minutes=60, **more):
        world = self.world
        last = self.say(
            Request(
                agent="pc-a",
                timestamp=world.now,
                id=more.pop("id", "r-1"),
                revision=1,
                operation_id=world.new_operation(),
                to=to,
                kind=more.pop("kind", "execution"),
                target=more.pop("target", to),
                action="publish",
                status="requested",
                asker="pc-a",
                asked=world.now,
                timeout_minutes=minutes,
                **more,
            )
        )
        for step in steps:
            last = self.say(world.step(last, to, step))
        return last

    def cycle(self, *, done=True):
        world = self.world
        run = self.say(
            Cycle(
                agent="pc-a",
                timestamp=world.now,
                id="c-1",
                revision=1,
                operation_id=world.new_operation(),
                route="coordination",
                status="running",
                participants=("pc-a", "pc-b"),
                checkpoint="init",
                timeout_minutes=60,
                started=world.now,
                entered=world.now,
            )
        )
        for here, following in (("init", "status"), ("status", "diffs"), ("diffs", "final"), ("final", None)):
            if done:
                reached = (*run.reached, Reached(checkpoint=here, round=0, at=world.now))
                ends = {"status": "running", "checkpoint": following} if following else {"status": "done"}
                run = self.say(world.step(run, "pc-a", ends.pop("status"), reached=reached, **ends))
        return run

    def rollout(self, *steps):
        world = self.world
        last = self.say(
            Rollout(
                agent="op-ann",
                timestamp=world.now,
                id="ro-1",
                revision=1,
                operation_id=world.new_operation(),
                purpose="update",
                status="running",
                waves=(("pc-a",),),
                timeout_minutes=5,
                started=world.now,
                opened=world.now,
            )
        )
        for step in steps:
            last = self.say(world.step(last, "op-ann", step))
        return last

    def proposal(self, *steps, manifest="a", choices=None):
        world = self.world
        packages = (PackageRef(machine="pc-a", manifest=manifest * 64, version="1"),)
        last = self.say(
            Proposal(
                agent="pc-a",
                timestamp=world.now,
                id=proposal.proposal_id(packages, 0),
                revision=1,
                operation_id=world.new_operation(),
                status="open",
                after_revision=0,
                packages=packages,
                report="0" * 64,
                commons=3,
                overlays=1,
                arbitrations=1,
                choices=choices or {},
            )
        )
        for step in steps:
            made = world.step(last, "op-ann", step, arbitrations=0)
            if step in ("validated", "published"):
                pair = world.key("op-ann")
                text = proposal.validation_text(made)
                made = replace(made, validated=approval.sign_text(approval.VALIDATION, text, pair.public, pair.sign))
            last = self.say(made)
        return last


@pytest.fixture
def bus(world):
    return Bus(world)


APPLIED = ("approved", "applying", "applied")
ENDS = {  # what was said of a decision -> does it leave when it is old?
    ("superseded",): True,
    APPLIED: True,
    ("promoted",): True,
    ("kept_special",): True,
    (): False,
    ("approved",): False,
    ("approved", "applying"): False,
    ("expired",): False,
    ("rejected",): False,
    (*APPLIED, "overwritten"): False,
    ("approved", "applying", "failed"): False,
    ("approved", "applying", "failed", "rolled_back"): False,
    ("approved", "applying", "failed", "rollback_failed"): False,
    ("rejected", "again"): False,
}


@pytest.mark.parametrize(("steps", "leaves"), ENDS.items(), ids=lambda x: "-".join(x) if isinstance(x, tuple) else "")
def test_the_ends_of_a_decision(bus, steps, leaves):
    state = bus.decision(*steps)
    assert bus.leaving(days=29) == [], "it is young"
    assert bus.leaving(days=31) == (["decision"] if leaves else []), state.status


def test_what_remembers_a_refusal_stays(bus, world):
    """A policy would say yes to the same question again, if nobody knew that a person had said no to it before."""
    refused = bus.decision("rejected")
    again = replace(world.step(refused, "op-ann", "pending", reopened=True), attempt=2)
    bus.say(again, world.step(again, "pc-a", "superseded"))
    assert bus.leaving(days=31) == []


def test_a_word_that_does_not_count_keeps_it_young_and_says_nothing(bus, world):
    state = bus.decision(*APPLIED)
    world.wait(days=20)
    bus.say(replace(state, agent="op-eve"))
    assert bus.leaving(days=15) == []
    assert bus.leaving(days=31) == ["decision"]


REQUESTS = {
    "done": (("accepted", "done"), {}, True),
    "refused": (("refused",), {}, True),
    "nobody came": ((), {}, True),
    "accepted": (("accepted",), {}, False),
    "it has its time yet": (("accepted", "done"), {"minutes": 80_000}, False),
    "it waits yet": ((), {"minutes": 80_000}, False),
}


@pytest.mark.parametrize(("steps", "more", "leaves"), REQUESTS.values(), ids=REQUESTS)
def test_requests(bus, steps, more, leaves):
    bus.request(*steps, **more)
    assert bus.leaving(days=31) == (["request"] if leaves else [])


@pytest.mark.parametrize(("done", "leaves"), [(True, True), (False, False)])
def test_cycles(bus, done, leaves):
    bus.cycle(done=done)
    assert bus.leaving(days=31) == (["cycle"] if leaves else [])


def test_a_cycle_keeps_what_its_report_is_made_of(bus, world):
    decision = bus.decision(*APPLIED, name="before")
    world.wait(hours=1)
    run = bus.cycle(done=False)
    during = bus.decision(*APPLIED, name="during")
    asked = {"cycle": run.id, "kind": "approval", "target": during.id, "id": approval_id(run.id, during)}
    bus.request("done", to="op-ann", **asked)
    assert bus.leaving(days=31) == ["decision"], decision.entity
    bus.say(world.step(run, "op-ann", "aborted"))
    assert sorted(bus.leaving(days=31)) == ["cycle", "decision", "decision", "request"]


def test_what_an_open_record_names_stays(bus):
    decision = bus.decision(*APPLIED)
    bus.request("accepted", target=decision.id, minutes=10)
    assert bus.leaving(days=31) == []


PROPOSALS = {
    "open": ((), False),
    "arbitrated": (("arbitrated",), False),
    "validated": (("arbitrated", "validated"), False),
    "published": (("arbitrated", "validated", "published"), True),
    "superseded": (("arbitrated", "superseded"), True),
}


@pytest.mark.parametrize(("steps", "leaves"), PROPOSALS.values(), ids=PROPOSALS)
def test_proposals(bus, steps, leaves):
    bus.proposal(*steps)
    assert bus.leaving(days=31) == (["proposal"] if leaves else [])


def test_the_proposal_of_the_baseline_in_force_stays(bus, world):
    last = bus.proposal("arbitrated", "validated", "published")
    world.enact(world.baseline(proposal=last.id))
    assert bus.leaving(days=31) == []
    world.enact(world.baseline(proposal="p-other"))
    assert bus.leaving(days=31) == ["proposal"]


def test_an_answer_that_an_open_question_rests_on_stays(bus):
    answers = {"roo.mcp/github": Choice(take="omit")}
    bus.proposal("arbitrated", "superseded", manifest="a", choices=answers)
    bus.proposal("arbitrated", "superseded", manifest="c", choices={"roo.mcp/other": Choice(take="omit")})
    assert bus.leaving(days=31) == ["proposal", "proposal"]
    bus.proposal(manifest="b", choices=answers)
    assert bus.leaving(days=31) == ["proposal"]


def test_a_kind_that_this_version_does_not_know_stays(world):
    told = {("rollout", "w-1"): Told(newest=world.now)}
    assert leaving(Fleet(world.law, verify), told, world.now + 2 * GRACE) == []


def test_a_rollout_leaves_when_it_has_ended_and_no_machine_may_still_ask_it(world):
    bus = Bus(world)
    bus.rollout()
    assert bus.leaving(days=60) == []
    bus.rollout("stopped")
    assert bus.leaving(days=20) == []
    assert bus.leaving(days=60) == ["rollout"]
    world.enact(Campaign(id="ro-1", version="1.2.3", machines=("pc-a",), **world.frame()))
    assert bus.leaving(days=60) == [], "who was off finds the campaign in force, and asks whether it may begin"
