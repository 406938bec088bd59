"""What nobody can open takes its place in a record all the same: what it pushed out is known to be gone."""

import pytest
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol.decision import RETAINED
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision
from roosync_protocol.reconcile import Asked, decide


@pytest.fixture
def fleet(world):
    return Fleet(world.law, verify)


def a_life(world):
    """The messages of one decision that was approved and applied."""
    divergence = Divergence(
        key="roo.mcp/github", kind=Kind.MCP_SERVER, verdict=Verdict.TAKE, local={"a": 1}, wanted={"a": 2}
    )
    asked = Asked(machine="pc-a", reference="baseline", reference_revision=1, now=world.now)
    first = decide(divergence, asked, world.new_operation())
    approved = world.approved(first)
    applying = world.step(approved, "pc-a", "applying")
    return [world.say(m) for m in (first, approved, applying, world.step(applying, "pc-a", "applied"))]


def test_what_nobody_can_open_takes_the_place_of_what_was_said_before(world, fleet):
    """The broker keeps so many messages of each speaker, also what was changed, or is of a version to come."""
    first, approved, _, applied = a_life(world)
    assert applied.speaker == first.speaker
    for heard in (approved, applied):  # the machine's first and third are gone for what came behind
        fleet.hear(heard)
    places = [replace(applied, sequence=applied.sequence + number) for number in range(1, RETAINED)]
    assert fleet.decision("pc-a", applied.message.id).state.status == "approved", "a step is missing"
    for place in places:
        fleet.hear_unread(place.subject.replace("post.", "roosync."), place.sequence)
    assert fleet.decision("pc-a", applied.message.id).state.status == "applied", "and now it is known why"
    fleet.hear_unread(applied.subject, places[-1].sequence + 1)
    assert fleet._records[Decision, "pc-a", applied.message.id] == [approved], "the broker keeps no more"
    fleet.forget_unshown([approved.sequence, places[-1].sequence + 5])
    fleet.forget_records([Decision])
    assert not fleet._records.unread


@pytest.mark.parametrize(
    "subject", ["post.home.status.pc-a", "post.home.audit.pc-a", "post.home.decision.pc-a.d-1", "x.y.z", "x.y"]
)
def test_of_other_things_than_records_nothing_is_kept(fleet, subject):
    fleet.hear_unread(subject, 1)
    assert not fleet._records.unread
