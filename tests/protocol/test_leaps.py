"""Records that are led: what others built on a machine's words outlives it, and nobody leaps where nobody follows."""

import pytest
from msgspec.structs import replace

from roosync_protocol import leaps
from roosync_protocol.cycle import record as cycles
from roosync_protocol.decision import RETAINED
from roosync_protocol.messages import MAX_MESSAGE, Cycle, Result, Rollout, encode
from roosync_protocol.rollout import record as rollouts
from roosync_protocol.rollout.room import LONGEST, fitted, require_room

OK = Result(outcome="ok")


@pytest.fixture
def world(make_world):
    return make_world(machines=("pc-a", "pc-b", "pc-c"))


def rollout(world, **more):
    fields = {
        "id": "r-1",
        "purpose": "update",
        "status": "running",
        "waves": (("pc-a",), ("pc-c",)),
        "timeout_minutes": 10,
        "opened": world.now,
        "started": world.now,
    }
    return Rollout(agent="op-ann", timestamp=world.now, revision=1, operation_id="o-1", **(fields | more))


def cycle(world):
    fields = {"route": "coordination", "participants": ("pc-a", "pc-c"), "checkpoint": "init", "timeout_minutes": 60}
    at = {"timestamp": world.now, "started": world.now, "entered": world.now}
    return Cycle(agent="op-ann", id="c-1", revision=1, operation_id="o-1", status="running", **fields, **at)


def step(world, state, by, **changes):
    moved = {"agent": by, "revision": state.revision + 1, "operation_id": world.new_operation()}
    return replace(state, **(moved | changes))


KINDS = {  # how it begins, how it is folded, how an operator ends it
    "rollout": (rollout, rollouts.fold, "stopped"),
    "cycle": (cycle, cycles.fold, "aborted"),
}
PARTED = {  # how a machine that led ends to count
    "revoked": {"revoked": True},
    "may lead no more": {"may_orchestrate": False},
    "came back with another key": {"key": "pc-x"},
}


@pytest.mark.parametrize("changes", PARTED.values(), ids=PARTED)
@pytest.mark.parametrize(("begin", "fold", "end"), KINDS.values(), ids=KINDS)
def test_what_an_operator_ended_stays_ended_without_who_led_it(world, begin, fold, end, changes):
    """Somebody sees what a leader does, stops it, and revokes the leader: it may not go on for that."""
    states = [begin(world)]
    for by, more in (("pc-b", {"token": 3}), ("pc-b", {"token": 4}), ("op-bob", {"status": end})):
        states.append(step(world, states[-1], by, **more))
    heard = [world.say(state) for state in states]
    assert fold(heard, world.law).state.status == end
    if "key" in changes:
        changes = {"key": world.key(changes["key"]).public}
    world.enact(world.member("pc-b", **changes))
    assert fold(heard, world.law).state == states[-1]


@pytest.mark.parametrize(("begin", "fold", "end"), KINDS.values(), ids=KINDS)
def test_the_next_leader_s_words_count_without_the_first(world, begin, fold, end):
    states = [begin(world)]
    for by, token in (("pc-b", 3), ("pc-b", 3), ("pc-c", 4), ("pc-c", 4)):
        states.append(step(world, states[-1], by, token=token))
    heard = [world.say(state) for state in states]
    world.enact(world.member("pc-b", revoked=True))
    assert fold(heard, world.law).state == states[-1]
    assert fold(heard[:3], world.law).state == states[0]  # nobody went on from what it said


@pytest.mark.parametrize("revision", [2**31, 40, 12])
@pytest.mark.parametrize(("begin", "fold", "end"), KINDS.values(), ids=KINDS)
def test_nobody_leaps_to_where_nobody_can_follow(world, begin, fold, end, revision):
    known = begin(world)
    heard = [world.say(known)]
    heard += [world.say(step(world, known, "pc-b", revision=3)) for _ in range(RETAINED)]
    heard.append(world.say(step(world, known, "pc-b", revision=revision)))
    folded = fold([heard[0], *heard[-RETAINED:]], world.law)
    assert folded.state.revision <= len(heard)
    ended = world.say(step(world, folded.state, "op-ann", status=end))
    assert fold([heard[0], *heard[-RETAINED:], ended], world.law).state.status == end


def test_as_many_revisions_as_messages():
    assert leaps.too_far(3, 7, since=10, sequence=14) is None
    assert leaps.too_far(3, 8, since=10, sequence=14) == "revision 8 is 5 after 3, with 4 messages"


LIES = {  # what a leader may not put into the record beside the ends
    "another note": ({"note": "all is well, go on"}, "note is the operator's"),
    "a reason that leaves no room": (
        {"results": {"pc-a": Result(outcome="ok", reason="\x01" * LONGEST)}},
        "no room for the others': pc-a",
    ),
}


@pytest.mark.parametrize(("changes", "why"), LIES.values(), ids=LIES)
def test_what_a_leader_adds_is_bounded(world, changes, why):
    crowd = tuple(f"m{n}" for n in range(400))
    known = rollout(world, waves=(("pc-a",), crowd), note="a canary, then all")
    found = rollouts.judge(known, world.raw(step(world, known, "pc-b", **changes)), world.law)
    assert why in found
    assert rollouts.judge(known, world.raw(step(world, known, "pc-b", results={"pc-a": OK})), world.law) is None


@pytest.mark.parametrize("char", ["x", "é", "权", "\U0001f600", '"', "\x01"])
@pytest.mark.parametrize("machines", [1, 30, 400, 4000])
def test_the_longest_reasons_of_all_fit(world, machines, char):
    """A build fails with the same long words everywhere, in any language."""
    names = tuple(f"machine-{n:05}" for n in range(machines))
    known = rollout(world, waves=(names,))
    require_room(known)
    reason = fitted(char * LONGEST, known)
    assert 0 < len(reason) <= LONGEST
    last = replace(known, results={m: Result(outcome="unreachable", reason=reason) for m in names}, accepted={*names})
    assert len(encode(replace(last, note="n" * LONGEST, waiting_for="w" * LONGEST))) < MAX_MESSAGE
    assert fitted(reason, known) == reason
