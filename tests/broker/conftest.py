"""A real nats-server for a test module's needs, and two worlds that hold the same contract.

`broker` is a running EmbeddedServer of its own state folder; its loop lives in a thread, so one server serves
many tests, each with its own event loop. `world` runs a test twice: in memory, and on that server.
"""

import asyncio
import itertools
import threading
from dataclasses import dataclass, field

import pytest

from roosync_broker import topology
from roosync_broker.jetstream import connect
from roosync_broker.memory import MemoryBus
from roosync_broker.server import EmbeddedServer

FLEETS = (f"t{number}" for number in itertools.count(1))


class Background:
    """An event loop in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    background = Background()
    server = EmbeddedServer(tmp_path_factory.mktemp("broker"), fleet="tests", port=0)
    background.run(server.start())
    yield server
    background.run(server.stop())
    background.close()


@dataclass
class Clock:
    """Seconds that a test moves by hand."""

    now: float = 1_800_000_000.0

    def __call__(self):
        return self.now


@dataclass
class World:
    """A bus with the streams of `fleet`, and links to it."""

    fleet: str
    kind: str
    make: object
    links: list = field(default_factory=list)
    errors: list = field(default_factory=list)

    async def link(self, name):
        link = await self.make(name, self.errors.append)
        self.links.append(link)
        return link

    async def close(self):
        for link in self.links:
            await link.close()


@pytest.fixture(params=["memory", "real"])
async def world(request):
    fleet = next(FLEETS)
    if request.param == "memory":
        bus = MemoryBus()

        async def make(name, report):
            return bus.link(name, report=report)
    else:
        broker = request.getfixturevalue("broker")

        async def make(name, report):
            return await connect(broker.url, broker.keeper_keys, name=name, on_error=report)

    world = World(fleet, request.param, make)
    admin = await world.link("keeper")
    await topology.ensure(admin, fleet)
    yield world
    if world.kind == "real":  # their bounds are reserved on the server, and would soon be all of it
        admin = await world.link("sweeper")
        for name in topology.configurations(fleet):
            await admin.request(f"$JS.API.STREAM.DELETE.{name}", b"", 5)
    await world.close()


async def eventually(condition, timeout=5.0):
    """Wait until `condition()` is true; fails when it does not become so in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not condition():
        assert loop.time() < end, "it did not happen in time"
        await asyncio.sleep(0.005)
