"""Rollouts as the leader drives them, and as each machine obeys them: fenced, halted, told, and nobody asked in vain.

The machines, their sessions and answers to pings are the real ones; the bus is in memory.
"""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.membership import lawmaking
from roosync_agent.running import calling, owed, rollouts
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session, new_operation
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import topology
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol import approval
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import Alarm, Approval, Audit, Result, Rollout, UpdateReport
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NAMES = ("alpha", "beta", "gamma")


@pytest.fixture
async def world(tmp_path):
    bus = MemoryBus()
    await topology.ensure(bus.link("keeper"), "home")
    keys = {name: KeyPair.generate() for name in ("op-ann", *NAMES)}
    found = SimpleNamespace(now=NOW, heard=[], bus=bus)

    def session(name):
        law = Law(fleet="home", root=keys["op-ann"].public)
        made = Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))
        made.now = lambda: found.now
        return made

    def machine(name):
        home, state = tmp_path / name / "home", State(tmp_path / name / "state")
        home.mkdir(parents=True)
        state.prepare()
        settings = Settings(state=state.folder, home=home, machine=name, os="posix", home_as="/home/ana")
        return Machine(settings, state, session(name))

    found.keys, found.operator = keys, session("op-ann")
    await lawmaking.found(found.operator, "alpha", keys["alpha"].public, None)
    for name in NAMES[1:]:
        await lawmaking.admit(found.operator, name, keys[name].public)
    for name in NAMES:
        setattr(found, name, machine(name))
    found.sessions = [found.operator, *(getattr(found, name).session for name in NAMES)]
    for one in found.sessions:
        await one.refresh()
        await one.follow(lambda heard, one=one: found.heard.append(heard.message) if one is found.operator else None)
    for name in NAMES:
        one = getattr(found, name)
        one.lead, one.said = partial(lead, found, one), partial(said, found, name)
    return found


async def read(world):
    for one in world.sessions:
        await one.refresh()


async def lead(world, machine, token, held=None):
    """A turn of the orchestrator under this lease."""

    async def newest():
        return token

    await machine.rollouts.lead(held or (lambda: token), newest)
    await read(world)


async def begin(world, waves=(("alpha",), ("beta", "gamma")), **more):
    fields = {
        "agent": "op-ann",
        "timestamp": world.now,
        "id": "ro-1",
        "revision": 1,
        "operation_id": new_operation(),
        "purpose": "update",
        "status": "running",
        "waves": waves,
        "timeout_minutes": 5,
        "started": world.now,
        "opened": world.now,
    }
    await world.operator.advance(Rollout(**{**fields, **more}), 0)
    await read(world)


def state(world):
    return world.operator.fleet.rollout("ro-1").state


def outcomes(world):
    return {machine: result.outcome for machine, result in state(world).results.items()}


async def report(world, name, phase="confirmed", **more):
    """What a machine says of its update."""
    told = UpdateReport(agent=name, timestamp=world.now, campaign="ro-1", phase=phase, version="2", **more)
    await getattr(world, name).session.say(told)
    await read(world)


async def moved(world, **changes):
    """A step of the operator."""
    folded = world.operator.fleet.rollout("ro-1")
    step = {"agent": "op-ann", "revision": folded.state.revision + 1, "operation_id": new_operation()}
    await world.operator.advance(replace(folded.state, **(step | changes)), folded.sequence)
    await read(world)


def said(world, name, kind):
    return [message for message in world.heard if isinstance(message, kind) and message.agent == name]


async def test_wave_after_wave_and_every_end_is_written_down(world):
    await begin(world)
    await report(world, "alpha")
    await world.alpha.lead(5)
    assert (state(world).wave, state(world).token, outcomes(world)) == (1, 5, {"alpha": "changed"})
    await report(world, "gamma", "unneeded")
    await report(world, "beta")
    await world.alpha.lead(5)
    assert (state(world).status, outcomes(world)["gamma"]) == ("done", "ok")
    told = [(one.action, one.phase, one.about) for one in world.alpha.said(Audit)]
    assert told == [
        ("open wave", "before", "ro-1 wave 2"), ("open wave", "after", "ro-1 wave 2"),
        ("end rollout", "before", "ro-1 wave 2"), ("end rollout", "after", "ro-1 wave 2"),
    ]  # fmt: skip


async def test_several_waves_that_ended_already_are_one_turn(world):
    await begin(world, waves=(("alpha",), ("beta",), ("gamma",)))
    for name in NAMES:
        await report(world, name)
    await world.alpha.lead(5)
    assert state(world).status == "done"


async def test_a_halt_is_told_once_and_goes_on_when_an_operator_resumes(world):
    await begin(world)
    await report(world, "alpha", "returned", reason="it does not start")
    await world.alpha.lead(5)
    await world.alpha.lead(5)
    assert state(world).status == "waiting"
    [alarm] = world.alpha.said(Alarm)
    assert (alarm.level, alarm.about) == (2, "ro-1")
    assert "alpha (failed: it runs the version before: it does not start)" in alarm.reason

    await moved(world, status="running", round=1, results={}, opened=world.now)
    await world.alpha.lead(5)
    assert state(world).status == "running", "what it said of the round before is not its end in this one"
    await report(world, "alpha", round=1)
    await world.alpha.lead(5)
    assert state(world).wave == 1


async def test_who_could_not_go_back_is_an_emergency(world):
    await begin(world)
    await report(world, "alpha", "return_failed", reason="no version starts")
    await world.alpha.lead(5)
    assert [one.level for one in world.alpha.said(Alarm)] == [3, 2]
    assert "no version starts" in world.alpha.said(Alarm)[0].reason


async def test_the_next_leader_tells_a_halt_that_a_dead_one_did_not(world, monkeypatch):
    await begin(world)
    await report(world, "alpha", "returned")
    with monkeypatch.context() as dying:
        dying.setattr(Machine, "alarm", _dies)
        with pytest.raises(SystemExit):
            await world.alpha.lead(5)
    await read(world)
    assert (state(world).status, world.alpha.said(Alarm)) == ("waiting", [])
    for _ in range(2):
        await owed.make_up(world.beta)
        await read(world)
    assert [one.level for one in world.beta.said(Alarm)] == [2]


async def _dies(self, level, reason, about):
    raise SystemExit


async def test_who_wins_the_role_fences_and_who_lost_it_says_nothing(world):
    await begin(world)
    await world.alpha.lead(5)
    assert (state(world).token, state(world).agent, state(world).revision) == (5, "alpha", 2)
    await world.alpha.lead(5)
    assert state(world).revision == 2, "once for each lease"
    await world.beta.lead(9)
    assert (state(world).token, state(world).agent) == (9, "beta")
    await report(world, "alpha")
    await world.alpha.lead(5, lambda: 0)
    tokens = iter([12, 0])
    await world.alpha.lead(12, lambda: next(tokens))  # lost between the look and the step
    assert (state(world).wave, state(world).token) == (0, 9)
    assert [one.outcome for one in world.alpha.said(Audit)].count("not done") == 0


async def test_who_was_slower_says_that_it_was_not_done_and_looks_again(world, monkeypatch):
    await begin(world)
    await report(world, "alpha")
    first = world.alpha.session.advance

    async def overtaken(message, after):
        monkeypatch.setattr(world.alpha.session, "advance", first)
        await moved(world, accepted=frozenset({"gamma"}))
        return await first(message, after)

    monkeypatch.setattr(world.alpha.session, "advance", overtaken)
    await world.alpha.lead(5)
    assert (state(world).wave, state(world).accepted) == (0, {"gamma"})
    assert [one.outcome for one in world.alpha.said(Audit)] == ["", "not done"]
    await world.alpha.lead(5)
    assert state(world).wave == 1


async def test_ends_of_a_large_rollout_are_written_in_batches(world, monkeypatch):
    monkeypatch.setattr(rollouts, "PER_SECOND", 1)  # three machines, heard by three: nine seconds
    await begin(world, waves=(NAMES,))
    await world.alpha.lead(5)
    before, woken = state(world).revision, asyncio.Event()
    await report(world, "beta")
    await world.alpha.lead(5)
    assert state(world).revision == before
    monkeypatch.setattr(rollouts, "PER_SECOND", 300)
    await world.alpha.lead(5)
    world.alpha.rollouts.alarm_clock(woken.set)
    await asyncio.wait_for(woken.wait(), 2)  # nobody else wakes it
    await world.alpha.lead(5)
    assert outcomes(world) == {"beta": "changed"}
    monkeypatch.setattr(rollouts, "PER_SECOND", 1)
    await report(world, "alpha", "returned")
    await world.alpha.lead(5)
    assert state(world).status == "waiting", "a halt is not put off"


async def test_a_pause_ends_by_a_timer(world):
    await begin(world, pause_seconds=0.3)
    await report(world, "alpha")
    await world.alpha.lead(5)
    assert (state(world).wave, state(world).ended) == (0, world.now)
    woken = asyncio.Event()
    world.alpha.rollouts.alarm_clock(woken.set)
    await asyncio.wait_for(woken.wait(), 2)
    await world.alpha.lead(5)
    assert state(world).wave == 1


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(calling, "FIRST", 0.01)
    monkeypatch.setattr(pinging, "TWICE", (0.1, 0.1))
    monkeypatch.setattr(calling, "LATER", 0.05)
    monkeypatch.setattr(calling, "BACK", 0.2)


@contextlib.asynccontextmanager
async def asking(world):
    """The leader's task that asks who is there; each time that it wakes, a turn is taken."""
    rounds = asyncio.Queue()
    task = asyncio.create_task(world.alpha.rollouts.call(lambda: 5, lambda: rounds.put_nowait(None)))

    async def turn():
        await asyncio.wait_for(rounds.get(), 3)
        await world.alpha.lead(5)

    try:
        yield turn
    finally:
        task.cancel()


async def test_who_does_not_answer_is_named_and_who_answers_is_not(world, quick):
    await pinging.serve(world.beta)
    await begin(world, waves=(NAMES,), max_fail_percentage=50)
    await world.alpha.lead(5)
    async with asking(world) as turn:
        await turn()
        assert outcomes(world) == {"gamma": "unreachable"}, "not who leads, and not who answers"
        await report(world, "gamma")
        await world.alpha.lead(5)
        assert outcomes(world) == {"gamma": "changed"}, "it was there, and says its end"
        assert state(world).status == "running"


async def test_of_two_rollouts_none_waits_for_the_questions_of_the_other(world, quick, monkeypatch):
    await begin(world, waves=(("beta",),))
    await begin(world, waves=(("gamma",),), id="ro-2")
    await world.alpha.lead(5)
    both, asked = asyncio.Event(), []

    async def ask(call, names, wake):
        asked.extend(names)
        call.at += 60
        if len(asked) == 2:
            both.set()
        await both.wait()
        wake()

    monkeypatch.setattr(calling.Calling, "ask", ask)
    async with asking(world) as turn:
        await turn()
    assert sorted(asked) == ["beta", "gamma"]


async def test_nobody_is_called_silent_for_an_answer_that_our_own_outage_lost(world, quick, monkeypatch):
    await begin(world, waves=(NAMES,))
    await world.alpha.lead(5)
    (call,) = world.alpha.rollouts._calls.values()
    asked = pinging.ping_all

    async def lost(*given):
        rows = await asked(*given)
        world.alpha.rollouts.connected()  # gone and back, in the middle of the questions
        return rows

    monkeypatch.setattr(pinging, "ping_all", lost)
    await call.ask(["gamma"], lambda: None)
    assert call.silent == frozenset()
    monkeypatch.setattr(pinging, "ping_all", asked)
    await call.ask(["gamma"], lambda: None)
    assert call.silent == {"gamma"}


async def test_who_was_away_tells_its_end_when_all_is_done_and_nothing_else_is_moved(world, quick):
    await pinging.serve(world.beta)
    await begin(world, waves=(NAMES,), max_fail_percentage=50)
    for name in ("alpha", "beta"):
        await report(world, name)
    await world.alpha.lead(5)
    async with asking(world) as turn:
        await turn()
    assert (state(world).status, outcomes(world)["gamma"]) == ("done", "unreachable")
    before = state(world).revision
    await world.beta.lead(9)
    assert state(world).revision == before
    await report(world, "gamma")
    await world.beta.lead(9)
    assert outcomes(world)["gamma"] == "changed"
    assert world.beta.rollouts.led == []


async def test_who_restarts_into_another_version_is_not_gone(world, quick):
    await pinging.serve(world.beta)
    await begin(world, waves=(NAMES,))
    await report(world, "gamma", "updating")
    await world.alpha.lead(5)
    async with asking(world) as turn:
        await turn()
        assert outcomes(world) == {}
        world.alpha.rollouts._awaited.of = lambda rollout: (301.0, 0.0)
        await world.alpha.lead(5)
        while not outcomes(world):
            await turn()
    assert outcomes(world) == {"alpha": "timed_out", "beta": "timed_out", "gamma": "unreachable"}
    assert state(world).status == "waiting"


async def test_while_we_are_away_nobody_else_is_called_silent(world, quick, monkeypatch):
    await begin(world, waves=(NAMES,))
    await world.alpha.lead(5)
    [call] = world.alpha.rollouts._calls.values()
    monkeypatch.setattr(type(world.alpha.session), "reachable", False)
    await call.ask(["beta"], lambda: pytest.fail("it knows nothing"))
    assert call.silent == frozenset()
    monkeypatch.undo()
    call.silent = frozenset({"beta"})
    world.alpha.rollouts.connected()
    assert call.silent == frozenset()


async def test_nobody_is_asked_once_all_have_ended(world, quick):
    await begin(world, waves=(NAMES,), pause_seconds=60)
    await world.alpha.lead(5)
    assert world.alpha.rollouts._calls
    for name in NAMES:
        await report(world, name)
    await world.alpha.lead(5)
    assert (state(world).status, world.alpha.rollouts._calls) == ("done", {})


async def approved(world, rollout, before=None, hours=0):
    """A decision of beta that an operator approved, as it stands then."""
    if before is None:
        found = Divergence(key="claude.settings/x", kind=Kind.SETTING, verdict=Verdict.TAKE, local=1, wanted=2)
        asked = Asked(machine="beta", reference="baseline", reference_revision=1, now=world.now)
        before = decide(found, asked, new_operation())
        await world.beta.session.advance(before, 0)
        await read(world)
    made = Approval(
        fleet="home", operator="op-ann", machine="beta", decision=before.id, entity=before.entity,
        attempt=before.attempt, action=before.action, wanted=before.wanted.digest, surface=before.surface,
        issued=world.now + timedelta(hours=hours), expires=world.now + timedelta(days=7), rollout=rollout,
    )  # fmt: skip
    signed = approval.approve(made, world.keys["op-ann"].public, world.keys["op-ann"].sign)
    return replace(before, approvals=(*before.approvals, signed), status="approved")


GATED = {  # how the rollout goes on -> why beta's decision waits
    "prepared": ([], "was not begun yet"),
    "running": ([{"status": "running"}], "wave 2 of ro-1 is not open yet"),
    "stopped": ([{"status": "stopped"}], "was stopped: approve it again, or reject it"),
}


@pytest.mark.parametrize(("steps", "why"), GATED.values(), ids=GATED)
async def test_an_approved_decision_waits_for_its_wave(world, steps, why):
    decision = await approved(world, "ro-1")
    assert "not known here" in world.beta.rollouts.closed(decision)
    items = {"alpha": ("d-1",), "beta": (decision.id,)}
    await begin(world, waves=(("alpha",), ("beta",)), purpose="decisions", status="prepared", items=items)
    for changes in steps:
        await moved(world, **changes)
    assert why in world.beta.rollouts.closed(decision)
    singly = await approved(world, "", decision, hours=1)
    assert world.beta.rollouts.closed(singly) is None, "the newest approval counts"
    assert world.beta.rollouts.closed(await approved(world, "ro-9", singly, hours=2)) is not None


async def test_a_machine_looks_again_when_its_own_part_changed(world):
    assert not world.beta.rollouts.concerns("ro-1")
    await begin(world)
    assert world.beta.rollouts.concerns("ro-1")
    assert not world.beta.rollouts.concerns("ro-1"), "nothing new"
    await moved(world, accepted=frozenset({"gamma"}))
    assert not world.beta.rollouts.concerns("ro-1")
    await report(world, "alpha")
    await world.alpha.lead(5)
    assert world.beta.rollouts.concerns("ro-1"), "its wave is open"
    await begin(world, id="ro-2", waves=(("alpha",),))
    assert not world.beta.rollouts.concerns("ro-2"), "of others"
    assert Result(outcome="changed") == state(world).results["alpha"]
