"""The table of escalations, trigger by trigger: what is seen, at which level it is told, and what then happens."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from roosync_protocol.cycle import before, triggers
from roosync_protocol.cycle.leading import deadline, missing
from roosync_protocol.cycle.participant import stopped_at
from roosync_protocol.cycle.triggers import LEVELS, NEXT, next_step, question
from roosync_protocol.messages import StatusReport
from roosync_protocol.messages.work import Escalation, Reached

ALL_OF_THEM = set(LEVELS)


def said(world, machine, status="synced", **more):
    return StatusReport(
        agent=machine, timestamp=world.now, machines_detected=2, status=status, divergences_count=0, **more
    )


# Each makes a scene in which one thing is wrong; the trigger it is, and where the cycle stands after it was told.
def nearly_over(found):
    found.seen = {"elapsed": 8 * 60.0}


def slow(found):
    found.seen = {"elapsed": 2.5 * 60}


def unexpected(found):
    found.decision(verdict="drift", risk="low")


def over(found):
    found.seen = {"elapsed": 10 * 60.0}


def failed(found):
    found.decision("rolled_back")


def critical(found):
    found.decision(risk="critical")


def suspected(found):
    found.seen = {"statuses": {"pc-b": said(found.world, "pc-b", "unknown", quarantine={"claude.mcp": "emptied"})}}


def lost(found):
    found.seen = {"outage": 10 * 60.0, "elapsed": 1.0}


def confirmed(found):
    found.seen = {"statuses": {"pc-b": said(found.world, "pc-b", "unknown", corrupt=("the baseline",))}}


def broken(found):
    found.decision("rollback_failed")


def contradict(found):
    found.seen = {"elapsed": 10 * 60.0}
    found.arrive("pc-a", "pc-b", divergences="1" * 64)


def claims(found):
    """It says that it is in step, and has an open decision."""
    found.decision("approved", machine="pc-b")
    found.arrive("pc-b")
    found.seen = {"elapsed": 10 * 60.0, "statuses": {"pc-b": said(found.world, "pc-b")}}


TABLE = [
    ("time_nearly_over", "status", nearly_over),
    ("slow", "status", slow),
    ("slow", "version", slow),
    ("unexpected_divergence", "resolution", unexpected),
    ("unexpected_divergence", "final", unexpected),
    ("time_over", "collected", over),
    ("apply_failed", "resolution", failed),
    ("critical_divergence", "resolution", critical),
    ("critical_divergence", "synced", critical),
    ("corruption_suspected", "init", suspected),
    ("corruption_suspected", "collected", suspected),
    ("bus_lost", "diffs", lost),
    ("corruption_confirmed", "diffs", confirmed),
    ("rollback_failed", "resolution", broken),
    ("contradiction", "diffs", contradict),
    ("contradiction", "final", claims),
]


def test_every_trigger_has_a_case_and_every_stop_a_next_step():
    assert {trigger for trigger, _, _ in TABLE} == ALL_OF_THEM
    assert NEXT.keys() == {trigger for trigger, level in LEVELS.items() if level >= 2}


@pytest.mark.parametrize(("trigger", "checkpoint", "wrong"), TABLE, ids=[f"{t} at {c}" for t, c, _ in TABLE])
def test_what_is_told_and_what_happens(scene, trigger, checkpoint, wrong):
    found = scene(checkpoint)
    wrong(found)
    made = found.turn()
    told = made.escalations[-1]
    level = LEVELS[trigger]
    assert (told.trigger, told.level, told.checkpoint) == (trigger, level, checkpoint)
    assert made.reached == ()
    if level == 1:
        assert (made.status, made.checkpoint, stopped_at(made), next_step(made)) == ("running", checkpoint, 0, "")
        assert found.turn() is None, "told once"
        return
    back = level == 3 or trigger == "apply_failed"
    place = (before(made.route, checkpoint), 1) if back else (checkpoint, 0)
    assert (made.status, made.checkpoint, made.round) == ("waiting", *place)
    assert stopped_at(made) == level
    assert next_step(made).startswith("roosync ")
    assert made.waiting_for
    found.arrive("pc-a", "pc-b")
    found.seen = {name: value for name, value in found.seen.items() if name == "statuses"} | {"elapsed": 0.0}
    if not trigger.startswith(("time", "bus", "contra")):
        assert found.turn() is None, "told once, and nothing goes on by itself"


# -- the command names who and what is meant, as far as it is known


def asks_one(found):
    found.decision(name="y")
    found.arrive("pc-b")


def asks_two(found):
    asks_one(found)
    found.decision(machine="pc-a", name="z")


def lacks_baseline(found):
    found.baseline = 0


def one_is_away(found):
    found.arrive("pc-b")


def all_there(found):
    found.arrive("pc-a", "pc-b")


BOTH_WAYS = "then roosync cycle resume c-1, or roosync cycle abort c-1"
ASKED = {  # checkpoint, what is so -> the command while it runs, and once its time is over; {id}: of the decision
    "a decision": ("resolution", asks_one, "roosync decision show {id}", f"roosync decision show {{id}}; {BOTH_WAYS}"),
    "decisions": ("resolution", asks_two, "roosync decisions, then roosync decision show ID", f"show ID; {BOTH_WAYS}"),
    "a baseline": ("baseline", lacks_baseline, "roosync baseline show, then roosync baseline publish", BOTH_WAYS),
    "a machine": ("init", one_is_away, "", "roosync cycle excuse pc-a, roosync cycle resume c-1"),
    "machines": ("init", lambda found: None, "", "roosync cycle excuse MACHINE"),
    "nobody any more": ("init", all_there, "", "roosync cycle resume c-1    (what it waited for is there)"),
}


@pytest.mark.parametrize(("checkpoint", "so", "running", "stopped"), ASKED.values(), ids=ASKED)
def test_the_next_step_names_who_and_what_is_meant(scene, checkpoint, so, running, stopped):
    found = scene(checkpoint)
    so(found)
    id_ = found.decisions[0].id if found.decisions else ""
    waits = missing(found.cycle, found.view)
    assert next_step(found.cycle, found.view, waits) == running.format(id=id_)
    told = Escalation(level=2, reason="late", checkpoint=checkpoint, round=0, at=found.world.now, trigger="time_over")
    late = replace(found.cycle, status="waiting", stopped=2, waiting_for="late", escalations=(told,))
    assert stopped.format(id=id_) in next_step(late, found.view, missing(late, found.view))


def test_a_stop_whose_cause_is_gone_asks_nothing_any_more(scene):
    found = scene("collected")
    over(found)
    late = found.turn()
    pinged = replace(late, waiting_for="not there, no answer to a ping: pc-b; excuse a machine, resume, or abort")
    assert question(pinged, found.view, ["pc-b"], ["pc-a"]) == pinged.waiting_for, "who pinged it knows more"
    assert question(pinged, found.view, ["pc-a"], []).endswith("pc-a; excuse a machine, resume, or abort")
    assert question(late, found.view, [], ["pc-a", "pc-b"]) == ""
    alone = replace(late, excused={"pc-b": "off"})
    assert "a second package is needed" in question(alone, found.view, [], ["pc-a"])
    assert "what it waited for is there" not in next_step(alone, found.view, [])


def test_what_was_approved_since_is_asked_no_more(scene):
    found = scene("resolution")
    found.decision()
    found.arrive("pc-a")
    over(found)
    late, (waiting,) = found.turn(), found.decisions
    waits = missing(late, found.view)
    assert question(late, found.view, waits, ["pc-a"]) == late.waiting_for
    found.decisions[:] = [replace(waiting, status="approved")]
    assert waiting.id in late.waiting_for
    assert waiting.id not in question(late, found.view, waits, ["pc-a"])


def test_a_failed_apply_is_named_in_the_command(scene):
    found = scene("resolution")
    failed(found)
    made, id_ = found.turn(), found.decisions[0].id
    assert next_step(made, found.view) == f"roosync decision approve {id_}, or roosync decision reject {id_}"


def test_who_is_waited_for_beside_a_person_comes_first(scene):
    found = scene("resolution")
    found.decision()
    assert next_step(found.cycle, found.view, missing(found.cycle, found.view)) == "", "pc-b has not arrived"


# -- it goes on by itself when it was mended, and at a person's word otherwise


def mended_decision(found):
    found.decisions = [replace(d, status="rejected", risk="critical") for d in found.decisions]


def mended_report(found):
    found.seen = {"statuses": {"pc-b": said(found.world, "pc-b")}}


MENDED = {
    "failed": ("resolution", failed, mended_decision),
    "critical": ("resolution", critical, mended_decision),
    "suspected": ("status", suspected, mended_report),
    "confirmed": ("status", confirmed, mended_report),
    "broken": ("resolution", broken, mended_decision),
}


@pytest.mark.parametrize(("checkpoint", "wrong", "mend"), MENDED.values(), ids=MENDED)
def test_it_goes_on_by_itself_when_it_was_answered(world, scene, checkpoint, wrong, mend):
    found = scene(checkpoint)
    wrong(found)
    assert found.turn().status == "waiting"
    mend(found)
    made = found.turn(minutes=5)
    assert (made.status, made.waiting_for, made.stopped) == ("running", "", 0)
    assert made.entered == world.now


@pytest.mark.parametrize("wrong", [over, lost, contradict], ids=["over", "lost", "contradict"])
def test_only_a_persons_word_ends_the_other_stops(scene, wrong):
    found = scene("diffs")
    wrong(found)
    found.turn()
    found.seen = {"elapsed": 0.0}
    found.arrive("pc-a", "pc-b")
    assert found.turn(minutes=1) is None
    assert "resume" in found.cycle.waiting_for
    again = replace(found.cycle, status="running", stopped=0, waiting_for="", checkpoint="diffs", round=0)
    found.cycle, found.seen, found.arrivals = again, {"outage": 10 * 60.0, "elapsed": 1.0}, {}
    assert (found.turn() is None) is (wrong is lost), "a loss of the bus is told once at each place"


def test_all_that_was_asked_has_to_be_answered(scene):
    found = scene("resolution")
    failed(found)
    found.turn()
    suspected(found)
    made = found.turn()
    assert (made.round, stopped_at(made), len(made.escalations)) == (1, 2, 2), "it goes back once"
    assert "claude.mcp" in made.waiting_for
    assert found.decisions[0].id in made.waiting_for
    mended_decision(found)
    assert found.turn() is None
    mended_report(found)
    assert found.turn().status == "running"


def test_a_stop_grows_worse_and_not_milder(scene):
    found = scene("resolution")
    broken(found)
    assert found.turn().stopped == 3
    found.decision("rolled_back", machine="pc-b", name="y")
    made = found.turn()
    assert (made.stopped, made.round) == (3, 1)
    confirmed(found)
    made = found.turn()
    assert (made.stopped, made.round, made.escalations[-1].trigger) == (3, 1, "corruption_confirmed")


# -- what is no trigger


def test_what_a_person_takes_back_is_no_failed_apply(scene):
    found = scene("resolution")
    found.decision("rolled_back", rollback_requested=True)
    assert found.turn() is None
    found.decision("rollback_failed", name="y", rollback_requested=True)
    assert found.turn().escalations[-1].trigger == "rollback_failed", "unless it can not be put back"


def test_what_was_listed_or_follows_from_the_baseline_is_not_unexpected(scene):
    found = scene("resolution")
    listed = found.decision(verdict="drift")
    found.decision(verdict="take", name="y")
    found.decision(verdict="drift", name="z", reopened=True, attempt=2)
    found.cycle = replace(found.cycle, listed=(listed.id,))
    assert found.turn() is None


def test_diffs_lists_what_is_expected(scene):
    found = scene("diffs")
    listed = found.decision(verdict="drift")
    assert found.arrive("pc-a", "pc-b").turn().listed == (listed.id,)


def test_a_machine_that_waits_for_a_person_is_not_slow(world, scene):
    found = scene("resolution")
    listed = found.decision(verdict="drift")
    found.cycle = replace(found.cycle, listed=(listed.id,))
    found.arrive("pc-b")
    slow(found)
    assert found.turn() is None
    nearly_over(found)
    assert f"waits for a person's answer: pc-a ({listed.id})" in found.turn().escalations[-1].reason
    over(found)
    found.seen["statuses"] = {"pc-a": said(world, "pc-a", "diverged")}
    found.arrive("pc-a")
    assert found.turn().escalations[-1].trigger == "time_over", "what it says and its decisions agree"


def test_slow_is_slower_than_what_came_before(world, scene):
    began = world.now
    reached = (Reached(checkpoint="init", round=0, at=began + timedelta(minutes=1)),)
    found = scene("status", reached=reached)
    slow(found)
    assert found.turn() is None, "the one before took a minute"
    found = scene("status", reached=(replace(reached[0], at=began + timedelta(seconds=2)),))
    slow(found)
    assert "none took more than 2.0 s" in found.turn().escalations[-1].reason


def test_a_short_loss_of_the_bus_only_pauses(scene):
    found = scene("diffs")
    found.seen = {"outage": 9.9 * 60, "elapsed": 5.0}
    assert found.turn(minutes=60) is None, "by the leader's own clock, without the time that the bus was away"


def test_the_time_is_the_leaders_own_and_no_two_clocks_are_compared(world, scene):
    for hours in (-5, 5):  # whoever wrote the record has another clock
        found = scene("status", entered=world.now + timedelta(hours=hours))
        found.seen = {"elapsed": 60.0}
        assert found.turn() is None
        assert deadline(found.cycle, world.now, 60.0) == world.now + timedelta(minutes=1.5)
        found.seen = {"elapsed": 600.0}
        assert found.turn().escalations[-1].trigger == "time_over"


def test_who_was_pinged_is_said_to_have_been(scene):
    found = scene("init").arrive("pc-a")
    found.present = frozenset({"pc-a"})
    found.seen = {"elapsed": 600.0, "asked": frozenset({"pc-b"})}
    assert found.turn().waiting_for.startswith("not there, no answer to a ping: pc-b")


def test_a_baseline_is_made_from_two_packages(scene):
    found = scene("collected", participants=("pc-a",)).arrive("pc-a")
    assert found.turn() is None
    over(found)
    assert "a second package is needed" in found.turn().waiting_for


WRONG = [
    ("version", {"version": "v1.0.0"}, "has an older version: pc-b"),
    ("collected", {"package": None}, "has no complete package: pc-b"),
    ("baseline", {"baseline_revision": 1}, "has another baseline than the one in force: pc-b"),
]


@pytest.mark.parametrize(("checkpoint", "says", "told"), WRONG)
def test_who_reports_what_does_not_do_is_told_by_what_is_wrong(scene, checkpoint, says, told):
    found = scene(checkpoint, required_version="v2.0.0").arrive("pc-a")
    found.arrive("pc-b", **says)
    over(found)
    made = found.turn()
    assert told in made.waiting_for
    assert made.escalations[-1].trigger == "time_over"


def test_a_second_failure_of_the_same_is_named_as_such(scene):
    found = scene("resolution")
    first = found.decision("rolled_back")
    found.turn()
    found.decisions = [replace(first, attempt=2)]
    assert "2 times in this cycle" in found.turn().escalations[-1].reason


def test_what_stops_is_told_once_in_a_cycle_also_after_resume(scene):
    found = scene("status")
    suspected(found)
    made = found.turn()
    found.cycle = replace(made, status="running", stopped=0, waiting_for="")
    assert found.turn() is None
    assert triggers.standing(found.cycle, found.view)
