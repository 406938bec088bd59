"""A broker that is away: how long calls wait for it, how often it is looked for, and that it always is."""

import asyncio
import os
import signal
import socket

import pytest

import roosync_broker.connection as connection
from roosync_broker.errors import NobodyListensError, NotAdmittedError, UnavailableError
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair
from roosync_broker.link import post_until_stored
from roosync_broker.server import EmbeddedServer, free_port


async def nowhere():
    """A link that never finds a broker."""
    url = f"nats://127.0.0.1:{free_port()}"
    return await connect(url, KeyPair.generate(), name="a", timeout=None, on_error=lambda _: None)


async def took(call):
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(UnavailableError, match=r"no broker runs|did not answer in time"):
        await call
    return loop.time() - began


async def test_an_outage_is_waited_for_once_and_by_all_calls_together(monkeypatch):
    monkeypatch.setattr(connection, "AWAY", 0.3)
    link = await nowhere()
    first = await asyncio.gather(*(took(link.post("post.x.y.a", b"")) for _ in range(3)))
    assert all(0.1 < one < 1.0 for one in first), first
    assert await took(link.post("post.x.y.a", b"")) < 0.1
    assert await took(link.last("x-WORK", ["post.>"])) < 0.1
    assert await took(link.request("$JS.API.INFO", b"", 10)) < 0.1
    assert await took(post_until_stored(link, "post.x.y.a", b"", {"Nats-Msg-Id": "o-1"})) < 0.1
    await link.close()


async def test_a_broker_that_hangs_is_told_with_its_address_and_what_looks_further():
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        url = f"nats://127.0.0.1:{hangs.getsockname()[1]}"
        with pytest.raises(UnavailableError, match=f"the broker at {url} did not answer in time.*roosync doctor"):
            await connect(url, KeyPair.generate(), name="a", timeout=0.2, on_error=lambda _: None)


async def test_a_short_outage_is_not_noticed_by_who_posts(tmp_path):
    async with EmbeddedServer(tmp_path / "broker", fleet="home", port=0) as server:
        link = await connect(server.url, server.keeper_keys, name="a", on_error=lambda _: None)
        os.kill(server.pid, signal.SIGKILL)
        assert await asked_twice(link)
        await link.close()


async def asked_twice(link):
    """The first call may be on its way when the connection goes; the next one waits for the new one."""
    try:
        return await link.request("$JS.API.INFO", b"", 10)
    except UnavailableError:
        return await link.request("$JS.API.INFO", b"", 10)


class Stop(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "longest"),
    [
        (NobodyListensError("x"), 1.0),
        (UnavailableError("x"), 3.0),
        (NotAdmittedError("x"), 20.0),
        (ValueError("not foreseen"), 3.0),
    ],
    ids=["nobody here", "away", "not admitted", "not foreseen"],
)
async def test_it_is_looked_for_for_ever_by_chance_and_never_less_often_than_so(monkeypatch, error, longest):
    delays = []

    async def refuse(*_, **__):
        raise error

    async def slept(seconds):
        delays.append(seconds)
        if len(delays) == 400:
            raise Stop

    monkeypatch.setattr(connection, "dial", refuse)
    monkeypatch.setattr(connection.asyncio, "sleep", slept)
    one = connection.Connection(
        "nats://127.0.0.1:1", KeyPair.generate(), name="a", certificate=None, plain=False, report=lambda _: None
    )
    with pytest.raises(Stop):
        await one._stay_connected()
    late = delays[20:]
    assert max(late) <= longest
    assert max(late) > 0.9 * longest
    assert min(late) < 0.2 * longest, "a fleet must not knock all at once"
    assert len(set(late)) > 300
    assert delays[0] <= 1.0


TROUBLE = {  # why there is no connection -> is it told within the first seconds, and after them?
    "nobody here": (NobodyListensError("nobody here"), False),
    "away": (UnavailableError("away"), True),
    "not admitted": (NotAdmittedError("not admitted"), True),
}


@pytest.mark.parametrize(("error", "at_once"), TROUBLE.values(), ids=TROUBLE)
async def test_that_nobody_is_here_yet_is_no_trouble_before_some_seconds_are_over(monkeypatch, error, at_once):
    told, seen = [], []

    async def refuse(*_, **__):
        raise error

    async def slept(_):
        seen.append(len(told))
        if len(seen) == 3:
            one._since -= connection.STARTING
        if len(seen) == 6:
            raise Stop

    monkeypatch.setattr(connection, "dial", refuse)
    monkeypatch.setattr(connection.asyncio, "sleep", slept)
    one = connection.Connection(
        "nats://127.0.0.1:1", KeyPair.generate(), name="a", certificate=None, plain=False, report=told.append
    )
    one._since = asyncio.get_running_loop().time()
    with pytest.raises(Stop):
        await one._stay_connected()
    assert seen == ([1] * 6 if at_once else [0, 0, 0, 1, 1, 1]), "and once, not with each attempt"
