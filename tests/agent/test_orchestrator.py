"""When the role is taken: at once by who may, later while somebody else has it, and not at all by who may not."""

import asyncio
from types import SimpleNamespace

import pytest

from roosync_agent.running import orchestrator


class Role:
    """A lease of a minute: whoever waits for the next look at it waits for 20 seconds."""

    ttl, held, free = 60.0, False, True

    def __init__(self, *_):
        self.asked = 0

    async def acquire(self):
        self.asked += 1
        self.held = self.free
        return self.held

    async def renew(self):
        return True


@pytest.fixture
def leader(monkeypatch):
    monkeypatch.setattr(orchestrator, "Lease", Role)
    law = SimpleNamespace(allowed=False, may_orchestrate=lambda name: law.allowed)
    session = SimpleNamespace(link=None, subjects=SimpleNamespace(fleet="f"), reachable=True)
    cycles = SimpleNamespace(running=False)
    machine = SimpleNamespace(name="a", session=session, fleet=SimpleNamespace(law=law), cycles=cycles)
    made = orchestrator.Orchestrator(machine)
    made.law, made.turns = law, asyncio.Event()

    async def turn():
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
    await running(leader, leader.wake, lambda: setattr(leader.law, "allowed", True), leader.wake)


@pytest.mark.parametrize(("allowed", "asked"), [(True, 1), (False, 0)], ids=["another leads", "it may not"])
async def test_who_does_not_lead_does_not_ask_all_the_time(leader, monkeypatch, allowed, asked):
    monkeypatch.setattr(orchestrator, "SETTLE", 0.0)
    leader._lease.free, leader.law.allowed = False, allowed
    with pytest.raises(TimeoutError):
        await running(leader, leader.wake, leader.wake)
    assert leader._lease.asked == asked
