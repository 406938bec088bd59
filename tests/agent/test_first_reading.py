"""Who asks an agent that starts waits until it has read the fleet, and not for ever."""

import asyncio
from types import SimpleNamespace

import pytest

from roosync_agent.operations.served import VERBS
from roosync_agent.running import first_reading
from roosync_agent.running.agent import Agent
from roosync_agent.running.first_reading import AT_ONCE, FirstReading


class Moment:
    """A clock that each look moves on."""

    def __init__(self, at=0.0):
        self.at = at

    def __call__(self):
        self.at += 1.0
        return self.at


ENDS = {  # is the broker there, is it read meanwhile, the verb -> is it answered
    "it is read": (True, True, "status", True),
    "it is read without end": (True, False, "status", False),
    "no broker: it is answered that it is away": (False, False, "status", True),
    "what is asked of an agent that gets nowhere": (True, False, "doctor", True),
}


@pytest.mark.parametrize(("reachable", "read", "verb", "answered"), ENDS.values(), ids=ENDS)
async def test_an_agent_that_starts_is_waited_for(reachable, read, verb, answered, monkeypatch):
    monkeypatch.setattr(first_reading, "time", SimpleNamespace(monotonic=Moment()))
    monkeypatch.setattr(first_reading, "LOOK", 0.0)
    reading = FirstReading()
    if read:
        asyncio.get_running_loop().call_soon(reading.done.set)
    assert await reading.over_for(verb, SimpleNamespace(reachable=reachable)) is answered


async def test_what_is_not_read_yet_is_no_answer(monkeypatch):
    monkeypatch.setattr(first_reading, "READING", 0.0)
    agent = SimpleNamespace(_reading=FirstReading(), machine=SimpleNamespace(session=SimpleNamespace(reachable=True)))
    found = await Agent._answer(agent, "status", {})
    assert found["error"]["kind"] == "missing"
    assert "has not read yet" in found["error"]["message"]
    assert "knows no" in (await Agent._answer(agent, "are-you-there", {}))["error"]["message"]


def test_the_verbs_that_do_not_wait_are_verbs():
    assert set(VERBS) >= AT_ONCE
