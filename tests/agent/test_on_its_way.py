"""A command that finds nobody waits for an agent that is on its way, and for no other."""

from datetime import UTC, datetime

import pytest

from roosync_agent.running import on_its_way
from roosync_agent.running.control import NobodyThereError
from roosync_agent.running.on_its_way import asked_patiently
from roosync_agent.state import State
from roosync_agent.updating.journal import Journal, Release, write
from roosync_broker.children import OneAtATime

WHEN = datetime(2026, 11, 21, tzinfo=UTC)


class Nobody:
    """Answers at the time of `comes`; it looks at a clock that the waiting moves."""

    def __init__(self, comes, monkeypatch):
        self.now, self.asked, self.comes = 0.0, 0, comes
        monkeypatch.setattr(on_its_way.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(on_its_way.time, "sleep", self.sleep)

    def sleep(self, seconds):
        self.now += seconds

    def ask(self):
        self.asked += 1
        if self.now < self.comes:
            raise NobodyThereError("nobody")
        return {"result": self.now}


# does `up` run, in which phase is an update, when does the agent answer, is its answer taken
CASES = {
    "nothing is started here": (False, None, 0.0, False),
    "it starts": (True, None, 1.0, True),
    "it never starts": (True, None, 1e9, False),
    "it starts later than any agent does": (True, None, 30.0, False),
    "another version is on trial": (True, "trying", 30.0, True),
    "the old one comes back": (True, "returning", 30.0, True),
    "the update has ended": (True, "confirmed", 30.0, False),
    "a journal that nobody can read": (True, "damaged", 1.0, True),
    "on trial, and `up` was killed": (False, "trying", 1.0, False),
}


@pytest.mark.parametrize(("up", "phase", "comes", "taken"), CASES.values(), ids=CASES)
def test_it_is_waited_for_where_it_is_to_be_expected(tmp_path, monkeypatch, up, phase, comes, taken):
    state = State(tmp_path)
    state.prepare()
    if phase == "damaged":
        (tmp_path / "update.json").write_text("{", "utf-8")
    elif phase:
        old = Release(version="0.1.0")
        write(state, Journal(campaign="u-1", revision=1, version="0.2.0", phase=phase, old=old, began=WHEN))
    lock = OneAtATime(state.run / "up.lock")
    assert not up or lock.acquire()
    nobody = Nobody(comes, monkeypatch)
    try:
        answer = asked_patiently(state, nobody.ask)
    finally:
        lock.release()
    assert (answer is not None) == taken
    assert nobody.now <= on_its_way.UPDATING + 1
    assert up or nobody.asked == 0


def test_looking_makes_no_folder(tmp_path):
    state = State(tmp_path / "share" / "roosync")
    assert asked_patiently(state, lambda: None) is None
    assert list(tmp_path.iterdir()) == []
