"""What is told once: it waits while the broker is away, is posted once and in order, and is loud when it is lost."""

import logging

import pytest

from roosync_agent.operations import machine_side
from roosync_agent.operations.audited import audited
from roosync_agent.operations.membership import lawmaking
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import topology
from roosync_broker.errors import UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.link import MESSAGE_ID
from roosync_broker.memory import MemoryBus
from roosync_broker.spool import Spool
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.overview import NO_ANSWER
from roosync_protocol.subjects import Subjects


class World:
    """A fleet of one machine; `again` is its agent killed and started, on the same folder."""

    def __init__(self, folder, bus, operator, keys):
        self.folder, self.bus, self.operator, self.keys = folder, bus, operator, keys
        self.bound = 2_000
        self.machine = self.again()

    def again(self):
        state = State(self.folder / "state")
        home = self.folder / "home"
        (home / ".claude").mkdir(parents=True, exist_ok=True)
        state.prepare()
        spool = Spool(state.folder / "spool" / "alpha", max_intents=self.bound)
        law = self.operator.fleet.law
        session = Session(self.bus.link("alpha"), Subjects("home"), self.keys, "alpha", Fleet(law, verify), spool)
        settings = Settings(state=state.folder, home=home, machine="alpha", os="posix")
        self.machine = Machine(settings, state, session)
        return self.machine

    @property
    def link(self):
        return self.machine.session.link

    async def told(self, kind, stream):
        subjects = self.operator.subjects
        found = [
            self.operator.open(s) async for s in self.operator.link.read(subjects.stream(stream), subjects.post(kind))
        ]
        return [heard.message for heard in found if heard.speaker == "alpha"]

    async def audit(self):
        return [f"{one.phase} {one.action}" for one in await self.told("audit", "AUDIT")]

    async def alarms(self):
        return [(one.level, one.reason) for one in await self.told("alarm", "REPORTS")]


@pytest.fixture
async def world(tmp_path):
    bus = MemoryBus()
    await topology.ensure(bus.link("keeper"), "home")
    root, keys = KeyPair.generate(), KeyPair.generate()
    law = Law(fleet="home", root=root.public)
    operator = Session(bus.link("op-ana"), Subjects("home"), root, "op-ana", Fleet(law, verify))
    await lawmaking.found(operator, "alpha", keys.public, None)
    await operator.refresh()
    return World(tmp_path, bus, operator, keys)


async def test_what_was_done_is_told_when_the_broker_is_back_in_order_and_once(world):
    machine = world.machine
    async with audited(machine.session, "first", "x"):
        world.link.drop()
    await machine.audit("second", "after", "x", outcome="done")
    await machine.alarm(2, "something went wrong", "x")
    machine = world.again()  # killed, and nothing was in its memory
    await machine.audit("third", "after", "x")
    await machine.session.telling.catch_up()
    await machine.session.telling.catch_up()
    assert await world.audit() == ["before first", "after first", "after second", "after third"]
    assert await world.alarms() == [(2, "something went wrong")]
    assert machine.session.telling.untold == []


async def test_a_later_line_does_not_overtake_one_that_waits(world):
    machine = world.machine
    world.link.drop()
    await machine.audit("first", "after", "x")
    world.link.restore()
    await machine.audit("second", "after", "x")
    assert await world.audit() == ["after first", "after second"]


async def test_what_can_not_be_told_beforehand_is_not_done(world):
    world.link.drop()
    done = []
    with pytest.raises(UnavailableError):
        async with audited(world.machine.session, "deed", "x"):
            done.append(1)
    assert not done
    assert world.machine.session.telling.untold == []


async def test_an_error_is_told_without_the_names_of_our_folders(world):
    with pytest.raises(OSError):
        async with audited(world.machine.session, "deed", "x", f"about {world.folder / 'home' / 'a'}"):
            raise OSError(f"{world.folder / 'home' / 'b'} is full")
    assert [one.details for one in await world.told("audit", "AUDIT")] == ["about ${home}/a", "${home}/b is full"]


async def test_a_lost_receipt_makes_no_second_line(world):
    world.link.lose_receipts = 1
    await world.machine.audit("deed", "after", "x")
    await world.machine.session.telling.catch_up()
    assert await world.audit() == ["after deed"]
    assert world.machine.session.telling.untold == []


async def test_what_is_not_kept_is_loud_everywhere_until_the_fleet_knows(world, caplog):
    world.bound = 2
    machine = world.again()
    await machine.session.refresh()
    world.link.drop()
    with caplog.at_level(logging.ERROR):
        for number in range(4):
            await machine.audit(f"deed {number}", "after", "x")
        await machine.alarm(3, "the last one", "x")
    assert sum("not kept" in record.message for record in caplog.records) == 3
    for one in (machine, world.again()):  # also after a kill
        answer = await machine_side.status(one)
        assert answer.overview.not_kept == 3
        assert NO_ANSWER in answer.exit_codes
        assert any("3 messages could neither be told nor kept" in line for line in answer.overview.warnings)
        assert any("2 messages wait" in line for line in answer.overview.warnings)
    machine = world.machine
    await machine.session.telling.catch_up()
    await machine.session.telling.catch_up()
    assert await world.audit() == ["after deed 0", "after deed 1"]
    assert [(level, reason.split(" (")[1].split(")")[0]) for level, reason in await world.alarms()] == [
        (2, "1 of alarm, 2 of audit")
    ]
    assert machine.session.telling.untold == []
    assert (await machine_side.status(machine)).overview.not_kept == 0


async def test_what_a_newer_version_kept_keeps_nothing_else_from_being_told(world):
    world.link.drop()
    spool = Spool(world.machine.state.folder / "spool" / "alpha")
    spool.add("post.home.hymn.alpha", b"{}", {MESSAGE_ID: "o-1"})
    await world.machine.audit("deed", "after", "x")
    world.link.restore()
    await world.machine.session.telling.catch_up()
    assert await world.audit() == ["after deed"]
    assert len(list((spool.folder / "aside").iterdir())) == 1


async def test_without_a_spool_it_is_no_more_than_saying(world):
    session = Session(
        world.bus.link("alpha"), Subjects("home"), world.keys, "alpha", Fleet(world.operator.fleet.law, verify)
    )
    session.link.drop()
    with pytest.raises(UnavailableError):
        await session.tell(machine_alarm(session))
    assert session.telling.untold == []
    assert session.telling.not_kept == 0


def machine_alarm(session):
    from roosync_protocol.messages import Alarm

    return Alarm(agent="alpha", timestamp=session.now(), id="a-1", level=1, reason="r")
