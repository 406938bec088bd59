"""Old records leave a real stream whole; what is said of one in that very moment stays, and garbage harms nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from roosync_broker import clearing, topology
from roosync_broker.errors import UnavailableError
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair
from roosync_protocol import envelope
from roosync_protocol.decision import RETAINED
from roosync_protocol.law import Law
from roosync_protocol.messages import Arrival, Cycle, Member, Operator, Request, Roster
from roosync_protocol.subjects import Subjects

FLEET = "clear"
HOME = Subjects(FLEET)
ROOT, A = KeyPair.generate(), KeyPair.generate()
NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=40)


@pytest.fixture
async def link(broker):
    link = await connect(broker.url, broker.keeper_keys, name="keeper")
    await topology.ensure(link, FLEET)
    yield link
    for name in topology.configurations(FLEET):
        await link.request(f"$JS.API.STREAM.DELETE.{name}", b"", 5)
    await link.close()


@pytest.fixture
def law():
    now, law = datetime.now(UTC), Law(fleet=FLEET, root=ROOT.public)
    roster = Roster(
        agent="op-x", timestamp=now, revision=1, operators={"op-x": Operator(key=ROOT.public)}, expires=LATER
    )
    for message in (roster, Member(agent="op-x", timestamp=now, revision=1, machine="a", key=A.public, expires=LATER)):
        law = law.admit(opened(message, ROOT))
    return law


def sealed(message, pair=A):
    return envelope.seal(HOME, message, getattr(message, "operation_id", "o-x"), pair.public, pair.sign)


def opened(message, pair):
    from roosync_broker.keys import verify

    posting = sealed(message, pair)
    return envelope.unseal(HOME, posting.subject, posting.data, posting.headers, verify, 1)


async def say(link, message, pair=A):
    posting = sealed(message, pair)
    return await link.post(posting.subject, posting.data, {"Nats-Msg-Id": f"{message}"[:200], **posting.headers})


def request(id_, status="requested", revision=1):
    return Request(
        agent="a", timestamp=NOW, id=id_, revision=revision, operation_id=f"o-{id_}-{revision}", to="a", asker="a",
        kind="execution", target="a", action="publish", status=status, asked=NOW, timeout_minutes=5,
    )  # fmt: skip


async def subjects(link, stream="WORK"):
    return [message.subject async for message in link.read(f"{FLEET}-{stream}", "post.>")]


async def test_what_ended_leaves_whole_and_everything_else_stays(link, law):
    await say(link, request("r-done"))
    await say(link, request("r-done", "refused", 2))
    await say(link, request("r-open"))
    await say(link, request("r-open", "accepted", 2))
    assert await clearing.clear_records(link, law, datetime.now(UTC)) == []
    assert await clearing.clear_records(link, law, LATER) == [("request", "a", "r-done")]
    assert await subjects(link) == ["post.clear.request.a.r-open.a"] * 2
    assert await clearing.clear_records(link, law, LATER) == []


async def test_garbage_harms_nothing_and_is_left(link, law):
    await say(link, request("r-done"))
    for number, data in enumerate((b"", b"\xff\xfe", b"{}", b"[" * 2000, b'{"type":"roosync.v1.request"}')):
        await link.post(f"post.{FLEET}.request.a.g{number}.a", data)
    await link.post(f"post.{FLEET}.cycle.c-1.a", b"about nothing")
    assert await clearing.clear_records(link, law, LATER) == [("request", "a", "r-done")]
    assert len(await subjects(link)) == 6


async def test_what_nobody_can_open_has_its_place_as_for_every_member(link, law):
    """It pushed a step out of the stream, so the operator's next word leaps over that one, and counts."""
    cycle = Cycle(
        agent="op-x", timestamp=NOW, id="c-1", revision=1, operation_id="o-1", route="coordination", status="running",
        participants=("a",), checkpoint="init", timeout_minutes=5, started=NOW, entered=NOW,
    )  # fmt: skip
    await say(link, cycle, ROOT)
    for number in range(RETAINED):
        await link.post(f"post.{FLEET}.cycle.c-1.a", b"nonsense", {"Nats-Msg-Id": f"n{number}"})
    await say(link, replace(cycle, revision=3, operation_id="o-3", status="aborted"), ROOT)
    assert await clearing.clear_records(link, law, LATER) == [("cycle", "c-1")]


async def test_a_stranger_ends_nothing(link, law):
    """An answer with another key than the machine's: the record is open, whatever it says."""
    await say(link, request("r-1"))
    await say(link, request("r-1", "accepted", 2))
    forged = sealed(request("r-1", "done", 3), KeyPair.generate())
    await link.post(forged.subject, forged.data, forged.headers)
    assert await clearing.clear_records(link, law, LATER) == []


async def test_what_is_said_in_this_very_moment_stays(link, law, monkeypatch):
    await say(link, request("r-1"))
    purge = clearing.purge

    async def late(*args):
        await say(link, request("r-1", "refused", 2))
        await purge(*args)

    monkeypatch.setattr(clearing, "purge", late)
    assert await clearing.clear_records(link, law, LATER) == [("request", "a", "r-1")]
    assert len(await subjects(link)) == 1


async def test_nothing_goes_when_not_everything_could_be_read(link, law, monkeypatch):
    await say(link, request("r-1"))
    await say(link, request("r-2"))
    read = link.read

    async def broken(*args):
        async for message in read(*args):
            yield message
            raise UnavailableError("away")

    monkeypatch.setattr(link, "read", broken)
    with pytest.raises(UnavailableError):
        await clearing.clear_records(link, law, LATER)
    monkeypatch.undo()
    assert len(await subjects(link)) == 2


async def test_arrivals_of_a_cycle_that_is_there_stay(link, law):
    arrival = Arrival(agent="a", timestamp=datetime.now(UTC), cycle="c-1", checkpoint="init", round=0)
    await say(link, arrival)
    await say(link, request("r-1"))
    await clearing.clear_records(link, law, LATER)
    assert await subjects(link, "REPORTS") == ["post.clear.arrival.c-1.init.a"]
