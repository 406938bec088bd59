"""The live view: fed in any order, doubled, with lies in it, it believes what counts and stays small."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol import fleet as f
from roosync_protocol import proposal
from roosync_protocol.cycle.metrics import earlier
from roosync_protocol.decision import RETAINED
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import AT_ONCE, Fleet
from roosync_protocol.heard_arrivals import CYCLES
from roosync_protocol.law import Law
from roosync_protocol.messages import (
    Alarm,
    Arrival,
    Audit,
    Cycle,
    Decision,
    Enrolment,
    PackageRef,
    PackageReport,
    Proposal,
    StatusReport,
)
from roosync_protocol.reconcile import Asked, decide


@pytest.fixture
def fleet(world):
    return Fleet(world.law, verify)


def status(world, agent="pc-a", count=0):
    kind = "diverged" if count else "synced"
    return StatusReport(agent=agent, timestamp=world.now, machines_detected=2, status=kind, divergences_count=count)


def begin(world, machine="pc-a", key="roo.mcp/github"):
    divergence = Divergence(key=key, kind=Kind.MCP_SERVER, verdict=Verdict.TAKE, local={"a": 1}, wanted={"a": 2})
    asked = Asked(machine=machine, reference="baseline", reference_revision=1, now=world.now)
    return decide(divergence, asked, world.new_operation())


def a_life(world, machine="pc-a"):
    """The messages of one decision that was approved and applied."""
    first = begin(world, machine)
    approved = world.approved(first)
    applying = world.step(approved, machine, "applying")
    return [world.say(m) for m in (first, approved, applying, world.step(applying, machine, "applied"))]


def cycle(world, **more):
    return Cycle(
        agent="pc-a", timestamp=world.now, id="c-1", revision=1, operation_id="o-1", route="coordination",
        status="running", participants=("pc-a",), checkpoint="init", timeout_minutes=1, started=world.now,
        entered=world.now, **more,
    )  # fmt: skip


# -- records


def test_what_stood_before_a_cycle_began_is_told_by_the_stream_and_not_by_clocks(world, fleet):
    old, new, other = (begin(world, key=f"roo.mcp/{name}") for name in ("old", "new", "other"))
    for one in (old, new):
        fleet.hear(world.say(replace(one, timestamp=world.now.replace(year=2031))))  # a clock that is far ahead
    began = cycle(world, after=fleet.newest)
    fleet.hear(world.say(world.step(new, "op-ann", "rejected")))
    fleet.hear(world.say(begin(world, "pc-b")))
    fleet.hear(world.say(replace(other, timestamp=world.now.replace(year=2001))))  # and one that is far behind
    assert earlier(began, fleet) == {old.id}
    assert [one.status for one in fleet.steps("pc-a", new.id)] == ["pending", "rejected"]
    assert [one.status for one in fleet.steps("pc-a", new.id, after=began.after)] == ["rejected"]


def test_a_decision_as_it_is_proven(world, fleet):
    for heard in a_life(world):
        fleet.hear(heard)
    (state,) = fleet.decisions()
    assert state.status == "applied"
    assert fleet.decision("pc-a", state.id).sequence == heard.sequence
    assert fleet.find(state.id) == fleet.find(state.id[:5]) == [state]
    assert fleet.find("d-nothing") == []
    assert fleet.decision("pc-a", "d-nothing").state is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_order_and_any_doubling_makes_the_same_view(make_world, dice):
    """A fact is heard while older messages are still being read, so the newest may come first."""
    world = make_world()
    heard = a_life(world) + a_life(world, "pc-b") + [world.say(status(world, count=n)) for n in (3, 0)]
    ordered, shuffled = Fleet(world.law, verify), Fleet(world.law, verify)
    for one in heard:
        ordered.hear(one)
    heard *= 2
    dice.shuffle(heard)
    for one in heard:
        shuffled.hear(one)
        list(shuffled.decisions())  # asked in between: what was cached may not stay
    assert list(shuffled.decisions()) == list(ordered.decisions())
    assert [d.status for d in shuffled.decisions()] == ["applied", "applied"]
    assert shuffled.status("pc-a") == ordered.status("pc-a")


def test_a_record_is_judged_again_when_the_law_arrives(world):
    """Between streams there is no order: a decision can be heard before the membership of its machine."""
    life = a_life(world)
    fleet = Fleet(Law(fleet="home", root=world.key("op-ann").public), verify)
    for heard in life:
        fleet.hear(heard)
    assert list(fleet.decisions()) == []
    fleet.hear(world.say(replace(world.roster(), revision=1)))
    fleet.hear(world.say(replace(world.member("pc-a"), revision=1)))
    assert [d.status for d in fleet.decisions()] == ["applied"]


def test_every_machine_lists_decisions_in_one_order(world, fleet):
    keys = ["roo.mcp/z", "roo.mcp/a", "roo.modes/m"]
    for machine in ("pc-b", "pc-a"):
        for key in keys:
            fleet.hear(world.say(begin(world, machine, key)))
    assert [(d.machine, d.entity) for d in fleet.decisions()] == [
        (m, k) for m in ("pc-a", "pc-b") for k in sorted(keys)
    ]
    assert [d.entity for d in fleet.decisions("pc-b")] == sorted(keys)


def test_what_is_kept_of_a_record_has_a_bound(world, fleet):
    first = begin(world)
    fleet.hear(world.say(first))
    approved = world.approved(first)
    fleet.hear(world.say(approved))
    for _ in range(40):  # nonsense by the machine itself
        fleet.hear(world.say(first))
    kept = fleet._records[Decision, "pc-a", first.id]
    assert len(kept) == RETAINED + 1, "of each speaker as many as the broker keeps"
    assert fleet.decision("pc-a", first.id).state == approved
    assert [one.sequence for one in kept] == sorted(one.sequence for one in kept)


def test_what_is_kept_is_kept_once_and_in_the_order_of_the_stream(world, fleet):
    first, second, third, fourth = a_life(world)
    for heard in (third, fourth, second, third, second, first):
        fleet.hear(heard)
    assert fleet._records[Decision, "pc-a", first.message.id] == [first, second, third, fourth]


def test_records_are_forgotten_before_a_restored_broker_is_read(world, fleet):
    for heard in a_life(world):
        fleet.hear(heard)
    fleet.hear(world.say(status(world, count=4)))
    fleet.forget_records([Decision, StatusReport])
    assert list(fleet.decisions()) == []
    assert fleet.status("pc-a") is None
    again = replace(world.say(status(world)), sequence=1)  # the restored stream counts from lower again
    fleet.hear(again)
    assert fleet.status("pc-a") == again.message


def test_a_place_of_the_stream_that_is_taken_by_another_message_is_that_ones(world, fleet):
    """Only a broker that was put back can do so; what stood there before is gone."""
    first, other = begin(world), begin(world)
    fleet.hear(world.say(first))
    heard = replace(world.say(other), sequence=fleet.decision("pc-a", first.id).sequence)
    fleet.hear(heard)
    assert fleet._records[Decision, "pc-a", first.id] == [heard]
    assert fleet.decision("pc-a", first.id).state == other


def test_what_the_stream_no_longer_shows_is_forgotten_and_what_came_since_is_kept(world, fleet):
    life, newer = a_life(world), world.say(begin(world, "pc-b"))
    for heard in (*life, newer):
        fleet.hear(heard)
    list(fleet.decisions())
    shown = [one.sequence for one in life]
    fleet.forget_unshown(shown[:2] + shown[3:])
    assert fleet._records[Decision, "pc-a", life[0].message.id] == [life[0], life[1], life[3]]
    assert fleet.decision("pc-a", life[0].message.id).state.status == "approved", (
        "a step that is gone is not leapt over"
    )
    assert fleet.decision("pc-b", newer.message.id).state == newer.message
    fleet.forget_unshown([newer.sequence])
    assert [d.machine for d in fleet.decisions()] == ["pc-b"]
    for last, left in ((newer.sequence - 1, ["pc-b"]), (newer.sequence, [])):
        fleet.forget_unshown([], last=last)
        assert [d.machine for d in fleet.decisions()] == left, "it was the newest, and nothing is left"


def test_proposals(world, fleet):
    packages = (PackageRef(machine="pc-a", manifest="a" * 64, version="1"),)
    made = Proposal(
        agent="pc-a",
        timestamp=world.now,
        id=proposal.proposal_id(packages, 0),
        revision=1,
        operation_id="o-1",
        status="arbitrated",
        after_revision=0,
        packages=packages,
        report="0" * 64,
        commons=1,
        overlays=0,
        arbitrations=0,
    )
    assert fleet.open_proposal() is None
    fleet.hear(world.say(made))
    assert fleet.open_proposal() == made
    fleet.hear(world.say(world.step(made, "pc-a", "superseded")))
    assert fleet.open_proposal() is None
    assert [p.status for p in fleet.proposals()] == ["superseded"]


# -- reports


def test_the_latest_report_counts_whenever_it_comes(world, fleet):
    old, new = world.say(status(world, count=5)), world.say(status(world, count=1))
    for heard in (new, old):
        fleet.hear(heard)
    assert fleet.status("pc-a").divergences_count == 1


def test_a_report_with_another_key_takes_no_place(world, fleet):
    fleet.hear(world.say(status(world)))
    forged = world.say(status(world, count=9), signer="pc-b")
    fleet.hear(forged)
    assert fleet.status("pc-a").divergences_count == 0
    assert fleet.refused.total() == 1


def test_a_report_of_nobody_is_not_believed(world, fleet):
    fleet.hear(world.say(status(world, "pc-z")))
    assert fleet.status("pc-z") is None
    fleet.hear(world.say(world.member("pc-z")))
    assert fleet.status("pc-z") is not None, "until its membership is heard"


def test_packages_of_expected_machines_only(world, fleet):
    for machine in ("pc-a", "pc-b"):
        fleet.hear(
            world.say(
                PackageReport(
                    agent=machine,
                    timestamp=world.now,
                    version="1",
                    manifest="0" * 64,
                    files=0,
                    entities=0,
                    complete=True,
                )
            )
        )
    assert set(fleet.packages()) == {"pc-a", "pc-b"}
    fleet.hear(world.say(world.member("pc-b", revoked=True)))
    assert set(fleet.packages()) == {"pc-a"}


# -- law


def test_law_is_folded_and_old_law_is_no_refusal(world, fleet):
    policy = world.policy(paused=True)
    for _ in range(3):
        fleet.hear(world.say(policy))
    assert fleet.law.policy == policy
    assert not fleet.refused


def test_a_fork_of_the_law_is_counted(world, fleet):
    policy = world.policy(paused=True)
    fleet.hear(world.say(policy))
    fleet.hear(world.say(replace(policy, agent="op-bob", paused=False)))
    assert fleet.law.policy.paused
    assert "two different revisions" in next(iter(fleet.refused))


def test_law_of_nobody_is_counted(world, fleet):
    known = fleet.law
    fleet.hear(world.say(world.policy(paused=True), signer="op-eve"))
    assert fleet.law == known
    assert fleet.refused.total() == 1


# -- strangers


def enrolment(world, machine="pc-c", key="pc-c"):
    return Enrolment(agent=machine, timestamp=world.now, code="i-1", key=world.key(key).public)


def test_who_asks_to_join_holds_the_key_it_asks_with(world, fleet):
    fleet.hear(world.say(enrolment(world)))
    assert set(fleet.enrolments) == {("i-1", "pc-c")}
    fleet.hear(world.say(enrolment(world, "pc-d", key="pc-a"), signer="pc-d"))
    assert set(fleet.enrolments) == {("i-1", "pc-c")}
    assert fleet.refused.total() == 1


def test_an_older_request_does_not_replace_a_newer(world, fleet):
    old, new = world.say(enrolment(world)), world.say(enrolment(world, key="new"), signer="new")
    for heard in (new, old):
        fleet.hear(heard)
    assert fleet.enrolments["i-1", "pc-c"] is new


def test_strangers_do_not_fill_the_memory(world, fleet):
    one = world.say(enrolment(world))
    for number in range(f.ASKING + 50):
        message = replace(one.message, agent=f"pc-{number}")
        fleet.hear(replace(one, message=message, sequence=number + 1))
    assert len(fleet.enrolments) == f.ASKING
    for number in range(1_000):
        fleet.refuse(f"reason {number}" + "x" * 1_000)
    assert len(fleet.refused) == f.REASONS + 1
    assert fleet.refused.total() == 1_000
    assert max(map(len, fleet.refused)) <= 200


def test_alarms_are_kept_once_and_the_last_ones(world, fleet):
    heard = [world.say(Alarm(agent="pc-a", timestamp=world.now, id=f"a-{n}", level=1, reason="x")) for n in range(210)]
    for one in heard + heard[-5:]:
        fleet.hear(one)
    assert list(fleet.alarms) == heard[-200:]


def test_what_is_only_read_on_demand_is_not_kept(world, fleet):
    fleet.hear(world.say(Audit(agent="pc-a", timestamp=world.now, action="x", phase="before")))
    assert not fleet.refused


def test_who_makes_up_cycles_takes_nobodys_arrival_away(world):
    live = Fleet(world.law, verify)
    given = {"timestamp": world.now, "checkpoint": "init", "round": 0, "status": "synced", "divergences": "0" * 64}
    cycle = Cycle(
        agent="pc-a", timestamp=world.now, id="c-1", revision=1, operation_id="o-1", route="coordination",
        status="running", participants=("pc-a", "pc-b"), checkpoint="init", timeout_minutes=1, started=world.now,
        entered=world.now,
    )  # fmt: skip
    for number in range(2 * CYCLES):
        live.hear(world.say(Arrival(agent="pc-b", cycle=f"c-x{number}", **given)))
        if number == 0:  # and nothing after it
            live.hear(world.say(Arrival(agent="pc-a", cycle="c-1", **given)))
    assert set(live.arrivals(cycle)) == {"pc-a"}
    assert len(live._arrivals) == CYCLES + 1
    live.hear(world.say(Arrival(agent="pc-b", cycle="c-1", **given | {"checkpoint": "made-up"})))
    assert live.refused == {"an arrival of 'pc-b' at no checkpoint": 1}
    assert len(live._arrivals["c-1"]) == 1


def test_a_machine_has_some_cycles_running_and_none_after_its_end(world):
    live = Fleet(world.law, verify)

    def begin(agent, number):
        return Cycle(
            agent=agent, timestamp=world.now, id=f"c-{agent}-{number}", revision=1, operation_id="o-1",
            route="coordination", status="running", participants=("pc-a", "pc-b"), checkpoint="init",
            timeout_minutes=1, started=world.now, entered=world.now,
        )  # fmt: skip

    for number in range(3 * AT_ONCE):
        late = {"revision": 7} if number % 2 else {}  # as if its beginning was gone
        live.hear(world.say(replace(begin("pc-b", number), **late)))
    live.hear(world.say(begin("pc-a", 1)))
    assert [one.id for one in live.open_cycles() if one.agent == "pc-a"] == ["c-pc-a-1"]
    theirs = [one for one in live.open_cycles() if one.agent == "pc-b"]
    assert len(theirs) == AT_ONCE
    live.hear(world.say(replace(theirs[0], agent="pc-a", revision=2, operation_id="o-2", token=1)))
    assert live.cycle(theirs[0].id).opener == "pc-b"
    world.enact(world.member("pc-b", revoked=True))
    live.law = world.law
    live._law_version += 1
    assert [one.id for one in live.open_cycles()] == ["c-pc-a-1"]


def test_what_a_later_pass_shows_says_nothing_about_an_earlier_one(world, fleet):
    """Decisions are read, then a fact of one comes, then cycles are read, which show something newer than the fact."""
    first, *_ = a_life(world)
    fleet.hear(first)
    fleet.forget_unshown([first.sequence + 7], [Cycle])
    assert fleet.decision("pc-a", first.message.id).state is not None
    fleet.forget_unshown([first.sequence + 7], [Decision])
    assert fleet.decision("pc-a", first.message.id).state is None
