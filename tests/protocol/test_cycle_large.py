"""A cycle of more participants than compare themselves with each other: each answers for its own part."""

import pytest

from roosync_protocol import cycle as cycles
from roosync_protocol.cycle.leading import missing
from roosync_protocol.cycle.participant import Facts, arrival_of, digest_of
from roosync_protocol.messages import StatusReport


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(cycles, "EACH", 1)


def report(found, machine, **more):
    told = {"machines_detected": 2, "status": "synced", "divergences_count": 0, **more}
    return StatusReport(agent=machine, timestamp=found.world.now, **told)


def facts(found, machine, **more):
    """What a machine knows that follows only what concerns it."""
    own = tuple(d for d in found.decisions if d.machine == machine)
    return Facts(machine=machine, status=report(found, machine), decisions=own, **more)


def test_nobody_waits_for_the_reports_of_the_others(scene, large):
    found = scene("status")
    assert arrival_of(found.cycle, facts(found, "pc-a"), found.world.now) is not None


def test_the_leader_waits_for_every_report(scene, large):
    found = scene("status").arrive("pc-a", "pc-b")
    found.seen = {"statuses": {"pc-a": report(found, "pc-a")}}
    assert missing(found.cycle, found.view) == ["pc-b"]
    assert found.turn() is None
    found.seen["statuses"]["pc-b"] = report(found, "pc-b")
    assert found.turn().checkpoint == "diffs"


def test_each_lists_its_own_and_the_leader_all_of_them(scene, large):
    found = scene("diffs")
    mine, other = found.decision(machine="pc-a"), found.decision(machine="pc-b", name="y")
    for machine in ("pc-a", "pc-b"):
        arrival = arrival_of(found.cycle, facts(found, machine), found.world.now)
        found.arrive(machine, divergences=arrival.divergences)
    made = found.turn()
    assert (made.checkpoint, made.reached[-1].divergences) == ("resolution", 2)
    assert set(made.listed) == {mine.id, other.id}


LISTS = {  # what pc-a lists although it has one divergence
    "nothing": lambda found: digest_of((), ()),
    "those of all": lambda found: digest_of(found.decisions, ("pc-a", "pc-b")),
    "those of another": lambda found: digest_of(found.decisions, ("pc-b",)),
    "no list": lambda found: None,
}


@pytest.mark.parametrize("lists", LISTS.values(), ids=LISTS)
def test_a_part_that_is_not_the_one_in_the_records_is_waited_for(scene, large, lists):
    found = scene("diffs")
    found.decision(machine="pc-a")
    found.decision(machine="pc-b", name="y")
    found.arrive("pc-b", divergences=digest_of(found.decisions, ("pc-b",)))
    found.arrive("pc-a", divergences=lists(found))
    assert missing(found.cycle, found.view) == ["pc-a"]
    assert found.turn() is None


def test_whoever_has_none_lists_none(scene, large):
    found = scene("diffs")
    found.decision(machine="pc-a")
    found.arrive("pc-a", divergences=digest_of(found.decisions, ("pc-a",)))
    found.arrive("pc-b", divergences=digest_of((), ("pc-b",)))
    assert missing(found.cycle, found.view) == []
