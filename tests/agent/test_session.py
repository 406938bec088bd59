"""A member's view of the bus when the broker is put back to a backup: what the bus no longer has is believed no more.

The session is the real one; the bus is in memory, and is put back as a restored disk would do it.
"""

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from roosync_agent.operations.membership import lawmaking
from roosync_agent.session import Session
from roosync_broker import topology
from roosync_broker.errors import StaleError, UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import StatusReport
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEYS = {name: KeyPair.generate() for name in ("op-ann", "alpha", "beta")}


class Bus(MemoryBus):
    """A broker whose disk is copied, and put back."""

    def backup(self):
        self.kept = {
            name: (OrderedDict(s.messages), s.last_sequence, {k: [*v] for k, v in s._subjects.items()}, s._bytes)
            for name, s in self.streams.items()
            if name.endswith(("-WORK", "-REPORTS"))
        }

    def put_back(self):
        for name, (messages, last, subjects, size) in self.kept.items():
            stream = self.streams[name]
            stream.messages, stream.last_sequence, stream._subjects, stream._bytes = messages, last, subjects, size
            stream._ids = OrderedDict()
            stream.created += timedelta(hours=1)

    def clear(self, sequence):
        self.streams["home-WORK"]._drop(sequence)


@pytest.fixture
async def bus():
    made = Bus()
    await topology.ensure(made.link("keeper"), "home")
    operator = session(made, "op-ann")
    await lawmaking.found(operator, "alpha", KEYS["alpha"].public, None)
    await lawmaking.admit(operator, "beta", KEYS["beta"].public)
    made.backup()
    return made


def session(bus, name):
    law = Law(fleet="home", root=KEYS["op-ann"].public)
    made = Session(bus.link(name), Subjects("home"), KEYS[name], name, Fleet(law, verify))
    made.now = lambda: NOW
    return made


def pending(name="theme", operation="o-1", machine="alpha"):
    divergence = Divergence(
        key=f"claude.settings/{name}", kind=Kind.SETTING, verdict=Verdict.TAKE, local="a", wanted="b"
    )
    asked = Asked(machine=machine, reference="baseline", reference_revision=1, now=NOW)
    return decide(divergence, asked, operation)


def names(one):
    return [decision.entity.split("/")[1] for decision in one.fleet.decisions()]


async def test_a_receipt_from_before_the_backup_proves_nothing(bus):
    """It names a place in the stream that is another message's now, and would keep that one out for ever."""
    alpha, other = session(bus, "alpha"), session(bus, "alpha")
    await alpha.refresh()
    await other.refresh()
    post = alpha.link.post

    async def put_back_meanwhile(*args, **more):
        receipt = await post(*args, **more)
        bus.put_back()
        await other.refresh()
        await other.advance(pending("model", "o-2"), 0)
        alpha.stale = True
        return receipt

    alpha.link.post = put_back_meanwhile
    with pytest.raises(StaleError, match="put back"):
        await alpha.advance(pending(), 0)
    assert names(alpha) == ["model"]


async def test_what_was_said_stands_when_the_connection_came_back_to_the_same_bus(bus):
    alpha = session(bus, "alpha")
    await alpha.refresh()
    post = alpha.link.post

    async def lost_meanwhile(*args, **more):
        receipt = await post(*args, **more)
        alpha.stale = True
        return receipt

    alpha.link.post = lost_meanwhile
    receipt = await alpha.advance(pending(), 0)
    assert receipt.sequence == alpha.fleet.decision("alpha", pending().id).sequence
    assert names(alpha) == ["theme"]


async def test_a_step_from_a_view_of_before_the_backup_is_not_posted(bus):
    """Something in the way that the own view can not place is not what nobody can open: it is another story."""
    alpha, operator = session(bus, "alpha"), session(bus, "op-ann")
    await alpha.refresh()
    await alpha.advance(pending(), 0)
    bus.backup()
    old = replace(pending(operation="o-2"), revision=2, status="superseded")
    await alpha.advance(old, 1)
    await operator.refresh()
    bus.put_back()
    await alpha.refresh()
    for number in (2, 3):
        new = replace(
            pending(operation=f"o-new{number}"), revision=number, status=("superseded", "pending")[number % 2]
        )
        new = replace(new, attempt=number - 1)
        await alpha.advance(new, number - 1)
    stray = replace(old, agent="op-ann", revision=3, attempt=2, status="pending", operation_id="o-3")
    with pytest.raises(StaleError):
        await operator.advance(stray, 2)
    assert operator.fleet.decision("alpha", old.id).state == new
    assert bus.streams["home-WORK"].last_sequence == 3, "nothing was posted"


async def test_facts_from_before_the_first_reading_are_of_nobody_knows_which_stream(bus):
    """The broker is put back while an agent starts, which hears facts already and has not read anything."""
    alpha, beta = session(bus, "alpha"), session(bus, "beta")
    await alpha.refresh()
    await beta.follow(lambda heard: None)
    await alpha.advance(pending(), 0)
    await asyncio.sleep(0.01)
    beta.link.drop()
    with pytest.raises(UnavailableError):
        await beta.refresh()
    bus.put_back()
    beta.link.restore()
    await beta.refresh()
    assert names(beta) == []


@pytest.mark.parametrize("reports", [False, True])
async def test_what_was_cleared_from_the_bus_is_not_kept_by_who_ran_meanwhile(bus, reports):
    """Whoever reads the records for the first time and whoever ran all the time read the same."""
    alpha, beta = session(bus, "alpha"), session(bus, "beta")
    await alpha.refresh()
    for number, name in enumerate(("theme", "model")):
        await alpha.advance(pending(name, f"o-{number}"), 0)
    await beta.refresh()
    assert names(beta) == ["model", "theme"]
    bus.clear(alpha.fleet.decision("alpha", pending("theme").id).sequence)
    await beta.refresh(reports=reports)
    assert names(beta) == ["model"]


async def test_reports_of_a_bus_that_was_put_back_count_at_once(bus):
    """Their sequences begin again at a lower one; nobody may wait until they are as high as before."""
    alpha, beta = session(bus, "alpha"), session(bus, "beta")
    said = StatusReport(agent="alpha", timestamp=NOW, machines_detected=2, status="diverged", divergences_count=9)
    for count in range(9, 4, -1):
        await alpha.say(replace(said, divergences_count=count))
    await beta.refresh()
    assert beta.fleet.status("alpha").divergences_count == 5
    bus.put_back()
    await alpha.say(replace(said, status="synced", divergences_count=0))
    await beta.refresh()
    assert beta.fleet.status("alpha").status == "synced"


async def test_a_part_of_the_records_says_nothing_about_the_others_although_all_are_followed_meanwhile(bus):
    """In a large fleet it reads what concerns it; while it does, it may have to know everything, and read that."""
    alpha, beta = session(bus, "alpha"), session(bus, "beta")
    await alpha.refresh()
    await alpha.advance(pending(), 0)
    await beta.refresh()
    await beta.advance(pending("model", "o-2", machine="beta"), 0)
    beta.whole, read = False, beta.link.read

    def widened(*given):
        beta.whole = True
        return read(*given)

    beta.link.read = widened
    await beta.refresh(reports=False)
    assert names(beta) == ["theme", "model"]


async def test_a_record_that_was_cleared_away_begins_anew(bus):
    """Also for a machine that has nothing else on the bus, so that no reading shows it how far the stream is."""
    alpha = session(bus, "alpha")
    await alpha.refresh()
    await alpha.advance(pending(), 0)
    bus.clear(1)
    with pytest.raises(StaleError):
        await alpha.advance(replace(pending(operation="o-2"), revision=2, status="superseded"), 1)
    await alpha.advance(pending(operation="o-3"), alpha.fleet.decision("alpha", pending().id).sequence)
    assert alpha.fleet.decision("alpha", pending().id).state == pending(operation="o-3")
