"""What the leader makes of how the machines stand: waves, the halt, the pause, those that are silent, and the end."""

import random

import pytest
from msgspec.structs import replace

from roosync_protocol.messages import MAX_MESSAGE, Result, Rollout, encode
from roosync_protocol.rollout import awaited, too_many
from roosync_protocol.rollout.leading import LONGEST, View, asked, due, is_late, looked_at, next_state
from roosync_protocol.rollout.record import fold, judge
from roosync_protocol.rollout.room import require_room
from roosync_protocol.rollout.standing import End

WAVES = (("pc-a",), ("pc-b", "pc-c"), ("pc-d",))
OK, CHANGED, FAILED = End(outcome="ok"), End(outcome="changed"), End(outcome="failed", reason="no room")


class Scene:
    """A rollout, and what its leader sees. Whatever it says has to be what everybody else believes."""

    def __init__(self, world, **more):
        fields = {
            "agent": "op-ann",
            "timestamp": world.now,
            "id": "r-1",
            "revision": 1,
            "operation_id": "o-1",
            "purpose": "update",
            "status": "running",
            "waves": WAVES,
            "timeout_minutes": 10,
            "started": world.now,
            "opened": world.now,
        }
        self.world, self.rollout, self.seen = world, Rollout(**{**fields, **more}), {"ends": {}, "token": 1}

    def turn(self, **seen):
        self.seen |= seen
        made = next_state(self.rollout, View(**self.seen), self.world.now)
        return self.say(made, "pc-z") if made else None

    def end(self, *machines, end=OK, **seen):
        return self.turn(ends=self.seen["ends"] | dict.fromkeys(machines, end), **seen)

    def say(self, made, by):
        made = replace(made, agent=by, timestamp=self.world.now, operation_id=self.world.new_operation())
        why = judge(self.rollout, self.world.raw(made), self.world.law)
        assert why is None, why
        self.rollout = made
        return made

    def operator(self, **changes):
        return self.say(replace(self.rollout, revision=self.rollout.revision + 1, **changes), "op-ann")

    @property
    def outcomes(self):
        return {machine: result.outcome for machine, result in self.rollout.results.items()}


@pytest.fixture
def scene(make_world):
    return lambda **more: Scene(make_world(machines=("pc-a", "pc-b", "pc-c", "pc-d", "pc-z")), **more)


def test_wave_after_wave_until_all_are_done(scene):
    found = scene()
    assert found.turn() is None, "the canary is awaited"
    found.end("pc-a", "pc-b")
    assert (found.rollout.wave, found.outcomes) == (1, {"pc-a": "ok"}), "pc-b is written down in its own wave"
    found.turn()
    assert found.outcomes == {"pc-a": "ok", "pc-b": "ok"}
    assert found.turn() is None
    found.end("pc-c", end=CHANGED)
    assert found.rollout.wave == 2
    found.end("pc-d")
    assert (found.rollout.status, found.rollout.ended) == ("done", found.world.now)
    assert found.turn() is None


def test_it_halts_by_default_and_goes_on_when_a_person_says_how(scene):
    found = scene()
    found.end("pc-a")
    found.end("pc-b", end=FAILED)
    assert (found.rollout.status, found.rollout.wave) == ("waiting", 1), "at once, with pc-c still awaited"
    assert (
        "1 machine did not end well: pc-b (failed: no room); `roosync update resume r-1`" in found.rollout.waiting_for
    )
    found.end("pc-c")
    assert (found.rollout.status, found.outcomes["pc-c"]) == ("waiting", "ok"), "who began ends, and is written down"
    assert found.turn() is None

    found.operator(status="running", round=1, results={"pc-a": Result(outcome="ok"), "pc-c": Result(outcome="ok")})
    assert awaited(found.rollout) == ("pc-b",)
    found.end("pc-b")
    assert (found.rollout.status, found.rollout.wave, found.rollout.waiting_for) == ("running", 2, "")


def test_it_goes_on_without_a_machine(scene):
    found = scene()
    found.end("pc-a", end=FAILED)
    assert found.rollout.status == "waiting"
    found.operator(status="running", accepted=frozenset({"pc-a"}))
    found.turn()
    assert (found.rollout.wave, found.outcomes) == (1, {"pc-a": "failed"}), "how it ended stays written down"


def test_resumed_without_anything_changed_it_halts_again(scene):
    found = scene()
    found.end("pc-a", end=FAILED)
    found.operator(status="running")
    assert found.turn().status == "waiting"


ALLOWED = {  # percentage, how many of three fail -> does it halt?
    "none, one": (0, 1, True),
    "a third, one": (33.4, 1, False),
    "less than a third, one": (33.3, 1, True),
    "all, all": (100, 3, False),
    "two thirds, all": (67, 3, True),
    "none, none": (0, 0, False),
}


@pytest.mark.parametrize(("percentage", "many", "halts"), ALLOWED.values(), ids=ALLOWED)
def test_how_many_may_fail(scene, percentage, many, halts):
    names = ("pc-a", "pc-b", "pc-c")
    found = scene(waves=(names, ("pc-d",)), max_fail_percentage=percentage)
    ends = {name: FAILED if at < many else OK for at, name in enumerate(names)}
    found.turn(ends=ends)
    assert (found.rollout.status, found.rollout.wave) == (("waiting", 0) if halts else ("running", 1))


def test_the_last_wave_halts_too(scene):
    found = scene(waves=(("pc-a",),))
    assert found.end("pc-a", end=FAILED).status == "waiting"


def test_between_two_waves_it_rests(scene):
    found = scene(pause_seconds=60)
    found.end("pc-a")
    assert (found.rollout.wave, found.rollout.ended) == (0, found.world.now)
    assert found.turn(elapsed=59.9) is None
    assert due(found.rollout, 20.0) == 40.0
    found.world.wait(seconds=60)
    found.turn(elapsed=60.0)
    assert (found.rollout.wave, found.rollout.ended, found.rollout.opened) == (1, None, found.world.now)


def test_who_is_silent_is_unreachable_and_told_otherwise_when_it_ends(scene):
    found = scene(waves=(("pc-a", "pc-b"), ("pc-c",)), max_fail_percentage=50)
    found.turn(silent=frozenset({"pc-b", "pc-d"}))
    assert found.outcomes == {"pc-b": "unreachable"}
    assert looked_at(found.rollout) == ["pc-a", "pc-b"]
    found.end("pc-b", end=CHANGED)
    assert found.outcomes == {"pc-b": "changed"}, "it was there, and said how it ended"
    assert found.turn() is None, "what is written down as an end stands"
    found.end("pc-b", "pc-a")
    assert found.outcomes["pc-b"] == "changed"


def test_when_its_time_is_over_each_machine_is_asked_before_anything_is_said(scene):
    found = scene(waves=(("pc-a", "pc-b", "pc-c"),))
    assert due(found.rollout, 500.0) == 100.0
    assert found.turn(elapsed=600.0, silent=frozenset({"pc-b"})) is None, "silent before, and not asked since"
    assert is_late(found.rollout, 600.0)
    assert due(found.rollout, 600.0) is None
    found.end("pc-a", asked=frozenset({"pc-a", "pc-b", "pc-c"}), why={"pc-b": "x", "pc-c": "the file is busy"})
    assert found.outcomes == {"pc-a": "ok", "pc-b": "unreachable", "pc-c": "timed_out"}
    assert found.rollout.status == "waiting"
    assert "pc-c (timed out: not within 10 minutes: the file is busy)" in found.rollout.waiting_for


def test_who_was_away_tells_its_end_when_all_is_done(scene):
    found = scene(waves=(("pc-a", "pc-b", "pc-c"),), max_fail_percentage=50)
    found.operator(accepted=frozenset({"pc-c"}))
    found.end("pc-a", silent=frozenset({"pc-b"}))
    assert (found.rollout.status, looked_at(found.rollout)) == ("done", ["pc-c", "pc-b"])
    found.end("pc-b", end=FAILED)
    assert (found.rollout.status, found.outcomes["pc-b"]) == ("done", "failed")
    found.end("pc-c", end=CHANGED)
    assert (found.outcomes["pc-c"], looked_at(found.rollout)) == ("changed", [])
    assert found.turn(token=9) is None, "no lease is written on what has ended"


@pytest.mark.parametrize("status", ["prepared", "stopped"])
def test_what_is_not_led_is_left_alone(scene, status):
    found = scene(status=status)
    assert found.end("pc-a", silent=frozenset({"pc-a"})) is None


def test_who_holds_an_older_lease_says_nothing(scene):
    found = scene(token=5)
    assert found.end("pc-a", token=4) is None
    assert found.end("pc-a", token=6).token == 6


def test_what_a_person_is_asked_fits_a_line_however_many_failed(scene):
    names = tuple(f"machine-with-a-long-name-{n:05}" for n in range(5_000))
    results = dict.fromkeys(names, Result(outcome="failed", reason="x" * 500))
    text = asked(scene(id="r-" + "1" * 61, waves=(names,), results=results).rollout)
    assert len(text) <= LONGEST
    assert "5000 machines did not end well" in text
    assert "`roosync update withdraw` ends it" in text
    assert "and 4999 more" in text
    few = asked(scene(waves=(names,), results=dict.fromkeys(names[:3], Result(outcome="failed"))).rollout)
    assert all(name in few for name in names[:3])


@pytest.mark.parametrize("many", [10, 3_000, 5_000, 20_000])
def test_what_is_let_begin_fits_in_a_message_to_its_end(scene, many):
    """However badly it goes: everybody fails with a long reason, and an operator goes on without everybody."""
    names = tuple(f"workstation-{n:05}" for n in range(many))
    items = dict.fromkeys(names, ("d-123456789012",))
    found = scene(purpose="decisions", items=items, waves=(names,)).rollout
    if many > 5_000:
        with pytest.raises(ValueError, match="20000 machines are too many"):
            require_room(found)
        return
    require_room(found)
    view = View(ends=dict.fromkeys(names, End(outcome="failed", reason="x" * 900)), token=1)
    made = next_state(found, view, found.started)
    assert made.status == "waiting"
    assert len(encode(replace(made, accepted=frozenset(names), note="x" * 500))) <= MAX_MESSAGE


@pytest.mark.parametrize("seed", range(150))
def test_whatever_happens_no_wave_opens_past_a_halt_and_no_end_is_lost(scene, seed):
    """Machines, leaders and operators at random; what is told is believed by all, and read the same in any order."""
    chance = random.Random(seed)
    names = [f"pc-{letter}" for letter in "abcd"]
    chance.shuffle(names)
    cuts = sorted(chance.sample(range(1, 4), chance.randint(0, 3)))
    waves = tuple(tuple(names[a:b]) for a, b in zip([0, *cuts], [*cuts, 4], strict=True))
    found = scene(
        waves=waves, max_fail_percentage=chance.choice([0, 0, 34, 50, 100]), pause_seconds=chance.choice([0, 9])
    )
    heard, truth = [found.world.say(found.rollout)], {}
    for _ in range(60):
        before = found.rollout
        found.world.wait(seconds=1)
        match chance.randint(0, 9):
            case 0:
                truth.setdefault(chance.choice(names), FAILED)
            case 1 | 2:
                truth.setdefault(chance.choice(names), chance.choice([OK, CHANGED]))
            case 3 if before.status == "waiting":
                kept = {m: r for m, r in before.results.items() if r.outcome in ("ok", "changed")}
                for machine in before.results.keys() - kept.keys():
                    truth.pop(machine, None)
                found.operator(
                    status="running", round=before.round + 1, results=kept, opened=found.world.now, ended=None
                )
            case 4 if before.status == "waiting":
                found.operator(status="running", accepted=before.accepted | {*too_many(before)})
            case 5 if before.status == "running" and chance.random() < 0.1:
                found.operator(accepted=before.accepted | {chance.choice(names)})
            case 6:
                found.seen["token"] += chance.randint(0, 1)
            case _:
                silent = frozenset(name for name in names if chance.random() < 0.1)
                found.turn(ends=dict(truth), silent=silent, elapsed=chance.choice([1, 10, 700]), asked=frozenset(names))
        after = found.rollout
        if after is before:
            continue
        heard.append(found.world.say(after))
        assert after.wave == before.wave or (before.status == "running" and not awaited(before_with(before, after)))
        assert after.wave == before.wave or not too_many(after, after.wave)
        lost = {
            m
            for m, r in before.results.items()
            if after.results.get(m) != r and r.outcome in ("ok", "changed", "failed")
        }
        assert not lost or (
            after.round > before.round and not any(before.results[m].outcome in ("ok", "changed") for m in lost)
        )
        if after.status == "done":
            assert not too_many(after)
            assert after.results.keys() | after.accepted == set(names)
            break
    doubled = heard + chance.sample(heard, len(heard) // 2)
    chance.shuffle(doubled)
    assert fold(doubled, found.world.law).state == fold(heard, found.world.law).state == found.rollout


def before_with(before, after):
    """The state before, with what was written down in the same breath as the next wave was opened."""
    return replace(before, results=after.results)
