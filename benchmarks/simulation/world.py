"""One seed: a fleet, its troubles, the moment when they stop, and what must be true then."""

import asyncio
import contextlib
import functools
import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import Context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from unittest import mock

from msgspec.structs import replace

from roosync_agent import session as agent_session
from roosync_agent.applying import applier
from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.rollouts import hanging
from roosync_agent.running import following, orchestrator, own_reports, requests, rollouts
from roosync_agent.running import machine as running_machine
from roosync_agent.running.machine import Machine
from roosync_broker import memory, memory_stream, permissions, topology
from roosync_broker.keys import KeyPair
from roosync_protocol import cycle, envelope
from roosync_protocol.entity import Entities
from roosync_protocol.subjects import fact_to_post
from simulation import node as sim
from simulation.loop import VirtualLoop, in_life
from simulation.network import Network, Weather
from simulation.node import FLEET, NAMES, Node
from simulation.oracle import Oracle
from simulation.people import OPERATOR, Person
from simulation.troubles import Troubles

T0 = datetime(2026, 1, 16, 12, tzinfo=UTC)
PATIENCE = 900.0  # seconds of calm after which everybody has to be in step
AGREED = 3  # looks one after the other, a second apart, at which nothing is left to do

matches = functools.lru_cache(maxsize=100_000)(permissions.matches)


class Voice(KeyPair):
    """Signs with a hash that only it and `verified` can make: what a signature proves, without what it costs."""

    __slots__ = ()

    def sign(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self.seed.encode()).digest()


@functools.cache
def key_of(name: str) -> Voice:
    made = Voice(hashlib.sha256(name.encode()).digest())
    VOICES[made.public] = made
    return made


VOICES: dict[str, Voice] = {}


def verified(public: str, data: bytes, signature: bytes) -> bool:
    return public in VOICES and VOICES[public].sign(data) == signature


class World:
    def __init__(self, seed: int, *, tracing: bool = False, longest: float = 180.0) -> None:
        self.seed = seed
        self.longest = longest  # seconds of trouble
        self.large = seed % 3 == 2  # does it behave as a fleet in which nobody follows everybody?
        self.rng = Random(seed)
        self.ids = Random(~seed)
        self.count: Counter[str] = Counter()
        self.lines: list[str] = []
        self._digest = hashlib.sha256()
        self._tracing = tracing
        self.loop = VirtualLoop(self._slow)
        self.net = Network(self.loop, self.rng, lambda: self.now(0.0).timestamp())
        self.verify = verified
        self.root = self.key(OPERATOR).public
        self.hostile = False
        self.calm = True
        self.over = False
        self.failing = 0.0  # share of the writes that do not end well
        self.nodes = {name: Node(self, name, self._files()) for name in self._names()}
        self.oracle = Oracle(self)
        self.net.watch = self.oracle.stored
        self.person = Person(self)

    # -- what the parts ask

    def key(self, name: str) -> KeyPair:
        return key_of(name)

    def now(self, offset: float) -> datetime:
        return T0 + timedelta(seconds=self.loop.time() + offset)

    def make_machine(self, settings: Any, state: Any, session: Any, disk: Any) -> Machine:
        with mock.patch.object(
            running_machine, "Local", lambda settings, state: sim.MemoryLocal(settings, state, disk)
        ):
            return Machine(settings, state, session)

    def fate_of_a_write(self) -> str:
        if self.rng.random() >= self.failing:
            return "applied"
        self.count["write failed"] += 1
        return self.rng.choice(("rolled_back", "rolled_back", "deferred", "rollback_failed"))

    def after_death(self, node: Node) -> None:
        self.trace("died", node.name)
        wait = self.rng.uniform(0.5, 2.0) if self.calm else self.rng.choice((0.5, 5.0, 30.0)) * self.rng.uniform(0.5, 2)
        self._outside(self.loop.call_later, wait, self._start_again, node)

    def trace(self, *words: object) -> None:
        line = f"{self.loop.time() - 1000:9.3f} " + " ".join(map(str, words))
        self._digest.update(line.encode())
        if self._tracing:
            self.lines.append(line)
            print(line, flush=True)

    @property
    def fingerprint(self) -> str:
        """Of everything that happened, in order: two runs of one seed have the same."""
        return self._digest.hexdigest()[:16]

    # -- one run

    def run(self) -> None:
        handler = _Errors(self)
        with _simulated(self), handler.listening():
            asyncio.set_event_loop(self.loop)
            try:
                self.loop.run_until_complete(self._main())
            finally:
                self._end()

    async def _main(self) -> None:
        await topology.ensure(self.net.link("keeper"), FLEET)
        await self.person.found()
        for node in self.nodes.values():
            node.start()
        tasks = [asyncio.create_task(self.person.live())]
        await asyncio.sleep(self.rng.uniform(0, 20))
        self.calm = False
        troubles = Troubles(self)
        self.net.weather = troubles.weather
        self.failing = self.rng.choice((0.0, 0.1, 0.4))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.rng.uniform(self.longest / 6, self.longest)):
                await troubles.rage()
        self._becalm()
        await self._settle()
        for task in tasks:
            task.cancel()

    def _becalm(self) -> None:
        self.trace("calm")
        self.calm, self.failing, self.net.weather = True, 0.0, Weather()
        for node in self.nodes.values():
            if node.life:
                node.life.left = None
                self.loop.thaw(node.life)
            self.reconnect(node)
        self.person.session.link.restore()  # type: ignore[attr-defined]

    async def _settle(self) -> None:
        due, quiet = self.loop.time() + PATIENCE, 0
        left: tuple[str, str] | None = None
        while self.loop.time() < due and quiet < AGREED and not self.oracle.violations:
            await asyncio.sleep(1.0)
            left = self.oracle.unsettled()
            quiet = 0 if left else quiet + 1
        if left and not self.oracle.violations:
            self.oracle.fail(*left)
        self.trace("end", self.loop.steps)

    def reconnect(self, node: Node) -> None:
        if node.up and node.link is not None:
            in_life(node.life, node.link.restore)  # type: ignore[arg-type]

    # -- inside

    def _names(self) -> list[str]:
        return [f"pc-{letter}" for letter in "abcd"[: self.rng.choice((2, 2, 2, 3, 3, 4))]]

    def _files(self) -> Entities:
        made = (sim.entity(name, f"v{self.rng.randrange(3)}") for name in NAMES if self.rng.random() < 0.7)
        return {one.key: one for one in made}

    def _slow(self) -> float:
        return self.rng.uniform(0.0, 8.0) if not self.calm and self.rng.random() < 0.03 else 0.001

    def _outside(self, call: Callable[..., object], *args: object) -> None:
        Context().run(call, *args)

    def _start_again(self, node: Node) -> None:
        if not node.up:
            node.start()

    def _end(self) -> None:
        """Everything that still waits is dropped, without letting it do anything more."""
        self.over = True
        for node in self.nodes.values():
            if node.life:
                node.life.alive = False
        for task in self.loop.kept:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            if not task.done():
                with contextlib.suppress(BaseException):
                    begun: Any = task.get_coro()
                    begun.close()
        self.loop.kept.clear()
        self.loop._ready.clear()  # type: ignore[attr-defined]
        self.loop._scheduled.clear()  # type: ignore[attr-defined]
        self.loop.close()
        asyncio.set_event_loop(None)


class _Errors(logging.Handler):
    """An agent goes on after an error that it did not expect; here that is a finding."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self.world = world

    def emit(self, record: logging.LogRecord) -> None:
        if self.world.over:
            return
        text = record.getMessage()
        if record.exc_info:
            text += f": {record.exc_info[1]!r}"
        self.world.oracle.fail("error", text)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        log = logging.getLogger("roosync")
        before = log.propagate, log.level
        log.addHandler(self)
        log.propagate, log.level = False, logging.ERROR
        try:
            yield
        finally:
            log.removeHandler(self)
            log.propagate, log.level = before


@contextlib.contextmanager
def _simulated(world: World) -> Iterator[None]:
    """The few places where the product meets chance, the disk, or work that only costs time here."""

    async def no_views(*_: object) -> None: ...

    def execute(made: Any, disk: Any, folder: Any, *, label: str, **_: object) -> Any:
        node = world.nodes[folder.name]
        return sim.execute(made, disk, folder, label=label, world=world, node=node)

    def roll_back(snapshot: str, disk: Any, *_: object, **__: object) -> Any:
        return sim.roll_back(snapshot, disk)

    do = requests.Requests._do

    async def done_once(self: Any, request: Any, done: Any) -> Any:
        node = world.nodes[self._machine.name]
        world.oracle.begins(node, request)
        result = await do(self, request, done)
        world.oracle.did(node, request)
        return result

    opened: dict[Any, Any] = {}
    unseal = envelope.unseal

    def unseal_once(subjects: Any, subject: str, data: bytes, headers: Any, check: Any, sequence: int = 0) -> Any:
        """Opening is pure, and everybody opens the same messages again and again."""
        key = fact_to_post(subject), data, *sorted(headers.items())
        if key not in opened:
            opened[key] = unseal(subjects, subject, data, headers, check)
        return replace(opened[key], sequence=sequence)

    patches = [
        (envelope, "unseal", unseal_once),
        (memory, "matches", matches),
        (memory_stream, "matches", matches),
        (secrets, "token_hex", lambda n=16: world.ids.randbytes(n).hex()),
        (applier, "plan", sim.plan),
        (applier, "execute", execute),
        (applier, "roll_back", roll_back),
        (applier, "verify", verified),
        (running_machine, "verify", verified),
        (agent_session, "verify", verified),
        (pinging, "verify", verified),
        (rollouts, "verify", verified),
        (hanging, "verify", verified),
        (orchestrator, "write_views", no_views),
        (own_reports, "take_inventory", lambda *_: {}),
        *(((following, "SMALL", 0), (cycle, "EACH", 0)) if world.large else ()),
        (requests.Requests, "_do", done_once),
    ]
    with contextlib.ExitStack() as stack:
        for place, name, stand_in in patches:
            stack.enter_context(mock.patch.object(place, name, stand_in))
        yield
