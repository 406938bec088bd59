"""Mailboxes: what is fetched is given out again until it is acknowledged, in memory and over a real server."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from roosync_broker import jetstream, mailboxes, permissions
from roosync_broker.errors import NoResponderError, RefusedError, SenderError
from roosync_broker.keys import KeyPair
from roosync_broker.mailboxes import KEPT
from roosync_broker.sealing import close_file, close_to, open_file, open_own


async def eventually(condition, timeout=5.0):
    end = asyncio.get_running_loop().time() + timeout
    while not condition():
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


def subject(world, to="b", id_="m1", sender="a"):
    return f"post.{world.fleet}.mail.{to}.{id_}.{sender}"


def mail(world):
    return f"{world.fleet}-MAIL"


async def sequences(link, world, box="b", limit=10):
    return [one.stored.sequence for one in await link.fetch(mail(world), box, limit)]


async def test_a_mailbox_gives_out_its_owners_letters_in_order_and_acknowledged_ones_never_again(world):
    link = await world.link("a")
    await mailboxes.ensure(link, world.fleet, ["b", "c"])
    for number in range(5):
        await link.post(subject(world, id_=f"m{number}"), b"%d" % number, {"Nats-Msg-Id": f"m{number}.b"})
    await link.post(subject(world, to="c"), b"for c", {"Nats-Msg-Id": "m1.c"})
    found = await link.fetch(mail(world), "b", 3)
    assert [one.stored.data for one in found] == [b"0", b"1", b"2"]
    assert [one.stored.subject for one in found] == [subject(world, id_=f"m{n}") for n in range(3)]
    assert found[0].stored.headers == {"Nats-Msg-Id": "m0.b"}
    assert abs((found[0].stored.time - datetime.now(UTC)).total_seconds()) < 60
    await link.acknowledge(found)
    assert await sequences(link, world) == [4, 5]
    assert await sequences(link, world) == []  # given out, and waited for
    assert await sequences(link, world, "c") == [6]


async def test_so_many_are_given_out_and_the_others_when_those_are_acknowledged(world, monkeypatch):
    monkeypatch.setattr(jetstream, "NEXT_LETTER", 0.2)
    monkeypatch.setattr(mailboxes, "UNACKNOWLEDGED", 4)
    link = await world.link("a")
    await mailboxes.ensure(link, world.fleet, ["b"])
    for number in range(6):
        await link.post(subject(world, id_=f"m{number}"), b"x", {"Nats-Msg-Id": f"m{number}.b"})
    async with asyncio.timeout(5):  # what was given out is not held back for what is not
        found = [*await link.fetch(mail(world), "b", 3), *await link.fetch(mail(world), "b", 3)]
        assert [one.stored.sequence for one in found] == [1, 2, 3, 4]
        await link.acknowledge(found)
        assert await sequences(link, world) == [5, 6]


async def test_who_has_no_mailbox_is_told(world):
    link = await world.link("a")
    with pytest.raises(NoResponderError, match="no mailbox"):
        await link.fetch(mail(world), "nobody", 5)


async def test_making_mailboxes_twice_changes_nothing(world):
    link = await world.link("a")
    assert await mailboxes.ensure(link, world.fleet, ["b", "a"]) == ["a", "b"]
    await link.post(subject(world), b"1")
    await link.acknowledge(await link.fetch(mail(world), "b", 1))
    assert await mailboxes.ensure(link, world.fleet, ["b", "a", "d"]) == ["d"]
    assert await sequences(link, world) == []


async def test_only_what_was_acknowledged_and_is_old_is_swept_away(world):
    link = await world.link("a")
    await mailboxes.ensure(link, world.fleet, ["b", "c"])
    for number in range(4):
        await link.post(subject(world, id_=f"m{number}"), b"x")
    await link.post(subject(world, to="c"), b"y")
    await link.acknowledge(await link.fetch(mail(world), "b", 2))
    now = datetime.now(UTC)
    assert await mailboxes.sweep(link, world.fleet, now) == 0  # young
    if world.kind == "memory":  # the twin keeps what a purge would take
        return
    assert await mailboxes.sweep(link, world.fleet, now + KEPT + timedelta(hours=1)) == 2
    left = [m.sequence async for m in link.read(mail(world), f"post.{world.fleet}.>")]
    assert left == [3, 4, 5]


async def test_a_letter_stored_with_names_of_the_servers_own_is_what_it_is(world):
    link = await world.link("a")
    await mailboxes.ensure(link, world.fleet, ["b"])
    forged = {"Status": "404", "Nats-Sequence": "999", "Nats-Subject": "post.x.law.main.op-root", "Kept": "yes"}
    await link.post(subject(world), b"1", forged)
    (found,) = await link.fetch(mail(world), "b", 5)
    assert (found.stored.sequence, found.stored.subject) == (1, subject(world))
    assert found.stored.headers["Kept"] == "yes"


async def test_a_member_fetches_from_its_own_mailbox_only():
    from roosync_broker import topology
    from roosync_broker.memory import MemoryBus

    bus = MemoryBus()
    keeper = bus.link("keeper")
    await topology.ensure(keeper, "home")
    await mailboxes.ensure(keeper, "home", ["a", "b"])
    a = bus.link("a", permissions.member("home", "a", "key"))
    await a.post("post.home.mail.b.m1.a", b"x")
    assert await a.fetch("home-MAIL", "a", 5) == []
    theirs = await keeper.fetch("home-MAIL", "b", 5)
    for attempt in (
        a.fetch("home-MAIL", "b", 5),
        a.acknowledge(theirs),
        a.last("home-MAIL", ["post.home.mail.b.m1.a"]),
    ):
        with pytest.raises(RefusedError):
            await attempt
    with pytest.raises(RefusedError):
        await a.follow("roosync.home.mail.b.>", print)
    with pytest.raises(RefusedError):
        await a.request("$JS.API.CONSUMER.CREATE.home-MAIL.spy.post.home.mail.b.>", b"{}", 1)
    await asyncio.sleep(0)


async def test_mail_that_is_sent_into_anothers_subscription_is_no_fact(world):
    """Whoever asks for its own mail names where it goes; the broker asks nobody whether that is a place of its own."""
    if world.kind == "memory":
        pytest.skip("the twin has no reply addresses")
    link, heard = await world.link("a"), []
    await mailboxes.ensure(link, world.fleet, ["b"])
    await link.follow(f"roosync.{world.fleet}.status.>", heard.append)
    await link.post(subject(world), b"a letter to itself")
    wire = await link._connection.ready(5)
    ask = f"$JS.API.CONSUMER.MSG.NEXT.{mail(world)}.b"
    await wire.publish(ask, b"", reply=f"roosync.{world.fleet}.status.victim")
    await eventually(lambda: world.errors)
    assert "is no fact" in str(world.errors[0])
    assert heard == []


def test_a_box_opens_for_its_recipient_alone():
    ours, theirs = KeyPair.generate(), KeyPair.generate()
    box = close_to(ours.public, b"hello")
    assert open_own(ours, box) == b"hello"
    assert box != close_to(ours.public, b"hello")
    changed = box[:-6] + ("AAAA" if box[-6:-2] != "AAAA" else "BBBB") + box[-2:]
    for pair, bad in ((theirs, box), (ours, changed), (ours, "no base64!"), (ours, ""), (ours, "QUJD")):
        with pytest.raises(SenderError):
            open_own(pair, bad)
    with pytest.raises(SenderError):
        close_to("U" + "A" * 55, b"hello")


def test_a_file_opens_with_its_own_key_alone():
    key, closed = close_file(b"bytes")
    assert open_file(key, closed) == b"bytes"
    other, _ = close_file(b"")
    for bad_key, bad in ((other, closed), (key, closed[:-1]), ("short", closed), (key, b"")):
        with pytest.raises(SenderError):
            open_file(bad_key, bad)
