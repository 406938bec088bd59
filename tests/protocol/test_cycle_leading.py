"""What the holder of the lease makes of the reports, and what each machine reports: checkpoint by checkpoint."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from roosync_protocol import decision
from roosync_protocol.cycle.leading import counted, deadline, missing
from roosync_protocol.cycle.metrics import Evidence, metric_report
from roosync_protocol.cycle.participant import Facts, arrival_of, open_divergences
from roosync_protocol.messages import StatusReport
from roosync_protocol.messages.work import Reached
from roosync_protocol.versions import at_least

BOTH = frozenset({"pc-a", "pc-b"})


THERE = {  # checkpoint, what the reports of both say -> what follows; None: it is still waited for
    "init": ("init", {}, "status"),
    "status": ("status", {}, "diffs"),
    "diffs, none": ("diffs", {}, "final"),
    "diffs, another list": ("diffs", {"divergences": "1" * 64}, None),
    "diffs, no list": ("diffs", {"divergences": None}, None),
    "resolution": ("resolution", {}, "final"),
    "final": ("final", {}, "done"),
    "final, diverged": ("final", {"status": "diverged"}, None),
    "version": ("version", {}, "collected"),
    "collected": ("collected", {}, "baseline"),
    "collected, no package": ("collected", {"package": None}, None),
    "baseline": ("baseline", {}, "synced"),
    "baseline, an older one": ("baseline", {"baseline_revision": 1}, None),
    "synced": ("synced", {}, "done"),
    "synced, unknown": ("synced", {"status": "unknown"}, None),
}


@pytest.mark.parametrize(
    ("version", "enough"), [("1.2.3", True), ("v1.10", True), ("1.1.9", False), ("\u00b2", False), ("1.\u00b2", False)]
)
def test_a_version_is_compared_whatever_a_machine_calls_it(version, enough):
    """A digit in Unicode's sense, such as a superscript, is no number."""
    assert at_least(version, "1.2") is enough
    assert at_least("1.2", version) is not (version in ("v1.10", "1.2.3"))


@pytest.mark.parametrize(("checkpoint", "says", "following"), THERE.values(), ids=THERE)
def test_a_checkpoint_is_reached_when_both_are_there(scene, checkpoint, says, following):
    found = scene(checkpoint)
    assert found.arrive("pc-a").turn() is None, "one of two"
    made = found.arrive("pc-a", "pc-b", **says).turn()
    if following is None:
        assert made is None
        assert missing(found.cycle, found.view) == ["pc-a", "pc-b"]
    else:
        assert following == (made.status if made.status == "done" else made.checkpoint)
        assert made.reached[-1].checkpoint == checkpoint


def test_no_baseline_is_no_baseline_reached(scene):
    found = scene("baseline")
    found.baseline = 0
    assert found.arrive("pc-a", "pc-b").turn() is None


VERSIONS = [
    ("v2.1.0", "v2.10.0", False),
    ("v2.10.0", "v2.1.0", True),
    ("2.10.0", "v2.10.0", True),
    ("v2.10.0-dev+3", "v2.10.0", True),
    ("", "v0.1.0", False),
    ("nonsense", "v1.0.0", False),
    ("v1.0.0", "", True),
]


@pytest.mark.parametrize(("has", "required", "enough"), VERSIONS)
def test_a_version_is_numbers_and_no_text(scene, has, required, enough):
    found = scene("version", required_version=required).arrive("pc-a", "pc-b", version=has)
    assert (found.turn() is not None) is enough


def test_divergences_make_it_strict_and_have_to_be_resolved(scene):
    found = scene("diffs")
    found.decision()
    made = found.arrive("pc-a", "pc-b").turn()
    assert (made.checkpoint, made.strict, made.reached[-1].divergences) == ("resolution", True, 1)
    assert found.arrive("pc-a", "pc-b").turn() is None, "pc-a says so, and its decision is still open"
    assert missing(found.cycle, found.view) == ["pc-a"]
    found.decisions = [replace(found.decisions[0], status="rejected")]
    assert found.turn().checkpoint == "final"


def test_a_comparison_with_another_machine_is_no_divergence_of_the_cycle(scene):
    found = scene("diffs")
    found.decision(reference="machine:pc-b")
    assert found.arrive("pc-a", "pc-b").turn().checkpoint == "final"


LIES = {
    "of an earlier round": {"round": 0},
    "of another checkpoint": {"checkpoint": "status"},
    "of another cycle": {"cycle": "c-2"},
    "in another's name": {"agent": "pc-b"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_only_an_arrival_here_and_now_counts(scene, lie):
    found = scene("diffs", round=1).arrive("pc-a", "pc-b")
    found.arrivals["pc-a"] = replace(found.arrivals["pc-a"], **lie)
    found.arrivals["pc-z"] = replace(found.arrivals["pc-b"], agent="pc-z")
    assert set(counted(found.cycle, found.view)) == {"pc-b"}
    assert found.turn() is None


def test_who_is_excused_is_not_waited_for_and_nobody_is_not_everybody(scene):
    assert scene("init", excused={"pc-b": "off"}).arrive("pc-a").turn().checkpoint == "status"
    assert scene("init", excused=dict.fromkeys(BOTH, "off")).turn() is None
    failed = scene("resolution", excused={"pc-a": "off"})
    failed.decision("rolled_back")
    assert failed.arrive("pc-b").turn().checkpoint == "final", "and what fails there stops nobody"


def test_what_is_open_on_an_excused_machine_is_not_compared(world, scene):
    found = scene("diffs", excused={"pc-a": "off"})
    facts = Facts(machine="pc-b", status=status_of(world), decisions=())
    found.arrivals["pc-b"] = arrival_of(found.cycle, facts, world.now)
    found.decision()
    assert found.turn().checkpoint == "final", "also when the two do not know the same of it"


@pytest.mark.parametrize(("status", "level"), [("failed", 2), ("rolled_back", 2), ("rollback_failed", 3)])
def test_a_failed_apply_returns_one_checkpoint_and_waits_for_a_person(scene, status, level):
    found = scene("resolution").arrive("pc-a", "pc-b")
    failed = found.decision(status)
    made = found.turn()
    assert (made.status, made.checkpoint, made.round, made.strict) == ("waiting", "diffs", 1, True)
    assert made.escalations[-1].level == level
    assert made.failures == (f"pc-a/{failed.id}/1",)
    assert failed.id in made.waiting_for
    assert found.arrive("pc-a", "pc-b").turn() is None, "nothing goes on by itself"
    assert found.turn(minutes=60) is None, "and no time-out is told of what waits for a person"


def test_a_persons_answer_lets_it_go_on_and_old_arrivals_do_not(scene):
    found = scene("resolution").arrive("pc-a", "pc-b")
    found.decision("rolled_back")
    found.turn()
    found.decisions = [replace(found.decisions[0], status="pending", attempt=2)]
    made = found.turn(minutes=1)
    assert (made.status, made.checkpoint, made.waiting_for, made.entered) == ("running", "diffs", "", found.world.now)
    assert found.turn() is None
    assert found.arrive("pc-a", "pc-b").turn().checkpoint == "resolution"


def test_several_failures_return_once_and_all_are_answered(scene):
    found = scene("resolution").arrive("pc-a", "pc-b")
    one = found.decision("rolled_back")
    found.turn()
    two = found.decision("rolled_back", machine="pc-b")
    made = found.turn()
    assert (made.checkpoint, made.round, len(made.failures)) == ("diffs", 1, 2)
    assert one.id in made.waiting_for
    assert two.id in made.waiting_for
    found.decisions = [replace(one, status="rejected"), two]
    assert found.turn() is None
    found.decisions = [replace(one, status="rejected"), replace(two, status="rejected")]
    assert found.turn().status == "running"


def test_what_failed_before_the_cycle_began_is_not_its_failure(scene):
    """By the order of the stream: the clocks of two machines may be hours apart, either way."""
    for hours in (-3, 3):
        found = scene("diffs")
        old = found.decision("rolled_back", timestamp=found.world.now + timedelta(hours=hours))
        found.seen = {"earlier": frozenset({old.id})}
        assert found.turn() is None
        found.seen = {}
        assert found.turn().failures == (f"pc-a/{old.id}/1",)


def test_time_is_told_once_at_four_fifths_and_stops_at_the_end(scene):
    found = scene("status", noticed=("slow status/0",)).arrive("pc-a")
    assert deadline(found.cycle, found.world.wait(minutes=3)) == found.cycle.entered + timedelta(minutes=8)
    assert found.turn(minutes=4.9) is None
    assert found.turn(minutes=0.2).escalations[-1].level == 1
    assert found.turn(minutes=1) is None
    assert deadline(found.cycle, found.world.now) == found.cycle.entered + timedelta(minutes=10)
    made = found.turn(minutes=1)
    assert (made.status, made.checkpoint, [e.level for e in made.escalations]) == ("waiting", "status", [1, 2])
    assert deadline(found.cycle, found.world.now) is None


REASONS = {
    "away": ({"pc-a"}, {}, "not there: pc-b", 2),
    "silent": (BOTH, {}, "there, and has not arrived: pc-b", 2),
    "presence not known": (None, {}, "has not arrived: pc-b", 2),
    "contradicting": (BOTH, {"pc-b": "1" * 64}, "does not agree: pc-b", 3),
}


@pytest.mark.parametrize(("present", "says", "text", "level"), REASONS.values(), ids=REASONS)
def test_who_is_late_is_named_by_what_is_known_of_it(scene, present, says, text, level):
    found = scene("diffs").arrive("pc-a")
    found.present = present
    for machine, digest in says.items():
        found.arrive(machine, divergences=digest)
    made = found.turn(minutes=10)
    assert made.waiting_for.startswith(text)
    assert made.escalations[-1].level == level


def test_whoever_holds_an_older_lease_says_nothing(scene):
    found = scene("init", token=5).arrive("pc-a", "pc-b")
    found.token = 4
    assert found.turn() is None
    found.token = 6
    assert found.turn().token == 6


@pytest.mark.parametrize("status", ["done", "aborted"])
def test_what_ended_stays_as_it_is(scene, status):
    assert scene("init", status=status).arrive("pc-a", "pc-b").turn(minutes=60) is None


# -- what a machine reports


def status_of(world, status="synced", revision=2):
    return StatusReport(
        agent="pc-a",
        timestamp=world.now,
        machines_detected=2,
        status=status,
        divergences_count=0,
        baseline_revision=revision,
    )


ARRIVES = {  # checkpoint, what is known -> does it say that it is there?
    "init": ("init", {}, True),
    "version": ("version", {"status": None}, True),
    "status, the other's is known": ("status", {}, True),
    "status, the other's is not": ("status", {"statuses": frozenset({"pc-a"})}, False),
    "status, its own is not": ("status", {"status": None}, False),
    "diffs": ("diffs", {}, True),
    "diffs, nothing to compare with": ("diffs", {"status": "unknown"}, False),
    "collected": ("collected", {"package": "0" * 64}, True),
    "collected, nothing published": ("collected", {}, False),
    "baseline": ("baseline", {}, True),
    "baseline, none here": ("baseline", {"revision": 0}, False),
    "final": ("final", {}, True),
    "final, diverged": ("final", {"status": "diverged"}, False),
    "synced": ("synced", {}, True),
}


@pytest.mark.parametrize(("checkpoint", "known", "there"), ARRIVES.values(), ids=ARRIVES)
def test_when_a_machine_says_that_it_is_there(world, scene, checkpoint, known, there):
    cycle = scene(checkpoint).cycle
    said = known.get("status", "synced")
    facts = Facts(
        machine="pc-a",
        status=status_of(world, said, known.get("revision", 2)) if said else None,
        decisions=(),
        statuses=known.get("statuses", BOTH),
        version="v1",
        package=known.get("package"),
    )
    found = arrival_of(cycle, facts, world.now)
    assert (found is not None) is there
    if found:
        assert (found.cycle, found.checkpoint, found.round, found.agent) == ("c-1", checkpoint, 0, "pc-a")


def test_an_open_divergence_of_its_own_keeps_it_from_resolution(world, scene):
    found = scene("resolution")
    facts = Facts(machine="pc-a", status=status_of(world), decisions=(found.decision("pending"),))
    assert arrival_of(found.cycle, facts, world.now) is None
    assert arrival_of(found.cycle, replace(facts, machine="pc-b"), world.now) is not None


def test_who_takes_no_part_says_nothing(world, scene):
    facts = Facts(machine="pc-a", status=status_of(world), decisions=())
    for changes in ({"status": "aborted"}, {"participants": ("pc-b",)}, {"excused": {"pc-a": "off"}}):
        assert arrival_of(replace(scene("init").cycle, **changes), facts, world.now) is None


# -- how it went


def test_the_metric_report_field_for_field(world, scene):
    began = world.now
    names = ("init", "status", "diffs", "resolution", "diffs", "resolution", "final")
    found = scene("final", status="done", failures=("pc-b/d-1/1",))
    reached = [
        Reached(
            checkpoint=name, round=0, at=began + timedelta(seconds=30 * (at + 1)), divergences=3 * (name == "diffs")
        )
        for at, name in enumerate(names)
    ]
    found.decision("applied")
    found.decision("rejected", name="y")
    found.decision("applied", machine="pc-z")
    old = found.decision("rolled_back", name="z")
    report = metric_report(
        replace(found.cycle, reached=tuple(reached)),
        Evidence(decisions=tuple(found.decisions), earlier=frozenset({old.id})),
        "pc-a",
        world.wait(hours=9),
    )
    assert report.test_session == "c-1"
    assert report.duration_minutes == 3.5
    assert report.checkpoints_reached == tuple(name.upper() for name in names)
    assert report.sync_latency_avg_seconds == 30.0
    assert (report.decisions_total, report.decisions_success, report.decisions_rollback) == (2, 2, 1)
    assert (report.divergences_detected, report.divergences_resolved) == (3, 2)


def test_the_metric_report_of_a_cycle_that_reached_nothing(world, scene):
    report = metric_report(scene().cycle, Evidence(decisions=()), "pc-a", world.wait(minutes=3))
    assert (report.duration_minutes, report.sync_latency_avg_seconds, report.checkpoints_reached) == (3.0, 0.0, ())


ANSWERED = {"applied", "promoted", "kept_special", "rejected", "superseded"}


@pytest.mark.parametrize("status", sorted({*decision.OPEN, *decision.ENDED}))
def test_a_divergence_is_open_until_an_answer_took_it_away(scene, status):
    """Whatever state a decision may be in: one that is forgotten here would let RESOLUTION pass."""
    made = scene("resolution").decision(status)
    assert bool(open_divergences([made], ["pc-a"])) == (status not in ANSWERED)
