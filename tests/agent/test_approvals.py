"""The approvals that a cycle asks for: closed by whoever leads when nobody has to give them any more."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from roosync_agent.running import approvals

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SETTLED = {  # how long ago, by the clock of whoever settled it -> is it closed now
    "a moment ago": (timedelta(seconds=1), False),
    "long ago": (approvals.GRACE, True),
    "tomorrow: that clock is wrong": (timedelta(days=-1), True),
}


@pytest.mark.parametrize(("ago", "closed"), SETTLED.values(), ids=SETTLED)
async def test_what_was_settled_in_another_way_is_closed(monkeypatch, ago, closed):
    done, later = [], []

    async def advance(session, request, *, status, outcome):
        done.append((request.id, status, outcome))

    request = SimpleNamespace(id="r-1")
    monkeypatch.setattr(approvals, "advance", advance)
    monkeypatch.setattr(approvals.life, "answered_elsewhere", lambda *_: [(request, "d-1 is applied", NOW - ago)])
    nothing = SimpleNamespace(decisions=list, requests=list, cycles=list)
    session = SimpleNamespace(now=lambda: NOW)
    machine = SimpleNamespace(fleet=nothing, session=session, cycles=SimpleNamespace(running=[]))
    await approvals.follow(machine, lambda: later.append(1))
    assert done == ([("r-1", "expired", "d-1 is applied")] if closed else [])
