"""Roles and presence: one holder at a time, who expires by itself; a heartbeat that is forgotten."""

import asyncio

import pytest

from roosync_broker import topology
from roosync_broker.errors import UnavailableError
from roosync_broker.leases import Lease
from roosync_broker.memory import MemoryBus
from roosync_broker.presence import Presence


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def bus():
    clock = Clock()
    bus = MemoryBus(clock)
    await topology.ensure(bus.link("keeper"), "home", lease_ttl=10.0, presence_ttl=30.0)
    return bus


def lease(bus, owner, role="orchestrator", link=None):
    return Lease(link or bus.link(owner), "home", role, owner, ttl=10.0, clock=bus.clock)


async def test_one_of_many_wins(world):
    links = [await world.link(f"m{n}") for n in range(6)]
    leases = [Lease(link, world.fleet, "orchestrator", link.name) for link in links]
    won = await asyncio.gather(*(one.acquire() for one in leases))
    assert won.count(True) == 1
    holder = leases[won.index(True)]
    assert [one.held for one in leases] == won
    assert (await leases[0].holder()).owner == holder.owner
    assert await holder.renew()
    assert await holder.acquire()
    first = holder.token
    await holder.release()
    await holder.release()
    assert not holder.held
    assert await leases[0].holder() is None
    other = leases[(won.index(True) + 1) % 6]
    assert await other.acquire()
    assert other.token > first
    assert not await holder.renew()


async def test_a_holder_that_is_gone_is_followed_after_its_time(bus):
    a, b = lease(bus, "a"), lease(bus, "b")
    assert await a.acquire()
    bus.clock.now += 7
    assert a.held
    assert await a.renew()
    bus.clock.now += 8.5
    assert not a.held  # it stops before anybody else can start
    assert not await b.acquire()
    bus.clock.now += 2
    assert await b.acquire()
    assert not await a.renew()  # it was only paused, and can not take it back
    assert not a.held
    assert not await a.acquire()
    assert b.held


async def test_who_waits_looks_seldom_while_the_holder_renews_and_often_once_it_is_overdue(bus):
    a, b = lease(bus, "a"), lease(bus, "b")
    await b.learn()
    assert (b.ttl, await a.acquire()) == (10.0, True)
    assert a.pause == pytest.approx(10 / 3)
    for _ in range(5):
        assert not await b.acquire()
        bus.clock.now += 2
        assert await a.renew()
    assert not await b.acquire()
    pauses, died = [], bus.clock.now  # a says nothing from now on
    while not await b.acquire():
        pauses.append(b.pause)
        bus.clock.now += b.pause
    assert 10 <= bus.clock.now - died <= 10.5
    assert pauses[:2] == [pytest.approx(10 / 3)] * 2
    assert pauses[-1] == 0.5
    assert len(pauses) < 10


async def test_the_time_to_live_is_what_the_broker_does(bus):
    a = Lease(bus.link("a"), "home", "orchestrator", "a", clock=bus.clock)
    assert a.ttl == topology.LEASE_TTL
    await a.learn()
    assert a.ttl == 10.0
    with pytest.raises(UnavailableError, match="no bucket"):
        await Lease(bus.link("a"), "elsewhere", "orchestrator", "a").learn()


async def test_a_released_role_does_not_come_back_when_the_release_is_forgotten(bus):
    a, b = lease(bus, "a"), lease(bus, "b")
    assert await a.acquire()
    bus.clock.now += 5
    assert await a.renew()
    await a.release()
    assert await b.acquire()
    bus.clock.now += 6
    assert await b.renew()
    bus.clock.now += 5
    assert (await a.holder()).owner == "b"


async def test_a_lost_answer_leaves_no_doubt_afterwards(bus):
    link = bus.link("a")
    a = lease(bus, "a", link=link)
    link.lose_receipts = 1
    with pytest.raises(UnavailableError):
        await a.acquire()
    assert not a.held
    assert await a.acquire()
    token = a.token
    link.lose_receipts = 1
    with pytest.raises(UnavailableError):
        await a.renew()
    assert a.held
    assert await a.renew()
    assert a.token == token


async def test_a_restarted_owner_takes_its_own_role_over(bus):
    a = lease(bus, "a")
    assert await a.acquire()
    again = lease(bus, "a")
    assert await again.acquire()
    assert again.token > a.token
    assert not await a.renew()


async def test_garbage_in_the_bucket_holds_until_it_expires(bus):
    b = lease(bus, "b")
    await bus.link("evil").post("$KV.home-leases.orchestrator.evil", b"\xff{")
    assert not await b.acquire()
    assert (await b.holder()).owner == "evil"
    bus.clock.now += 11
    assert await b.acquire()


async def test_roles_are_apart(bus):
    assert await lease(bus, "a", "orchestrator").acquire()
    assert await lease(bus, "b", "watchman").acquire()


@pytest.mark.parametrize("role", ["", "a.b", "*", "A"])
def test_what_is_no_role(bus, role):
    with pytest.raises(ValueError, match="name"):
        lease(bus, "a", role)


async def test_presence(world):
    a, b = Presence(await world.link("a"), world.fleet), Presence(await world.link("b"), world.fleet)
    assert await a.present() == {}
    await a.beat("a")
    await b.beat("b")
    await b.beat("b")
    present = await b.present()
    assert set(present) == {"a", "b"}
    assert all(time.tzinfo for time in present.values())
    await b.leave("b")
    assert set(await a.present()) == {"a"}


async def test_presence_is_forgotten(bus):
    presence = Presence(bus.link("a"), "home")
    await presence.beat("a")
    bus.clock.now += 20
    await presence.beat("b")
    assert set(await presence.present()) == {"a", "b"}
    bus.clock.now += 11
    assert set(await presence.present()) == {"b"}


async def test_a_real_server_forgets_too(broker):
    from roosync_broker.jetstream import connect

    link = await connect(broker.url, broker.keeper_keys, name="keeper")
    await topology.ensure(link, "short", lease_ttl=1.0, presence_ttl=1.0)
    a, b = Lease(link, "short", "orchestrator", "a", ttl=1.0), Lease(link, "short", "orchestrator", "b", ttl=1.0)
    presence = Presence(link, "short")
    await presence.beat("a")
    assert await a.acquire()
    began = asyncio.get_running_loop().time()
    while not await b.acquire():
        assert not (a.held and b.held)
        await asyncio.sleep(0.02)
    assert 0.8 < asyncio.get_running_loop().time() - began < 2
    assert not a.held
    assert await presence.present() == {}
    for name in topology.configurations("short"):
        await link.request(f"$JS.API.STREAM.DELETE.{name}", b"", 5)
    await link.close()


async def test_two_processes_that_beat_as_one_machine_meet(world):
    first, second = Presence(await world.link("a"), world.fleet), Presence(await world.link("a"), world.fleet)
    await first.beat("a")
    await first.beat("a")
    assert not first.twin
    await second.beat("a")
    assert not second.twin  # what was there may have been the process before it
    await first.beat("a")
    await second.beat("a")
    assert first.twin
    assert second.twin
    assert set(await first.present()) == {"a"}


async def test_a_heartbeat_that_the_broker_forgot_is_no_twin(bus):
    presence = Presence(bus.link("a"), "home")
    await presence.beat("a")
    bus.clock.now += 60
    await presence.beat("a")
    await presence.leave("a")
    await presence.beat("a")
    assert not presence.twin
    assert set(await presence.present()) == {"a"}
