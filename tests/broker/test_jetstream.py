"""What only a real connection meets: hostile bytes, dead sockets, refused keys, clear text."""

import asyncio
import json
import socket

import pytest

from roosync_broker import topology
from roosync_broker.connection import Connection
from roosync_broker.errors import NobodyListensError, NoResponderError, OursError, RefusedError, UnavailableError
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair
from roosync_broker.link import Expect
from roosync_broker.server import free_port

FLEET = "hostile"


async def eventually(condition, timeout=5.0):
    end = asyncio.get_running_loop().time() + timeout
    while not condition():
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


@pytest.fixture
async def links(broker):
    """Two links: one that misbehaves, one that must not suffer. And what the second one reported."""
    errors = []
    bad = await connect(broker.url, broker.keeper_keys, name="bad")
    good = await connect(broker.url, broker.keeper_keys, name="good", on_error=errors.append)
    await topology.ensure(bad, FLEET)
    yield bad, good, errors
    for name in topology.configurations(FLEET):
        await bad.request(f"$JS.API.STREAM.DELETE.{name}", b"", 5)
    await bad.close()
    await good.close()


HOSTILE = {  # header block as it stands on the wire; what follows the number of bytes in HPUB
    "a status that ends a page": b"NATS/1.0 204 EOB\r\n\r\n",
    "a status that says nobody is there": b"NATS/1.0 503\r\n\r\n",
    "a status with a description and headers": b"NATS/1.0 404 Gone\r\nA: b\r\n\r\n",
    "a status that is no UTF-8": b"NATS/1.0 \xff\xfe\xfd\r\n\r\n",
    "a description that is no UTF-8": b"NATS/1.0 100 \xff\xfe\r\nx\r\n\r\n",
    "a name that is no ASCII": b"NATS/1.0\r\n\xff\xfe: x\r\n\r\n",
    "no end of line": b"NATS/1.0\r\nNats-Stream: other\r\nfoo: ab\r\n\r\nNats-Subject: x",
    "an empty block": b"NATS/1.0\r\n\r\n",
    "a sequence of its own": b"NATS/1.0\r\nNats-Sequence: -5\r\nNats-Subject: roosync.x\r\n\r\n",
}


async def test_hostile_headers_reach_nobody_but_their_message(links):
    bad, good, _ = links
    heard = []
    await good.follow(f"roosync.{FLEET}.>", heard.append)
    wire = bad._connection.wire
    for number, header in enumerate(HOSTILE.values()):
        subject = f"post.{FLEET}.decision.m.d{number}.bad".encode()
        body = b"%d" % number
        block = b"HPUB %b %d %d\r\n%b%b\r\n" % (subject, len(header), len(header) + len(body), header, body)
        await wire._send_command(block)
        await wire.settle(5)
    await good.post(f"post.{FLEET}.decision.m.end.good", b"end")
    await eventually(lambda: heard and heard[-1].data == b"end")
    bodies = [b"%d" % number for number in range(len(HOSTILE))] + [b"end"]
    assert [message.data for message in heard] == bodies
    read = [message async for message in good.read(f"{FLEET}-WORK", "post.>")]
    assert [message.data for message in read] == bodies
    assert [(m.subject, m.sequence) for m in read] == [(m.subject, m.sequence) for m in heard]
    assert len(await good.last(f"{FLEET}-WORK", ["post.>"])) == len(bodies)
    assert good.connected


async def test_a_subject_that_is_no_utf8_ends_no_connection(links):
    bad, good, _ = links
    heard = []
    await good.follow(f"roosync.{FLEET}.>", heard.append)
    wire = bad._connection.wire
    await wire._send_command(b"PUB post.%b.decision.m.\xff\xfe.bad 1\r\nx\r\n" % FLEET.encode())
    await wire.settle(5)
    await good.post(f"post.{FLEET}.decision.m.end.good", b"end")
    await eventually(lambda: heard and heard[-1].data == b"end")
    assert [message.data async for message in good.read(f"{FLEET}-WORK", "post.>")] == [b"x", b"end"]


async def test_a_subject_that_can_not_be_posted_on(links):
    _, good, _ = links
    for subject in ("", "a b", "a\r\nPUB x 0"):
        with pytest.raises(OursError):
            await good.post(subject, b"", timeout=2)
    with pytest.raises(OursError):
        await good.post("post.x", b"", {"bad name": "x"}, timeout=2)


async def test_a_stranger_is_refused_at_once(broker):
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(RefusedError, match="does not accept this key"):
        await connect(broker.url, KeyPair.generate(), name="stranger", on_error=lambda _: None)
    assert loop.time() - began < 2


async def test_no_broker_at_all(broker, caplog, monkeypatch):
    monkeypatch.setattr("roosync_broker.connection.STARTING", 0.0)
    errors = []
    url = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises(UnavailableError, match="no broker runs at"):
        await connect(url, broker.keeper_keys, name="a", timeout=1.0, on_error=errors.append)
    assert len(errors) == 1  # told once, not with each attempt
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_who_will_not_wait_is_told_at_once_that_nobody_listens(broker, host):
    loop = asyncio.get_running_loop()
    began = loop.time()
    url = f"nats://{host}:{free_port()}"
    with pytest.raises(NobodyListensError, match="roosync up"):
        await connect(url, broker.keeper_keys, name="a", timeout=20, patient=False, on_error=lambda _: None)
    assert loop.time() - began < 1


async def test_another_address_is_tried_before_nobody_listens_is_said(broker):
    urls = f"nats://127.0.0.1:{free_port()},{broker.url}"
    link = await connect(urls, broker.keeper_keys, name="a", timeout=20, patient=False, on_error=lambda _: None)
    assert link.connected
    await link.close()


@pytest.mark.parametrize("url", ["nats://", "nats://127.0.0.1:99999999", "nonsense", ""])
async def test_an_address_that_is_none(url, broker):
    with pytest.raises((UnavailableError, OursError)):
        await connect(url or "nats://[", broker.keeper_keys, name="a", timeout=0.5, on_error=lambda _: None)


async def test_a_link_made_before_the_broker_finds_it(tmp_path):
    from roosync_broker.server import EmbeddedServer

    server = EmbeddedServer(tmp_path / "late", fleet="late", port=0)
    server.prepare()
    server._choose()
    link = await connect(lambda: server.url, server.keeper_keys, name="a", timeout=None, on_error=lambda _: None)
    called = []
    link.on_connected(lambda: called.append(1))
    assert not link.connected
    with pytest.raises(UnavailableError):
        await link.post("post.x.y.a", b"", timeout=0.2)
    async with server:
        await eventually(lambda: called, 10)
        assert link.connected
        await link.close()


async def test_the_second_of_two_addresses(broker):
    url = f"nats://127.0.0.1:{free_port()},{broker.url}"
    link = await connect(url, broker.keeper_keys, name="a", on_error=lambda _: None)
    assert link.connected
    await link.close()


async def test_clear_text_stays_on_this_computer(broker, monkeypatch):
    """The broker's other address stands for another host: nothing is signed for it unless it was asked for."""
    import roosync_broker.wire as wire

    monkeypatch.setattr(wire, "is_loopback", lambda url: False)
    with pytest.raises(RefusedError, match="does not use TLS"):
        await connect(broker.url, broker.keeper_keys, name="a", on_error=lambda _: None)
    link = await connect(broker.url, broker.keeper_keys, name="a", plain=True)
    assert link.connected
    await link.close()


async def test_a_server_that_stops_talking_is_left(broker, monkeypatch):
    """A proxy that swallows everything from a moment on: no error, no end of file."""
    import roosync_broker.connection as connection

    monkeypatch.setattr(connection, "ASK_EVERY", 0.1)
    monkeypatch.setattr(connection, "ASK_TIMEOUT", 0.3)
    silent = False
    writers = []

    async def pump(reader, writer):
        while data := await reader.read(65536):
            if not silent:
                writer.write(data)
                await writer.drain()

    async def accept(reader, writer):
        port = int(broker.url.rsplit(":", 1)[1])
        there = await asyncio.open_connection("127.0.0.1", port)
        writers.extend([writer, there[1]])
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    link = await connect(f"nats://127.0.0.1:{port}", broker.keeper_keys, name="a", on_error=lambda _: None)
    silent = True
    asked = asyncio.create_task(link.request("$JS.API.INFO", b"", 30))
    with pytest.raises(UnavailableError, match="lost"):
        await asked
    silent = False
    await eventually(lambda: link.connected, 10)
    assert await link.request("$JS.API.INFO", b"", 5)
    silent = True
    began = asyncio.get_running_loop().time()
    await link.close()  # with a dead socket
    assert asyncio.get_running_loop().time() - began < 6
    for writer in writers:
        writer.transport.abort()
    proxy.close()


@pytest.mark.parametrize("nonce", [None, "", "post.home.policy.main.op-x\no-1\n{}", "x" * 65])
async def test_nothing_is_signed_that_is_no_nonce(nonce):
    said = []

    async def accept(reader, writer):
        said_first = {"server_id": "x", "version": "2.15.1", "max_payload": 1 << 20, "headers": True}
        info = json.dumps(said_first if nonce is None else said_first | {"nonce": nonce})
        writer.write(b"INFO " + info.encode() + b"\r\n")
        said.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(RefusedError, match="gives no nonce"):
        await connect(url, KeyPair.generate(), name="a", on_error=lambda _: None)
    await eventually(lambda: said)
    assert said == [b""]
    server.close()


async def test_a_reading_task_that_ended_without_a_word_is_noticed(broker):
    link = await connect(broker.url, broker.keeper_keys, name="a", on_error=lambda _: None)
    old = link._connection.wire
    old.reading.cancel()
    await eventually(lambda: link._connection.wire not in (None, old))
    assert await link.request("$JS.API.INFO", b"", 5)
    await link.close()


async def test_a_call_that_was_cancelled_leaves_nothing_behind(links):
    _, good, _ = links
    task = asyncio.create_task(good.post(f"post.{FLEET}.decision.m.d.good", b"x", expect=Expect(0)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert good._connection._asking == {}


async def test_leaving_repeatedly_is_quick(broker):
    for number in range(20):
        link = await connect(broker.url, broker.keeper_keys, name=f"n{number}")
        await link.follow("roosync.>", lambda _: None)
        link.on_connected(lambda: asyncio.sleep(10))
        async with asyncio.timeout(1):
            await link.close()
    leftover = [task for task in asyncio.all_tasks() if "link of" in task.get_name()]
    assert leftover == []


def test_the_socket_module_gives_free_ports():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert free_port() != taken.getsockname()[1]


def test_a_connection_without_a_loop_is_only_described(broker):
    connection = Connection(
        broker.url, broker.keeper_keys, name="a", certificate=None, plain=False, report=lambda _: None
    )
    assert not connection.connected
    assert connection.problem is None


async def test_a_stream_that_was_there_may_be_silent_for_a_moment(links, monkeypatch):
    """The server reads its users anew at each admission, and answers nobody for a stream meanwhile."""
    link = links[1]
    page, silent = link._page_now, [2]

    async def at_times(stream, ask):
        if silent[0]:
            silent[0] -= 1
            raise NoResponderError("nobody")
        return await page(stream, ask)

    monkeypatch.setattr(link, "_page_now", at_times)
    stream = f"{FLEET}-LAW"
    with pytest.raises(NoResponderError):
        await link.last(stream, ["post.>"])  # it was never seen: it may not be there at all
    silent[0] = 0
    known = await link.last(stream, ["post.>"])
    silent[0] = 2
    assert await link.last(stream, ["post.>"]) == known
    silent[0] = 99
    with pytest.raises(NoResponderError):
        await link.last(stream, ["post.>"])
