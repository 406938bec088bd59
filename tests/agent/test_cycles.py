"""Two machines, one role: who wins it fences the open cycles first, and says what the one before died without saying.

The machines, their sessions and leases are the real ones; the bus is in memory.
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_agent.operations.coordination import cycling
from roosync_agent.operations.membership import lawmaking
from roosync_agent.running import owed
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import topology
from roosync_broker.errors import StaleError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.link import Expect
from roosync_broker.memory import MemoryBus
from roosync_protocol import envelope
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import Alarm, Arrival, Audit, MetricReport, Reached
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
async def world(tmp_path):
    bus, names = MemoryBus(), ("op-ann", "alpha", "beta")
    await topology.ensure(bus.link("keeper"), "home")
    keys = {name: KeyPair.generate() for name in names}
    law = Law(fleet="home", root=keys["op-ann"].public)
    found = SimpleNamespace(now=NOW, heard=[])

    def session(name):
        made = Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))
        made.now = lambda: found.now
        return made

    def machine(name):
        home, state = tmp_path / name / "home", State(tmp_path / name / "state")
        (home / ".claude").mkdir(parents=True)
        state.prepare()
        settings = Settings(state=state.folder, home=home, machine=name, os="posix", home_as="/home/ana")
        return Machine(settings, state, session(name))

    operator = session("op-ann")
    await lawmaking.found(operator, "alpha", keys["alpha"].public, None)
    await lawmaking.admit(operator, "beta", keys["beta"].public)
    found.alpha, found.beta = machine("alpha"), machine("beta")
    for one in (operator, found.alpha.session, found.beta.session):
        await one.refresh()
        await one.follow(lambda heard, one=one: found.heard.append(heard.message) if one is operator else None)
    for one in (found.alpha, found.beta):
        one.lead = partial(leads, one)
    found.operator, found.session, found.keys = operator, session, keys
    return found


async def leads(machine, newest, held=None):
    """A turn of the orchestrator under this lease; `held` tells otherwise what is held at each look."""

    async def asked():
        return newest

    await machine.cycles.lead(held or (lambda: newest), asked)


def said(world, kind):
    return [message for message in world.heard if isinstance(message, kind)]


async def read(world):
    for one in (world.operator, world.alpha.session, world.beta.session):
        await one.refresh()


async def open_cycle(world):
    """At VERSION, where nobody but alpha, who asked, has arrived."""
    id_ = (await cycling.start(world.alpha, "deployment", timeout=5.0)).id
    await read(world)
    return id_


def state(world, id_):
    return world.operator.fleet.cycle(id_).state


async def test_who_wins_the_role_fences_every_open_cycle_before_anything_is_to_be_done(world):
    id_ = await open_cycle(world)
    await world.alpha.lead(5)
    await read(world)
    first = state(world, id_)
    assert (first.token, first.checkpoint, first.agent) == (5, "version", "alpha")
    await world.alpha.lead(5)
    await read(world)
    assert state(world, id_).revision == first.revision, "once for each lease"

    sealed = the_next_step(world.alpha, world, id_)  # worked out under lease 5, and on its way
    await world.beta.lead(9)
    await read(world)
    assert (state(world, id_).token, state(world, id_).checkpoint, state(world, id_).agent) == (9, "version", "beta")
    with pytest.raises(StaleError):
        await sealed()
    await read(world)
    assert state(world, id_).checkpoint == "version"
    about = [(one.action, one.phase, one.outcome) for one in said(world, Audit) if one.agent == "beta"]
    assert about == [("lead on", "before", ""), ("lead on", "after", "VERSION awaited")]


def the_next_step(machine, world, id_):
    """What would pass VERSION, as it lies in the socket: it expects the sequence that was the last when it was made."""
    folded = machine.fleet.cycle(id_)
    step = replace(
        folded.state,
        agent=machine.name,
        revision=folded.state.revision + 1,
        checkpoint="collected",
        operation_id="o-old",
        reached=(Reached(checkpoint="version", round=0, at=world.now, divergences=0),),
    )
    expect = Expect(folded.sequence, machine.session.subjects.record("cycle", id_))
    return lambda: machine.session.say(step, expect=expect)


async def test_who_does_not_hold_the_role_moves_nothing(world):
    id_ = await open_cycle(world)
    before = state(world, id_)
    await world.alpha.lead(0)
    tokens = iter([5, 0])
    await world.alpha.lead(5, lambda: next(tokens))  # lost between the look and the step
    await read(world)
    assert state(world, id_) == before


async def test_a_number_that_was_made_up_keeps_nobody_from_fencing(world):
    id_ = await open_cycle(world)
    await world.alpha.lead(10**9)  # as a liar would say it
    await read(world)
    sealed = the_next_step(world.alpha, world, id_)
    for _ in range(2):
        await world.beta.lead(9)
        await read(world)
    assert (state(world, id_).agent, state(world, id_).revision, state(world, id_).token) == ("beta", 3, 10**9)
    with pytest.raises(StaleError):
        await sealed()


async def test_what_a_dead_leader_owed_is_said_once(world, monkeypatch):
    id_ = await open_cycle(world)
    await world.alpha.lead(5)
    world.now += timedelta(minutes=4.5)
    with monkeypatch.context() as dying:
        dying.setattr(Machine, "alarm", _dies)
        dying.setattr(world.alpha.cycles._awaited, "of", lambda cycle: (4.5 * 60, 0.0))
        with pytest.raises(SystemExit):
            await world.alpha.lead(5)
    await read(world)
    [escalation] = state(world, id_).escalations
    assert said(world, Alarm) == []
    await owed.make_up(world.beta)
    await owed.make_up(world.beta)
    [alarm] = said(world, Alarm)
    assert (alarm.agent, alarm.level, alarm.reason, alarm.about) == ("beta", 1, escalation.reason, id_)
    world.now += timedelta(minutes=11)
    world.beta.fleet.alarms.clear()
    await owed.make_up(world.beta)
    assert len(said(world, Alarm)) == 1, "what is long ago is history"


async def _dies(self, level, reason, about):
    raise SystemExit


async def test_the_figures_of_an_end_are_told_by_the_next_leader(world):
    id_ = await open_cycle(world)
    ended = replace(
        world.beta.fleet.cycle(id_).state, status="done", agent="alpha", timestamp=world.now, operation_id="o-end"
    )
    world.beta.fleet.cycles = lambda: [ended]
    await owed.make_up(world.beta)
    await owed.make_up(world.beta)
    assert [one.test_session for one in said(world, MetricReport)] == [id_]


async def test_an_arrival_that_was_covered_by_a_forgery_is_said_again_while_it_is_awaited(world):
    """Who heard it keeps it, also its own machine; who reads the last report is shown the forgery alone."""
    id_ = await open_cycle(world)
    await world.beta.cycles.participate()
    forged = replace(world.beta.fleet.arrivals(state(world, id_))["beta"], package="0" * 64)
    sealed = envelope.seal(Subjects("home"), forged, "o-forged", world.keys["alpha"].public, world.keys["alpha"].sign)
    await world.operator.link.post(sealed.subject, sealed.data, sealed.headers)

    async def there():
        newcomer = world.session("op-ann")
        await newcomer.refresh()
        return set(newcomer.fleet.arrivals(state(world, id_)))

    for seconds, shown in ((0, {"alpha"}), (30, {"alpha"}), (30, {"alpha", "beta"})):
        world.now += timedelta(seconds=seconds)
        await world.beta.cycles.participate()
        await read(world)
        assert await there() == shown


async def test_an_arrival_that_nobody_awaits_is_not_said_again(world):
    id_ = await open_cycle(world)
    await world.beta.cycles.participate()
    await world.beta.lead(5)
    stopped = replace(state(world, id_), status="waiting", stopped=2)
    world.beta.fleet.open_cycles = lambda: [stopped]
    before = len(said(world, Arrival))
    world.now += timedelta(minutes=5)
    await world.beta.cycles.participate()
    await read(world)
    assert len(said(world, Arrival)) == before
