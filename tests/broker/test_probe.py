"""How far a member gets at a broker, on real ones: with TLS and without, with a known key and with a stranger's."""

import socket

import pytest

from roosync_broker.keys import KeyPair
from roosync_broker.probe import glimpse, hello
from roosync_broker.server import EmbeddedServer, free_port
from roosync_broker.tls import make_certificate


@pytest.fixture
async def secure(tmp_path):
    async with EmbeddedServer(tmp_path / "broker", fleet="home", port=0, listen="0.0.0.0") as server:
        yield server


async def look(server, **given):
    plain = {"keys": server.keeper_keys, "certificate": server.certificate}
    url = given.pop("url", server.url)
    return await glimpse(url, name="a", **plain | given)


async def test_well(broker):
    seen = await look(broker)
    assert (seen.stage, seen.says, seen.tls, seen.keyless) == ("well", "", False, False)
    assert seen.server_name.startswith("tests-broker-")
    assert (await hello(broker.url)).server_name == seen.server_name


async def test_a_strangers_key(broker):
    assert (await look(broker, keys=KeyPair.generate())).stage == "key"


async def test_tls(secure):
    seen = await look(secure)
    assert (seen.stage, seen.tls) == ("well", True)
    assert (await look(secure, certificate=make_certificate("home").pem)).stage == "certificate"
    assert (await look(secure, keys=KeyPair.generate())).stage == "key"


async def test_plain_text_to_another_host(broker, monkeypatch):
    monkeypatch.setattr("roosync_broker.wire.is_loopback", lambda url: False)
    assert (await look(broker)).stage == "plain"


@pytest.mark.parametrize(
    ("url", "stage"),
    [
        ("nats://127.0.0.1:{free}", "refused"),
        ("nats://no-such-host.invalid", "name"),
        ("nats://", "address"),
        ("", "address"),
    ],
)
async def test_nobody(broker, url, stage):
    assert (await look(broker, url=url.format(free=free_port()))).stage == stage


async def test_who_listens_and_says_nothing_is_waited_for_briefly(broker, monkeypatch):
    monkeypatch.setattr("roosync_broker.probe.HELLO", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        seen = await look(broker, url=f"nats://127.0.0.1:{mute.getsockname()[1]}")
    assert seen.stage == "mute"
