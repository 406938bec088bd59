"""The spool: what could not be said is said later, once, in order; full is loud."""

import pytest

from roosync_broker.errors import FullError, OursError, UnavailableError
from roosync_broker.spool import Spool


def subject(world, id_="d1"):
    return f"post.{world.fleet}.decision.m.{id_}.a"


async def stored(world, link):
    return [message.data async for message in link.read(f"{world.fleet}-WORK", "post.>")]


async def test_what_waits_is_posted_in_order_and_once(world, tmp_path):
    link, spool = await world.link("a"), Spool(tmp_path / "spool")
    for number in range(5):
        spool.add(subject(world), b"\xff%d" % number, {"Nats-Msg-Id": f"o-{number}"})
    await link.post(subject(world), b"\xff0", {"Nats-Msg-Id": "o-0"})  # it had been stored before the crash
    assert len(Spool(tmp_path / "spool")) == 5
    assert await Spool(tmp_path / "spool").drain(link) == 5
    assert await stored(world, link) == [b"\xff%d" % number for number in range(5)]
    assert len(spool) == 0
    assert await spool.drain(link) == 0


async def test_the_bus_stays_away(world, tmp_path):
    link, spool = await world.link("a"), Spool(tmp_path)
    spool.add(subject(world), b"1", {"Nats-Msg-Id": "o-1"})
    await link.close()
    with pytest.raises(UnavailableError):
        await spool.drain(link)
    assert len(spool) == 1


async def test_what_can_never_be_posted_is_set_aside_and_told(world, tmp_path):
    told = []
    link, spool = await world.link("a"), Spool(tmp_path, report=told.append)
    spool.add(subject(world), b"x" * 1_100_000, {"Nats-Msg-Id": "o-1"})
    (tmp_path / "000000000002.json").write_bytes(b"\xff not ours")
    spool.add(subject(world), b"fine", {"Nats-Msg-Id": "o-3"})
    assert await spool.drain(link) == 1
    assert len(told) == 2
    assert len(list((tmp_path / "aside").iterdir())) == 2
    assert await stored(world, link) == [b"fine"]


@pytest.mark.parametrize(("bounds", "taken"), [({"max_intents": 3}, 3), ({"max_bytes": 700}, 3)])
def test_full_is_loud(tmp_path, bounds, taken):
    spool = Spool(tmp_path, **bounds)
    for number in range(taken):
        spool.add("post.home.audit.a", b"x" * 90, {"Nats-Msg-Id": f"o-{number}"})
    with pytest.raises(FullError, match="wait for the broker"):
        spool.add("post.home.audit.a", b"x" * 90, {"Nats-Msg-Id": "o-9"})
    assert len(spool) == taken


def test_an_intent_needs_its_id(tmp_path):
    with pytest.raises(OursError):
        Spool(tmp_path).add("post.home.audit.a", b"", {})


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FullError):
        Spool(tmp_path / "file" / "spool").add("post.home.audit.a", b"", {"Nats-Msg-Id": "o-1"})


async def test_what_was_stored_long_ago_is_recognised_without_the_servers_memory(world, tmp_path):
    link, spool = await world.link("a"), Spool(tmp_path)
    await link.post(subject(world), b"first", {"Nats-Msg-Id": "o-1"})
    spool.add(subject(world), b"first", {"Nats-Msg-Id": "o-1"})
    spool.add(subject(world), b"second", {"Nats-Msg-Id": "o-2"})
    posted = []

    class Forgetful:
        """A server whose window of message ids is over: whatever is posted is stored."""

        connected, last = True, staticmethod(link.last)

        async def post(self, on, data, headers):
            posted.append(data)
            return await link.post(on, data, {**headers, "Nats-Msg-Id": "again-" + headers["Nats-Msg-Id"]})

    assert await spool.drain(Forgetful(), lambda _: f"{world.fleet}-WORK") == 2
    assert posted == [b"second"]
    assert await stored(world, link) == [b"first", b"second"]


def test_two_processes_overwrite_nothing_of_each_other(tmp_path):
    one, other = Spool(tmp_path), Spool(tmp_path)
    known = one._waiting
    one._waiting = list  # it looked before the other one wrote
    other.add("post.home.audit.a", b"1", {"Nats-Msg-Id": "o-1"})
    one.add("post.home.audit.a", b"2", {"Nats-Msg-Id": "o-2"})
    assert len(known()) == 2


def test_what_is_lost_is_counted_until_it_was_told(tmp_path):
    spool = Spool(tmp_path, max_intents=1)
    spool.add("post.home.audit.a", b"", {"Nats-Msg-Id": "o-0"})
    assert spool.lost is None
    for number, kind in enumerate(("audit", "audit", "alarm.x"), 1):
        with pytest.raises(FullError):
            spool.add(f"post.home.{kind}.a", b"", {"Nats-Msg-Id": f"o-{number}"})
    again = Spool(tmp_path, max_intents=1)  # after a kill
    assert again.lost == spool.lost
    told = again.lost
    assert (told.count, told.kinds) == (3, {"audit": 2, "alarm": 1})
    with pytest.raises(FullError):
        again.add("post.home.audit.a", b"", {"Nats-Msg-Id": "o-9"})
    assert again.lost.id == told.id
    again.told(told)
    assert (again.lost.kinds, again.lost.id == told.id) == ({"audit": 1}, False)
    again.told(told)
    assert again.lost.count == 1, "another one was told than what is lost now"
    again.told(again.lost)
    assert again.lost is None
    assert Spool(tmp_path).lost is None


def test_lost_is_counted_in_memory_when_the_disk_takes_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "spool")
    for number in range(2):
        with pytest.raises(FullError):
            spool.add("post.home.audit.a", b"", {"Nats-Msg-Id": f"o-{number}"})
    assert spool.lost.count == 2


async def test_what_waits_and_what_was_set_aside_is_known_by_its_id(world, tmp_path):
    link, spool = await world.link("a"), Spool(tmp_path)
    assert spool.where() == {}
    spool.add("post.nowhere", b"x" * 2_000_000, {"Nats-Msg-Id": "o-large"})  # more than the broker takes
    spool.add(subject(world), b"1", {"Nats-Msg-Id": "o-1"})
    assert Spool(tmp_path).where() == {"o-large": "waiting", "o-1": "waiting"}
    await spool.drain(link)
    assert spool.where() == {"o-large": "aside"}


async def test_what_somebody_was_told_of_is_not_counted_as_lost(tmp_path):
    spool = Spool(tmp_path, max_intents=0)
    with pytest.raises(FullError):
        spool.add("post.home.mail.b.m-1.a", b"1", {"Nats-Msg-Id": "o-1"}, told=True)
    assert spool.lost is None
