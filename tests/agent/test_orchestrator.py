"""When the role is taken: at once by who may, later while somebody else has it, and not at all by who may not."""

import asyncio
from types import SimpleNamespace

import pytest

from roosync_agent.running import orchestrator
from roosync_broker.errors import UnavailableError


class Role:
    """A lease of a minute: whoever waits for the next look at it waits for 20 seconds."""

    ttl, pause, free = 60.0, 20.0, True

    def __init__(self, *_):
        self.asked = self.learned = self.token = 0

    @property
    def held(self):
        return self.token > 0

    async def learn(self):
        self.learned += 1

    async def acquire(self):
        self.asked += 1
        self.token = 7 if self.free else 0
        return self.held

    async def renew(self):
        self.asked += 1
        return self.held


@pytest.fixture
def leader(monkeypatch):
    monkeypatch.setattr(orchestrator, "Lease", Role)
    monkeypatch.setattr(orchestrator, "SETTLE", 0.0)
    law = SimpleNamespace(allowed=True, may_orchestrate=lambda name: law.allowed)
    link = SimpleNamespace(on_connected=lambda callback: None)
    session = SimpleNamespace(link=link, subjects=SimpleNamespace(fleet="f"), reachable=True)
    cycles = SimpleNamespace(running=False)
    rollouts = SimpleNamespace(open=[], call=lambda *_: asyncio.Event().wait())
    machine = SimpleNamespace(
        name="a", session=session, fleet=SimpleNamespace(law=law), cycles=cycles, rollouts=rollouts
    )
    made = orchestrator.Orchestrator(machine)
    made.law, made.turns, made.took = law, asyncio.Event(), 0

    async def turn():
        made.took += 1
        made.turns.set()

    made.turn = turn
    return made


async def running(leader, *steps):
    task = asyncio.create_task(leader.run())
    try:
        for step in steps:
            await asyncio.sleep(0.05)
            step()
        await asyncio.wait_for(leader.turns.wait(), 1)
    finally:
        task.cancel()


async def test_who_may_lead_from_now_on_does_so_at_once(leader):
    leader.law.allowed = False
    await running(leader, leader.wake, lambda: setattr(leader.law, "allowed", True), leader.wake)
    assert leader._lease.learned == 1


async def test_who_wins_the_role_takes_a_turn_although_nothing_woke_it(leader):
    await running(leader)
    assert leader.token == 7


@pytest.mark.parametrize("place", ["cycles", "rollouts"])
async def test_a_burst_is_not_let_settle_while_somebody_waits_for_a_step(leader, monkeypatch, place):
    monkeypatch.setattr(orchestrator, "SETTLE", 60.0)

    def begins():
        setattr(getattr(leader._machine, place), "running" if place == "cycles" else "open", ["one"])
        leader.wake()

    await running(leader, leader.wake, begins)


@pytest.mark.parametrize(("allowed", "asked"), [(True, 1), (False, 0)], ids=["another leads", "it may not"])
async def test_who_does_not_lead_does_not_ask_all_the_time(leader, allowed, asked):
    leader._lease.free, leader.law.allowed = False, allowed
    with pytest.raises(TimeoutError):
        await running(leader, leader.wake, leader.wake)
    assert leader._lease.asked == asked
    assert leader.token == 0


async def test_who_lost_the_role_in_a_turn_leaves_the_rest_to_who_has_it(leader, monkeypatch):
    async def none():
        pass

    async def lead(token, newest):
        leader._lease.token = 0

    done = []

    async def work(*_):
        done.append("worked")

    machine = leader._machine
    machine.following, machine.cycles.lead, machine.rollouts.lead = SimpleNamespace(widen=none), lead, lead
    monkeypatch.setattr(orchestrator.owed, "make_up", work)
    monkeypatch.setattr(orchestrator.approvals, "follow", work)
    leader._lease.token = leader._made_up = 7
    await orchestrator.Orchestrator.turn(leader)
    assert done == []


async def test_what_came_while_nobody_led_is_not_forgotten(leader):
    role = leader._lease
    role.free, role.pause = False, 0.1
    await running(leader, leader.wake, lambda: setattr(role, "free", True))


async def test_a_long_turn_does_not_lose_the_lease(leader):
    leader._lease.pause = 0.01

    async def turn():
        await asyncio.sleep(0.2)
        leader.turns.set()

    leader.turn = turn
    await running(leader)
    assert leader._lease.asked > 5


@pytest.mark.parametrize(
    ("fault", "pause"), [(UnavailableError("it is away"), "AGAIN"), (ValueError("nobody expected it"), "LATER")]
)
async def test_a_turn_that_was_not_finished_is_taken_again(leader, monkeypatch, fault, pause):
    monkeypatch.setattr(orchestrator, pause, 0.05)

    async def turn():
        leader.took += 1
        if leader.took == 1:
            raise fault
        leader.turns.set()

    leader.turn = turn
    await running(leader)
    assert leader.took == 2
