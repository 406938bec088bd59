"""Who may move a cycle from where to where: each step by each speaker, and what is forged, stale or missing."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from roosync_protocol.cycle import ROUTES, after, before, first, last
from roosync_protocol.cycle.record import TRANSITIONS, FoldedCycle, advance, fold, judge
from roosync_protocol.decision import RETAINED, By
from roosync_protocol.messages import Cycle
from roosync_protocol.messages.work import Escalation, Reached


def start(world, **more):
    fields = {
        "agent": "pc-a",
        "timestamp": world.now,
        "id": "c-1",
        "revision": 1,
        "operation_id": world.new_operation(),
        "route": "coordination",
        "status": "running",
        "participants": ("pc-a", "pc-b"),
        "checkpoint": "init",
        "timeout_minutes": 60,
        "started": world.now,
        "entered": world.now,
    }
    return Cycle(**{**fields, **more})


def step(world, cycle, by="pc-a", **changes):
    return replace(
        cycle, agent=by, timestamp=world.now, revision=cycle.revision + 1, operation_id=world.new_operation(), **changes
    )


def reached(cycle, divergences=0, **more):
    """The fields of a state in which the awaited checkpoint was reached."""
    done = Reached(checkpoint=cycle.checkpoint, round=cycle.round, at=cycle.started, divergences=divergences)
    following = after(cycle.route, cycle.checkpoint, divergences=divergences)
    ends = {"status": "done"} if following is None else {"checkpoint": following}
    return {"reached": (*cycle.reached, done), **ends, **more}


def fault(world, earlier, new, **more):
    return judge(earlier, world.raw(new), world.law, **more)


def test_the_routes_go_on_and_back_as_the_founding_protocol_says():
    assert [first(route) for route in ROUTES] == ["init", "version"]
    assert [last(route) for route in ROUTES] == ["final", "synced"]
    assert after("coordination", "diffs", divergences=0) == "final"
    assert after("coordination", "diffs", divergences=1) == "resolution"
    assert after("deployment", "synced") is None
    assert before("coordination", "resolution") == "diffs"
    assert before("coordination", "init") == "init"


STARTS = {
    "by a machine that may orchestrate": ({}, None),
    "by an operator": ({"agent": "op-ann"}, None),
    "of the other route": ({"route": "deployment", "checkpoint": "version"}, None),
    "in the middle": ({"checkpoint": "diffs"}, "begins at the first checkpoint"),
    "ended": ({"status": "done"}, "begins at the first checkpoint"),
    "in a later round": ({"round": 1}, "begins at the first checkpoint"),
    "on another route's checkpoint": ({"checkpoint": "version"}, "no checkpoint of the route"),
    "with somebody excused": ({"excused": {"pc-b": "x"}}, "before it began"),
    "stopped": ({"stopped": 3}, "before it began"),
    "with a machine twice": ({"participants": ("pc-a", "pc-a")}, "takes part twice"),
    "by a machine that may not": ({"agent": "pc-c"}, "may not orchestrate"),
}


@pytest.mark.parametrize(("changes", "why"), STARTS.values(), ids=STARTS)
def test_how_a_cycle_begins(world, changes, why):
    world.enact(world.member("pc-c", may_orchestrate=False))
    found = fault(world, None, start(world, **changes))
    assert found is None if why is None else why in found


STATUSES = list(TRANSITIONS)[1:]


@pytest.mark.parametrize("by", ["pc-b", "op-ann"])
@pytest.mark.parametrize("to", STATUSES)
@pytest.mark.parametrize("since", STATUSES)
def test_each_step_by_each_speaker(world, since, to, by):
    """The table itself; `done` also has to reach the last checkpoint."""
    cycle = start(world, checkpoint="final", status=since)
    changes = reached(cycle) if to == "done" and by == "pc-b" else {"status": to}
    speaker = By.OPERATOR if by == "op-ann" else By.MACHINE
    allowed = bool(TRANSITIONS[since].get(to, By(0)) & speaker)
    assert (fault(world, cycle, step(world, cycle, by, **changes)) is None) is allowed


def at_diffs(world, **more):
    done = tuple(Reached(checkpoint=name, round=0, at=world.now) for name in ("init", "status"))
    return start(world, checkpoint="diffs", reached=done, token=7, failures=("pc-a/d-1/1",), **more)


MOVES = {
    "reached without divergence: final": (lambda c: reached(c), None),
    "reached with one: resolution": (lambda c: reached(c, 1), None),
    "one back, next round": (lambda c: {"checkpoint": "status", "round": 1, "status": "waiting"}, None),
    "a warning": (
        lambda c: {"escalations": (Escalation(level=1, reason="", checkpoint="diffs", round=0, at=c.started),)},
        None,
    ),
    "to final with one divergence": (lambda c: reached(c, 1, checkpoint="final"), "comes another checkpoint"),
    "to resolution without": (lambda c: reached(c, 0, checkpoint="resolution"), "comes another checkpoint"),
    "on without having reached it": (lambda c: {"checkpoint": "resolution"}, "may not go to"),
    "reached, and it stays": (lambda c: reached(c, checkpoint="diffs"), "comes another checkpoint"),
    "another one reached": (
        lambda c: {
            "checkpoint": "final",
            "reached": (*c.reached, Reached(checkpoint="resolution", round=0, at=c.started)),
        },
        "nothing else",
    ),
    "two at once": (
        lambda c: {**reached(c), "reached": (*reached(c)["reached"], *reached(c)["reached"][-1:])},
        "nothing else",
    ),
    "reached in another round": (
        lambda c: {"checkpoint": "final", "reached": (*c.reached, Reached(checkpoint="diffs", round=1, at=c.started))},
        "nothing else",
    ),
    "two back": (lambda c: {"checkpoint": "init", "round": 1, "status": "waiting"}, "may not go to"),
    "back in the same round": (lambda c: {"checkpoint": "status", "status": "waiting"}, "may not go to"),
    "a new round on the spot": (lambda c: {"round": 1}, "may not go to"),
    "done in the middle": (lambda c: {"status": "done"}, "may not go to"),
    "done in the middle, as if reached": (lambda c: reached(c, status="done"), "or the end"),
    "an older token": (lambda c: {"token": 6}, "lease 6"),
    "reached unsaid": (lambda c: {"reached": c.reached[:1]}, "not unsaid"),
    "reached told otherwise": (
        lambda c: {"reached": (c.reached[0], replace(c.reached[1], divergences=3))},
        "not unsaid",
    ),
    "a failure unsaid": (lambda c: {"failures": ()}, "not unsaid"),
    "it excuses": (lambda c: {"excused": {"pc-b": "slow"}}, "only an operator excuses"),
    "other participants": (lambda c: {"participants": ("pc-a",)}, "is about"),
    "another time-out": (lambda c: {"timeout_minutes": 1}, "is about"),
    "another version": (lambda c: {"required_version": "v9"}, "is about"),
    "another beginning": (lambda c: {"started": c.started + timedelta(1)}, "is about"),
}


@pytest.mark.parametrize(("changes", "why"), MOVES.values(), ids=MOVES)
def test_what_a_step_of_the_orchestrator_may_change(world, changes, why):
    cycle = at_diffs(world)
    found = fault(world, cycle, step(world, cycle, "pc-b", **changes(cycle)))
    assert found is None if why is None else why in (found or "")


def test_what_waits_for_a_person_reaches_nothing(world):
    cycle = at_diffs(world, status="waiting")
    assert "waits for a person" in fault(world, cycle, step(world, cycle, "pc-b", **reached(cycle, status="running")))


OPERATORS = {
    "excuses": ({"excused": {"pc-b": "on holiday"}}, None),
    "resumes": ({"status": "running"}, None),
    "aborts": ({"status": "aborted"}, None),
    "moves a checkpoint": ({"checkpoint": "status"}, "for the orchestrator"),
    "opens a round": ({"round": 1}, "for the orchestrator"),
    "says what was reached": ({"reached": ()}, "for the orchestrator"),
    "forgets a failure": ({"failures": ()}, "for the orchestrator"),
    "takes the lease's token": ({"token": 9}, "for the orchestrator"),
    "excuses a stranger": ({"excused": {"pc-z": "who"}}, "excused are pc-z?"),
    "changes who takes part": ({"participants": ("pc-a",)}, "is about"),
}


@pytest.mark.parametrize(("changes", "why"), OPERATORS.values(), ids=OPERATORS)
def test_what_an_operator_may_change(world, changes, why):
    cycle = at_diffs(world, status="waiting")
    found = fault(world, cycle, step(world, cycle, "op-ann", **{"status": "waiting", **changes}))
    assert found is None if why is None else why in (found or "")


def test_an_excuse_is_not_taken_back(world):
    cycle = at_diffs(world, excused={"pc-b": "slow"})
    assert "excused are pc-b?" in fault(world, cycle, step(world, cycle, "op-ann", excused={}))


def test_each_revision_follows_the_one_before(world):
    cycle = start(world)
    for revision in (1, 3):
        moved = replace(step(world, cycle), revision=revision)
        assert "does not follow 1" in fault(world, cycle, moved)


def test_only_a_genuine_message_counts(world):
    cycle = start(world)
    forged = world.say(step(world, cycle, "pc-b", **reached(cycle)), signer="pc-a")
    assert "not signed with the key" in judge(cycle, forged, world.law)
    assert "is no cycle" in judge(cycle, world.say(world.policy()), world.law)


def test_who_was_revoked_orchestrates_no_more(world):
    cycle = start(world)
    moved = world.say(step(world, cycle, "pc-b", **reached(cycle)))
    world.enact(world.member("pc-b", revoked=True))
    assert "may not orchestrate" in judge(cycle, moved, world.law)


GAPS = {
    "later": ({"checkpoint": "final", "round": 2, "token": 9}, None),
    "with other participants": ({"participants": ("pc-b",)}, "is about"),
    "under an older lease": ({"token": 6}, "lease 6"),
    "with another machine excused": ({"excused": {"pc-b": "slow", "pc-a": "x"}}, "only an operator excuses"),
}


@pytest.mark.parametrize(("changes", "why"), GAPS.values(), ids=GAPS)
def test_what_steps_that_are_gone_can_have_changed(world, changes, why):
    cycle = replace(at_diffs(world), round=1, excused={"pc-b": "slow"})
    later = replace(step(world, cycle, "pc-b", **changes), revision=cycle.revision + 5)
    assert "does not follow" in fault(world, cycle, later), "without a gap"
    found = fault(world, cycle, later, gap=True)
    assert found is None if why is None else why in (found or "")


@pytest.mark.parametrize("changes", [{"excused": {"pc-a": "x"}}, {"status": "aborted"}], ids=["excuses", "aborts"])
def test_a_machine_that_speaks_often_makes_no_gap_for_an_operators_right(world, changes):
    """The broker keeps the last words of each speaker: nobody can see whether those of before counted."""
    cycle = start(world)
    noise = [replace(step(world, cycle, "pc-b"), revision=1) for _ in range(RETAINED - 1)]
    lie = replace(step(world, cycle, "pc-b", **changes), revision=3)
    folded = fold([world.say(one) for one in (cycle, *noise, lie)], world.law)
    assert (folded.state.status, folded.state.excused) == ("running", {})
    named = step(world, cycle, "op-ann", excused={"pc-a": "slow"})
    moved = replace(step(world, named, "pc-b"), revision=4)
    folded = fold([world.say(one) for one in (cycle, *noise, named, moved)], world.law)
    assert folded.state.excused == {"pc-a": "slow"}, folded.refused


def test_an_ended_cycle_is_not_reached_again_through_a_gap(world):
    ended = start(world, status="done", checkpoint="final")
    again = replace(step(world, ended, "pc-b", status="running"), revision=9)
    assert fault(world, ended, again, gap=True)


def life(world):
    """The states of a cycle that goes through without a divergence."""
    states = [start(world)]
    while states[-1].status == "running":
        states.append(step(world, states[-1], "pc-b", **reached(states[-1])))
    return states


def test_the_record_is_the_same_in_any_order_and_twice(world):
    said = [world.say(state) for state in life(world)]
    wanted = fold(said, world.law)
    assert (wanted.state.status, wanted.sequence, wanted.refused) == ("done", said[-1].sequence, ())
    assert fold([*reversed(said), *said], world.law) == wanted


def test_what_does_not_count_moves_the_sequence_and_not_the_state(world):
    one, two, *_ = life(world)
    said = [world.say(one), world.say(two), world.say(step(world, one, "pc-a", status="waiting"))]
    found = fold(said, world.law)
    assert (found.state, found.since, found.sequence) == (two, said[1].sequence, said[2].sequence)
    assert found.refused == ("pc-a: revision 2 does not follow 2",)


def test_when_the_broker_forgot_the_beginning_the_rest_makes_the_record(world):
    states = [start(world)]
    for number in range(2 * RETAINED):
        status = "waiting" if number % 2 == 0 else "running"
        states.append(step(world, states[-1], "pc-b", status=status))
    kept = [world.say(state) for state in states][-RETAINED:]
    assert fold(kept, world.law).state == states[-1]


def test_a_step_that_did_not_count_does_not_count_either_when_the_beginning_is_gone(world):
    states = [start(world)]
    said = [world.say(states[0])]
    for number in range(RETAINED):
        if number == 1:  # from a view of before the broker was put back: it leaps over a revision
            said.append(world.say(replace(step(world, states[-1], "op-ann", status="aborted"), revision=9)))
        status = "waiting" if number % 2 == 0 else "running"
        states.append(step(world, states[-1], "pc-b", status=status))
        said.append(world.say(states[-1]))
        own = [one for one in said if one.speaker == "pc-b"][-RETAINED:]
        kept = [one for one in said if one.speaker != "pc-b" or one in own]
        assert fold(kept, world.law).state == states[-1]


def test_a_message_heard_again_changes_nothing(world):
    said = world.say(start(world))
    folded = advance(FoldedCycle(), said, world.law)
    assert advance(folded, said, world.law) == folded
