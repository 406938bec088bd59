"""How long a key stays unlocked, whatever the clocks do meanwhile."""

import time

import pytest

from roosync_agent.unlocking import span
from roosync_agent.unlocking.span import Span

HOUR = 3600.0
MEANWHILE = {  # seconds that passed, seconds by which the clock on the wall went on -> seconds that are left of 900
    "nothing": (0, 0, 900),
    "five minutes": (300, 300, 600),
    "asleep for an hour": (HOUR, HOUR, 0),
    "asleep, and the system does not count it": (0, HOUR, 0),
    "the wall clock put back": (300, -HOUR, 600),
    "put back, and the time is over": (901, -HOUR, 0),
    "put forward": (0, 800, 100),
}


@pytest.mark.parametrize(("passed", "wall", "left"), MEANWHILE.values(), ids=MEANWHILE)
def test_it_ends_by_whichever_clock_is_first(monkeypatch, passed, wall, left):
    now = {"passed": 50.0, "wall": 1_000_000.0}
    monkeypatch.setattr(span, "_passed", lambda: now["passed"])
    monkeypatch.setattr(time, "time", lambda: now["wall"])
    it = Span(900)
    now["passed"] += passed
    now["wall"] += wall
    assert it.left() == left


def test_the_system_has_such_a_clock():
    it = Span(60)
    assert 59 < it.left() <= 60
