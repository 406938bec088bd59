"""What every link does, in memory and over a real server: the same tests for both."""

import asyncio

import pytest

from roosync_broker import topology
from roosync_broker.errors import ClosedError, NoResponderError, OursError, StaleError, UnavailableError
from roosync_broker.link import Expect, Receipt, post_until_stored


async def eventually(condition, timeout=5.0):
    end = asyncio.get_running_loop().time() + timeout
    while not condition():
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


def work(world):
    return f"{world.fleet}-WORK"


def decision(world, speaker="a", id_="d1"):
    return f"post.{world.fleet}.decision.m.{id_}.{speaker}"


async def collect(messages):
    return [message async for message in messages]


async def test_what_is_posted_is_stored_told_and_read_back_alike(world):
    link, heard = await world.link("a"), []
    await link.follow(f"roosync.{world.fleet}.>", heard.append)
    receipt = await link.post(decision(world), b"{}", {"Nats-Msg-Id": "o-1", "traceparent": "00-x"})
    assert receipt == Receipt(1)
    await eventually(lambda: heard)
    read = await collect(link.read(work(world), f"post.{world.fleet}.>"))
    assert read == heard
    assert read == await link.last(work(world), [decision(world)])
    assert (read[0].subject, read[0].data, read[0].stream) == (decision(world), b"{}", work(world))
    assert read[0].headers == {"Nats-Msg-Id": "o-1", "traceparent": "00-x"}
    assert read[0].time is not None
    assert read[0].time.tzinfo is not None


async def test_one_intent_is_stored_once(world):
    link = await world.link("a")
    for _ in range(3):
        receipt = await link.post(decision(world), b"{}", {"Nats-Msg-Id": "o-1"})
        assert receipt.sequence == 1
    assert receipt.duplicate
    assert (await link.post(decision(world), b"{}", {"Nats-Msg-Id": "o-2"})).sequence == 2


async def test_headers_of_the_servers_own_are_not_believed(world):
    link, heard = await world.link("a"), []
    await link.follow(f"roosync.{world.fleet}.>", heard.append)
    forged = {"Nats-Subject": "post.x.law.main.op-root", "Nats-Sequence": "999", "Nats-Stream": "x", "Kept": "yes"}
    await link.post(decision(world), b"1", forged)
    await eventually(lambda: heard)
    for message in [
        *heard,
        *await collect(link.read(work(world), "post.>")),
        *await link.last(work(world), ["post.>"]),
    ]:
        assert (message.subject, message.sequence, message.stream) == (decision(world), 1, work(world))
        assert message.headers == {"Kept": "yes"}


async def test_of_many_claims_one_wins_and_only_it_is_told(world):
    links, heard = [await world.link(f"m{n}") for n in range(8)], []
    await links[0].follow(f"roosync.{world.fleet}.decision.>", heard.append)
    await links[0].post(decision(world, "op-x"), b"approved")
    expect = Expect(1, f"post.{world.fleet}.decision.m.d1.*")

    async def claim(link):
        try:
            return await link.post(decision(world, link.name), link.name.encode(), expect=expect)
        except StaleError:
            return None

    won = [receipt for receipt in await asyncio.gather(*map(claim, links)) if receipt]
    assert [receipt.sequence for receipt in won] == [2]
    await links[0].post(decision(world, "a", "other"), b"end")
    await eventually(lambda: heard and heard[-1].data == b"end")
    assert len(heard) == 3


@pytest.mark.parametrize(
    ("expected", "subject", "stored"),
    [
        (0, "d9.*", True),  # nobody spoke there yet
        (0, "d1.*", False),
        (2, "d1.*", True),  # whoever spoke last
        (1, "d1.*", False),
        (1, "", True),  # the posted subject alone
        (2, "", False),
    ],
)
async def test_compare_and_swap(world, expected, subject, stored):
    link = await world.link("a")
    await link.post(decision(world, "a"), b"1")
    await link.post(decision(world, "b"), b"2")
    scope = f"post.{world.fleet}.decision.m.{subject}" if subject else ""
    target = decision(world, "a", "d9" if "d9" in subject else "d1")
    if stored:
        assert (await link.post(target, b"3", expect=Expect(expected, scope))).sequence == 3
    else:
        with pytest.raises(StaleError):
            await link.post(target, b"3", expect=Expect(expected, scope))
        assert len(await collect(link.read(work(world), "post.>"))) == 2


async def test_reading_pages_through_everything_in_order(world):
    link = await world.link("a")
    posts = [link.post(decision(world, "a", f"d{n}"), b"%d" % n) for n in range(700)]
    await asyncio.gather(*posts)
    read = await collect(link.read(work(world), f"post.{world.fleet}.decision.m.*.a"))
    assert [message.sequence for message in read] == list(range(1, 701))
    assert [m.sequence for m in await collect(link.read(work(world), "post.>", after=690))] == list(range(691, 701))
    assert await collect(link.read(work(world), "post.>", after=700)) == []
    assert await collect(link.read(work(world), f"post.{world.fleet}.proposal.>")) == []


async def test_large_messages_are_paged_by_bytes(world):
    link = await world.link("a")
    for n in range(14):
        await link.post(decision(world, "a", f"d{n}"), b"%d" % n + b"x" * 900_000)
    assert len(await collect(link.read(work(world), "post.>"))) == 14
    assert len(await link.last(work(world), [f"post.{world.fleet}.decision.>"])) == 14
    with pytest.raises(OursError):
        await link.post(decision(world), b"x" * 1_100_000)


async def test_the_last_of_each_subject(world):
    link = await world.link("a")
    for n in range(6):
        await link.post(decision(world, "ab"[n % 2], f"d{n % 3}"), b"%d" % n)
    for n in range(6):
        await link.post(decision(world, "ab"[n % 2], f"d{n % 3}"), b"%d" % (n + 6))
    found = await link.last(work(world), [decision(world, "a", "d1"), decision(world, "z", "d1")])
    assert [(message.subject, message.data) for message in found] == [(decision(world, "a", "d1"), b"10")]
    found = await link.last(work(world), [f"post.{world.fleet}.decision.*.*.*", decision(world, "a", "d1")])
    assert [message.data for message in found] == [b"6", b"7", b"8", b"9", b"10", b"11"]
    assert await link.last(work(world), []) == []


async def test_the_last_of_more_subjects_than_one_answer_holds(world):
    link = await world.link("a")
    await asyncio.gather(*(link.post(decision(world, "a", f"d{n}"), b"%d" % n) for n in range(1100)))
    found = await link.last(work(world), [f"post.{world.fleet}.decision.>"])
    assert len(found) == 1100
    found = await link.last(work(world), [decision(world, "a", f"d{n}") for n in range(1100)])
    assert len(found) == 1100


async def test_a_subject_keeps_its_last_messages_and_a_bound_is_no_refusal(world):
    link = await world.link("a")
    kept = topology.STREAMS["WORK"].per_subject
    for n in range(kept + 3):
        await link.post(decision(world), b"%d" % n)
    assert [m.data for m in await collect(link.read(work(world), "post.>"))] == [b"%d" % n for n in range(3, kept + 3)]


async def test_a_handler_that_fails_does_not_end_the_subscription(world):
    link, heard = await world.link("a"), []

    async def handle(message):
        heard.append(message.data)
        await asyncio.sleep(0)
        if message.data == b"1":
            raise ValueError("planted")

    subscription = await link.follow([f"roosync.{world.fleet}.decision.>"], handle)
    for n in range(4):
        await link.post(decision(world), b"%d" % n)
    await eventually(lambda: len(heard) == 4)
    assert heard == [b"0", b"1", b"2", b"3"]
    assert [str(error) for error in world.errors] == ["planted"]
    await subscription.close()
    await subscription.close()
    await link.post(decision(world), b"5")
    await asyncio.sleep(0.02)
    assert len(heard) == 4


async def test_contents_are_stored_and_not_told(world):
    link, heard = await world.link("a"), []
    await link.follow(f"roosync.{world.fleet}.>", heard.append)
    await link.post(f"post.{world.fleet}.content.{'0' * 64}.0.a", b"x")
    await link.post(decision(world), b"end")
    await eventually(lambda: heard)
    assert [message.data for message in heard] == [b"end"]


async def test_what_no_stream_stores(world):
    link = await world.link("a")
    with pytest.raises(NoResponderError):
        await link.post(f"post.{world.fleet}.nothing.a", b"", timeout=3)
    with pytest.raises(NoResponderError):
        await collect(link.read("no-STREAM", "post.>"))
    with pytest.raises(NoResponderError):
        await link.last("no-STREAM", ["post.>"])


async def test_calls(world):
    caller, server = await world.link("a"), await world.link("b")
    subject = f"roosync-rpc.{world.fleet}.b.status.a"
    with pytest.raises(NoResponderError):
        await caller.request(subject, b"?", 2)

    async def answer(message):
        assert message.subject == subject
        if message.data == b"fail":
            raise ValueError("planted")
        if message.data == b"slow":
            await asyncio.sleep(30)
        return message.data.upper()

    serving = await server.serve(f"roosync-rpc.{world.fleet}.b.>", answer)
    slow = asyncio.create_task(caller.request(subject, b"slow", 0.3))
    await asyncio.sleep(0.05)
    assert await caller.request(subject, b"hello", 2) == b"HELLO"
    with pytest.raises(UnavailableError):
        await caller.request(subject, b"fail", 0.2)
    with pytest.raises(UnavailableError):
        await slow
    assert "planted" in [str(error) for error in world.errors]
    await serving.close()
    with pytest.raises(NoResponderError):
        await caller.request(subject, b"hello", 2)


async def test_who_registers_late_is_told_once_that_there_is_a_connection(world):
    link, told = await world.link("a"), []
    link.on_connected(lambda: told.append(1))

    async def fails():
        raise ValueError("planted")

    link.on_connected(fails)
    link.on_connected(lambda: told.append(2))
    await eventually(lambda: len(told) == 2)
    await asyncio.sleep(0.02)
    assert told == [1, 2]
    assert [str(error) for error in world.errors] == ["planted"]


async def test_closing_is_final_and_may_be_repeated(world):
    link = await world.link("a")
    await link.follow(f"roosync.{world.fleet}.>", print)
    assert link.connected
    await link.close()
    await link.close()
    assert not link.connected
    with pytest.raises(ClosedError):
        await link.post(decision(world), b"")
    with pytest.raises(ClosedError):
        await link.follow("roosync.x.>", print)


async def test_a_retry_needs_an_id(world):
    link = await world.link("a")
    assert (await post_until_stored(link, decision(world), b"", {"Nats-Msg-Id": "o-1"})).sequence == 1
    with pytest.raises(OursError):
        await post_until_stored(link, decision(world), b"", {})


async def test_the_topology_is_made_once_and_corrected(world):
    link = await world.link("keeper")
    assert await topology.ensure(link, world.fleet) == []
    assert await topology.ensure(link, world.fleet, lease_ttl=3.0) == [f"changed KV_{world.fleet}-leases"]
    assert await topology.incarnation(link, work(world))
    with pytest.raises(UnavailableError):
        await topology.incarnation(link, "no-STREAM")
