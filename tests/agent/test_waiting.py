"""Whoever shows the fleet live is told that something changed, of which kind, and never asks in vain for long."""

import asyncio
from types import SimpleNamespace

import pytest

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.waiting import wait_change
from roosync_agent.running.changes import Changes


class Wide:
    def __init__(self):
        self.widened = 0

    async def widen(self):
        self.widened += 1


@pytest.fixture
def machine():
    return SimpleNamespace(changes=Changes(), session=SimpleNamespace(whole=True, reachable=True), following=Wide())


@pytest.mark.parametrize("since", ["", "other.3", "....", "x", "٣"], ids=repr)
async def test_a_mark_of_another_life_is_answered_at_once(machine, since):
    if since == "٣":
        since = f"{machine.changes.mark.partition('.')[0]}.٣"
    found = await wait_change(machine, since, wait=200)
    assert found.everything
    assert found.mark == machine.changes.mark


async def test_nothing_is_an_answer_too(machine):
    mark = machine.changes.mark
    assert (await wait_change(machine, mark, wait=0.01)).kinds == []
    assert (await wait_change(machine, mark, wait=0)).mark == mark


async def test_what_came_before_the_question_is_not_missed(machine):
    mark = machine.changes.mark
    machine.changes.note("decision")
    machine.changes.note("status")
    found = await wait_change(machine, mark, wait=200)
    assert found.kinds == ["decision", "status"]
    assert (await wait_change(machine, found.mark, wait=0)).kinds == []


async def test_a_change_wakes_and_a_burst_is_one_answer(machine):
    waiting = asyncio.create_task(wait_change(machine, machine.changes.mark, wait=200))
    await asyncio.sleep(0)
    assert machine.changes.waiting == 1
    for kind in ("decision", "status", "decision"):
        machine.changes.note(kind)
    assert (await asyncio.wait_for(waiting, 5)).kinds == ["decision", "status"]
    assert machine.changes.waiting == 0


async def test_only_the_kinds_that_are_asked_for_end_the_waiting(machine):
    waiting = asyncio.create_task(wait_change(machine, machine.changes.mark, wait=200, kinds=["mail"]))
    await asyncio.sleep(0)
    machine.changes.note("status")
    await asyncio.sleep(0.01)
    assert not waiting.done()
    machine.changes.note("mail")
    assert "mail" in (await asyncio.wait_for(waiting, 5)).kinds


async def test_the_broker_that_goes_is_a_change(machine):
    waiting = asyncio.create_task(wait_change(machine, machine.changes.mark, wait=200))
    await asyncio.sleep(0)
    machine.session.reachable = False
    assert (await asyncio.wait_for(waiting, 5)).kinds == ["here"]


async def test_in_a_large_fleet_everything_is_followed_while_somebody_waits(machine):
    machine.session.whole = False
    await wait_change(machine, machine.changes.mark, wait=0)
    assert machine.following.widened == 1


@pytest.mark.parametrize("wait", [-1, 251, float("nan"), float("inf")])
async def test_no_time_is_refused(machine, wait):
    with pytest.raises(RefusedRequestError):
        await wait_change(machine, wait=wait)
