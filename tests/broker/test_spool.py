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
