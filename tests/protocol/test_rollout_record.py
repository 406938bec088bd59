"""Who may move a rollout from where to where: each step by each speaker, and what is forged, stale or missing."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from roosync_protocol.decision import RETAINED, By
from roosync_protocol.messages import Result, Rollout
from roosync_protocol.rollout.record import TRANSITIONS, fold, judge

OK, FAILED, AWAY = Result(outcome="ok"), Result(outcome="failed"), Result(outcome="unreachable")
WAVES = (("pc-a",), ("pc-b", "pc-c"), ("pc-d",))
ITEMS = {name: (f"d-{name}",) for wave in WAVES for name in wave}


@pytest.fixture
def world(make_world):
    return make_world(machines=("pc-a", "pc-b", "pc-c", "pc-d"))


def start(world, **more):
    fields = {
        "agent": "op-ann",
        "timestamp": world.now,
        "id": "r-1",
        "revision": 1,
        "operation_id": world.new_operation(),
        "purpose": "decisions",
        "status": "prepared",
        "waves": WAVES,
        "items": ITEMS,
        "timeout_minutes": 10,
        "started": world.now,
        "opened": world.now,
    }
    return Rollout(**{**fields, **more})


def step(world, rollout, by, **changes):
    moved = {"agent": by, "revision": rollout.revision + 1, "operation_id": world.new_operation()}
    return replace(rollout, **{**moved, **changes})


def fault(world, earlier, new, **more):
    return judge(earlier, world.raw(new), world.law, **more)


UPDATE = {"purpose": "update", "items": {}}
STARTS = {
    "prepared, by an operator": ({}, None),
    "an update runs at once": ({**UPDATE, "status": "running"}, None),
    "decisions do not": ({"status": "running"}, "begins as 'prepared'"),
    "nor is an update prepared": (UPDATE, "begins as 'running'"),
    "ended": ({"status": "done"}, "begins as"),
    "by a machine": ({"agent": "pc-a"}, "only an operator"),
    "in the middle": ({"wave": 1}, "before it began"),
    "with a result": ({"results": {"pc-a": OK}}, "before it began"),
    "with somebody accepted": ({"accepted": frozenset({"pc-a"})}, "before it began"),
    "in a later round": ({"round": 1}, "before it began"),
    "an empty wave": ({"waves": (("pc-a",), ())}, "a wave without a machine"),
    "a machine in two waves": ({"waves": (("pc-a",), ("pc-a",))}, "in two waves"),
    "a machine twice in one": ({"waves": (("pc-a", "pc-a"),)}, "in two waves"),
    "a machine without a decision": ({"items": {"pc-a": ("d-1",)}}, "are not the same"),
    "a machine with none of its decisions": ({"items": {**ITEMS, "pc-a": ()}}, "are not the same"),
    "a decision of nobody": ({"items": {**ITEMS, "pc-z": ("d-1",)}}, "are not the same"),
    "an update with decisions": ({"purpose": "update", "status": "running"}, "are not the same"),
}


@pytest.mark.parametrize(("changes", "why"), STARTS.values(), ids=STARTS)
def test_how_a_rollout_begins(world, changes, why):
    found = fault(world, None, start(world, **changes))
    assert found is None if why is None else why in found


@pytest.mark.parametrize("by", ["pc-b", "op-ann"])
@pytest.mark.parametrize("to", list(TRANSITIONS)[1:])
@pytest.mark.parametrize("since", list(TRANSITIONS)[1:])
def test_each_step_by_each_speaker(world, since, to, by):
    """The table itself, in the last wave and with every result there."""
    before = start(world, status=since, wave=2, results=dict.fromkeys(ITEMS, OK))
    speaker = By.OPERATOR if by == "op-ann" else By.MACHINE
    allowed = bool(TRANSITIONS[since].get(to, By(0)) & speaker)
    assert (fault(world, before, step(world, before, by, status=to)) is None) is allowed


def running(world, **more):
    """The second wave is open; the canary ended well."""
    fields = {"status": "running", "wave": 1, "results": {"pc-a": OK}, "token": 7, "revision": 5, **more}
    return start(world, **fields)


def more_results(rollout, **results):
    return {"results": rollout.results | {name.replace("_", "-"): result for name, result in results.items()}}


BOTH = {"pc_b": OK, "pc_c": OK}
MOVES = {  # what the wave looks like, what the leader says of it -> what is wrong with that
    "an end": ({}, lambda r: more_results(r, pc_b=FAILED), None),
    "the next wave, all is well": ({}, lambda r: {"wave": 2, **more_results(r, **BOTH)}, None),
    "with what was written before": (
        {"results": dict.fromkeys(("pc-a", "pc-b", "pc-c"), OK)},
        lambda r: {"wave": 2},
        None,
    ),
    "and somebody awaited": ({}, lambda r: {"wave": 2, **more_results(r, pc_b=OK)}, "still awaited: pc-c"),
    "and one failed": (
        {},
        lambda r: {"wave": 2, **more_results(r, pc_b=OK, pc_c=FAILED)},
        "too many failed to go on: pc-c",
    ),
    "one failed, half may": (
        {"max_fail_percentage": 50},
        lambda r: {"wave": 2, **more_results(r, pc_b=OK, pc_c=FAILED)},
        None,
    ),
    "one failed, less than half may": (
        {"max_fail_percentage": 49.9},
        lambda r: {"wave": 2, **more_results(r, pc_b=OK, pc_c=FAILED)},
        "too many failed",
    ),
    "unreachable counts": (
        {"max_fail_percentage": 49},
        lambda r: {"wave": 2, **more_results(r, pc_b=OK, pc_c=AWAY)},
        "too many failed",
    ),
    "but an operator goes on without it": (
        {"accepted": frozenset({"pc-c"})},
        lambda r: {"wave": 2, **more_results(r, pc_b=OK, pc_c=FAILED)},
        None,
    ),
    "also when it has not ended": (
        {"accepted": frozenset({"pc-c"})},
        lambda r: {"wave": 2, **more_results(r, pc_b=OK)},
        None,
    ),
    "two waves at once": ({}, lambda r: {"wave": 3, **more_results(r, **BOTH)}, "no wave 4"),
    "back": ({}, lambda r: {"wave": 0}, "comes another one"),
    "the next one, waiting": (
        {},
        lambda r: {"wave": 2, "status": "waiting", **more_results(r, **BOTH)},
        "comes another one",
    ),
    "an end of a wave to come": ({}, lambda r: more_results(r, pc_d=OK), "the wave of pc-d is not open"),
    "also while it is opened": ({}, lambda r: {"wave": 2, **more_results(r, **BOTH, pc_d=OK)}, "is not open"),
    "an end of nobody": ({}, lambda r: more_results(r, pc_z=OK), "not in any wave"),
    "an end unsaid": ({}, lambda r: {"results": {}}, "not unsaid"),
    "an end told differently": ({}, lambda r: more_results(r, pc_a=FAILED), "not unsaid"),
    "failed, and now well": ({"results": {"pc-a": FAILED}}, lambda r: more_results(r, pc_a=OK), "not unsaid"),
    "unreachable, and its true end": ({"results": {"pc-a": AWAY}}, lambda r: more_results(r, pc_a=FAILED), None),
    "unreachable, and nothing": ({"results": {"pc-a": AWAY}}, lambda r: {"results": {}}, "not unsaid"),
    "somebody accepted": ({}, lambda r: {"accepted": frozenset({"pc-b"})}, "only an operator"),
    "another round": ({}, lambda r: {"round": 1}, "only an operator"),
    "an older lease": ({}, lambda r: {"token": 6}, "lease 6, and 7 was seen"),
    "other waves": ({}, lambda r: {"waves": (("pc-a", "pc-b", "pc-c"), ("pc-d",))}, "may not change"),
    "more may fail": ({}, lambda r: {"max_fail_percentage": 100}, "may not change"),
    "the wave ended, with somebody awaited": ({}, lambda r: {"ended": r.opened}, "told once"),
    "all ended, and the pause begins": ({}, lambda r: {"ended": r.opened, **more_results(r, **BOTH)}, None),
    "the pause begins anew": (
        {"results": dict.fromkeys(("pc-a", "pc-b", "pc-c"), OK), "ended": datetime(2026, 1, 2, tzinfo=UTC)},
        lambda r: {"ended": r.opened},
        "told once",
    ),
    "the next wave has ended": ({}, lambda r: {"wave": 2, "ended": r.opened, **more_results(r, **BOTH)}, "not ended"),
    "opened once more": ({}, lambda r: {"opened": r.opened.replace(year=2030)}, "opened before"),
    "a revision left out": ({}, lambda r: {"revision": 7}, "does not follow"),
    "done with a wave to come": ({}, lambda r: {"status": "done", **more_results(r, **BOTH)}, "not opened"),
    "done with somebody awaited": (
        {"wave": 2},
        lambda r: {"status": "done", **more_results(r, **BOTH)},
        "awaited: pc-d",
    ),
    "done, and too many failed": (
        {"wave": 2},
        lambda r: {"status": "done", **more_results(r, **BOTH, pc_d=FAILED)},
        "too many failed",
    ),
    "done": ({"wave": 2}, lambda r: {"status": "done", **more_results(r, **BOTH, pc_d=OK)}, None),
    "who was away told its end after all was done": (
        {"status": "done", "wave": 2, "max_fail_percentage": 100, "results": dict.fromkeys(ITEMS, AWAY)},
        lambda r: more_results(r, pc_b=FAILED, pc_c=OK),
        None,
    ),
    "nothing else changes then": ({"status": "done", "wave": 2}, lambda r: {"ended": r.opened}, "it has ended"),
    "nor is an end unsaid": (
        {"status": "done", "wave": 2, "max_fail_percentage": 100, "results": dict.fromkeys(ITEMS, FAILED)},
        lambda r: more_results(r, pc_b=OK),
        "not unsaid",
    ),
    "a halt": ({}, lambda r: {"status": "waiting", **more_results(r, pc_b=FAILED)}, None),
    "an end while it waits": ({"status": "waiting"}, lambda r: more_results(r, pc_b=OK), None),
    "on, while a person is asked": ({"status": "waiting"}, lambda r: {"status": "running"}, "may not move it"),
    "the next wave meanwhile": (
        {"status": "waiting"},
        lambda r: {"wave": 2, "status": "running", **more_results(r, **BOTH)},
        "may not move it",
    ),
}


@pytest.mark.parametrize(("before", "changes", "why"), MOVES.values(), ids=MOVES)
def test_what_the_orchestrator_may_say(world, before, changes, why):
    earlier = running(world, **before)
    found = fault(world, earlier, step(world, earlier, "pc-b", **changes(earlier)))
    assert found is None if why is None else why in found, found


HALTED = {"status": "waiting", "results": {"pc-a": OK, "pc-b": FAILED}}
WORDS = {  # the same of operators
    "resume: what failed is tried again": (HALTED, {"status": "running", "round": 1, "results": {"pc-a": OK}}, None),
    "resume, and go on without it": (HALTED, {"status": "running", "accepted": frozenset({"pc-b"})}, None),
    "both": (HALTED, {"status": "running", "round": 1, "results": {"pc-a": OK}, "accepted": frozenset({"pc-c"})}, None),
    "opened again": (HALTED, {"status": "running", "round": 1, "results": {"pc-a": OK}, "opened": "later"}, None),
    "what went well is not tried again": (HALTED, {"status": "running", "round": 1, "results": {}}, "only what failed"),
    "not in the same round": (HALTED, {"status": "running", "results": {"pc-a": OK}}, "in a new round"),
    "two rounds at once": (HALTED, {"status": "running", "round": 2}, "does not follow"),
    "a round while it waits": (HALTED, {"round": 1}, "does not follow"),
    "a result of one's own": (HALTED, {"results": {**HALTED["results"], "pc-c": OK}}, "the orchestrator's to say"),
    "a result told differently": (HALTED, {"results": {"pc-a": OK, "pc-b": OK}}, "the orchestrator's to say"),
    "the next wave": ({}, {"wave": 2}, "opened by the orchestrator"),
    "go on without one, while it runs": ({}, {"accepted": frozenset({"pc-d"})}, None),
    "not without a stranger": ({}, {"accepted": frozenset({"pc-z"})}, "not in any wave"),
    "accepted is accepted": ({"accepted": frozenset({"pc-b"})}, {"accepted": frozenset()}, "not unsaid"),
    "opened again while it runs": ({}, {"opened": "later"}, "open already"),
    "stop": ({}, {"status": "stopped"}, None),
    "stop while it waits": (HALTED, {"status": "stopped"}, None),
    "halting is for who leads": ({}, {"status": "waiting"}, "may not move it"),
    "run it": ({"status": "prepared", "wave": 0, "results": {}}, {"status": "running", "opened": "later"}, None),
}


@pytest.mark.parametrize(("before", "changes", "why"), WORDS.values(), ids=WORDS)
def test_what_an_operator_may_say(world, before, changes, why):
    earlier = running(world, **before)
    changes = {**changes, **({"opened": world.wait(minutes=1)} if "opened" in changes else {})}
    found = fault(world, earlier, step(world, earlier, "op-bob", **changes))
    assert found is None if why is None else why in found, found


def test_who_may_not_speak(world):
    earlier, enacted = running(world), world.enact(world.member("pc-d", may_orchestrate=False))
    assert "may not orchestrate" in fault(world, earlier, step(world, earlier, enacted.machine))
    assert "not signed with the key" in fault(world, earlier, step(world, earlier, "pc-x"))
    assert "is no rollout" in fault(world, None, world.policy())


def told(world):
    """A whole life: prepared, run, the canary, a halt, resumed, done."""
    one = start(world)
    states = [one]
    for by, changes in (
        ("op-ann", {"status": "running"}),
        ("pc-b", {"token": 3, "wave": 1, "results": {"pc-a": OK}}),
        ("pc-b", {"status": "waiting", "results": {"pc-a": OK, "pc-b": FAILED}}),
        ("op-bob", {"status": "running", "round": 1, "results": {"pc-a": OK}}),
        ("pc-b", {"wave": 2, "results": {"pc-a": OK, "pc-b": OK, "pc-c": OK}}),
        ("pc-b", {"status": "done", "results": dict.fromkeys(ITEMS, OK)}),
    ):
        states.append(step(world, states[-1], by, **changes))
    return [world.say(state) for state in states]


def test_in_any_order_and_more_than_once_it_is_the_same_record(world):
    heard = told(world)
    whole = fold(heard, world.law)
    assert (whole.state.status, whole.state.revision, whole.refused) == ("done", 7, ())
    assert fold([*reversed(heard), *heard], world.law) == whole


def test_nonsense_in_between_changes_nothing(world):
    heard = told(world)[:3]
    state = heard[-1].message
    heard += [
        world.say(step(world, state, "pc-c", wave=2, results=dict.fromkeys(("pc-a", "pc-b", "pc-c"), OK), token=2)),
        world.say(step(world, state, "pc-c", status="done", token=3)),
        world.say(step(world, state, "pc-b", results={"pc-a": OK, "pc-c": OK})),
    ]
    folded = fold(heard, world.law)
    assert folded.state.results.keys() == {"pc-a", "pc-c"}
    assert len(folded.refused) == 2


def spoken(world, state, by, times=RETAINED):
    """So often that what was before is gone from the broker."""
    heard = []
    for _ in range(times):
        state = step(world, state, by)
        heard.append(world.say(state))
    return heard


def test_the_leader_said_so_much_that_its_beginning_is_gone(world):
    """Of each speaker the broker keeps the latest few: the operator's words are left, most of the leader's are not."""
    names = tuple(f"pc-{n}" for n in range(30))
    world = type(world)(machines=(*names, "pc-a"))
    one = start(world, waves=tuple((name,) for name in names), items=dict.fromkeys(names, ("d-1",)))
    heard = [world.say(one), world.say(step(world, one, "op-ann", status="running"))]
    state = heard[-1].message
    for at, name in enumerate(names[:-1]):
        state = step(world, state, "pc-a", wave=at + 1, token=4, results=state.results | {name: OK})
        heard.append(world.say(state))
    kept = [*heard[:2], *heard[-RETAINED:]]
    assert fold(kept, world.law).state == fold(heard, world.law).state == state


FORGED = {  # what a machine may not have others believe by speaking so often that the steps before are gone
    "that it was run": ({"status": "prepared"}, {"status": "running"}),
    "that a halt is over": ({"status": "waiting", "results": {"pc-a": FAILED}}, {"status": "running"}),
    "a wave after too many failed": ({"status": "running"}, {"wave": 2, "results": {"pc-a": FAILED}}),
    "that it may go on without somebody": ({"status": "running"}, {"accepted": frozenset({"pc-a"})}),
    "another round": ({"status": "running"}, {"round": 1}),
    "a wave whose machines are awaited": ({"status": "running"}, {"wave": 1}),
    "that an end was not so": ({"status": "running", "results": {"pc-a": FAILED}}, {"results": {"pc-a": OK}}),
    "that an operator stopped it": ({"status": "running"}, {"status": "stopped"}),
    "that it is done": ({"status": "running"}, {"status": "done"}),
}


@pytest.mark.parametrize(("before", "lie"), FORGED.values(), ids=FORGED)
def test_a_gap_is_no_way_around_a_person(world, before, lie):
    known = start(world, revision=4, **before)
    lies = step(world, known, "pc-b", revision=20, **lie)
    heard = [world.say(known), world.say(lies), *spoken(world, lies, "pc-b")]
    assert fold(heard, world.law).state == known


def test_a_machine_does_not_begin_one_whose_beginning_is_gone(world):
    heard = spoken(world, step(world, start(world, status="running", revision=9), "pc-b"), "pc-b")
    assert fold(heard, world.law).state is None
