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
from roosync_agent.running import machine as running_machine
from roosync_agent.running import orchestrator, reports
from roosync_agent.running.machine import Machine
from roosync_broker import memory, memory_stream, permissions, topology
from roosync_broker.keys import KeyPair, verify
from roosync_protocol import envelope
from roosync_protocol.entity import Entities
from roosync_protocol.messages import Cycle, Decision, MalformedError, decode
from roosync_protocol.subjects import Subjects
from simulation import node as sim
from simulation.loop import VirtualLoop, in_life
from simulation.network import Network, Weather, tampered
from simulation.node import FLEET, NAMES, Node
from simulation.oracle import Oracle
from simulation.people import OPERATOR, REFUSALS, Person

T0 = datetime(2026, 1, 16, 12, tzinfo=UTC)
PATIENCE = 900.0  # seconds of calm after which everybody has to be in step
REPEATED = 2  # times that something old is said again on one subject
AGREED = 3  # looks one after the other, a second apart, at which nothing is left to do

matches = functools.lru_cache(maxsize=100_000)(permissions.matches)
verified = functools.lru_cache(maxsize=100_000)(verify)


@functools.cache
def key_of(name: str) -> KeyPair:
    return KeyPair(hashlib.sha256(name.encode()).digest())


class World:
    def __init__(self, seed: int, *, tracing: bool = False, longest: float = 180.0) -> None:
        self.seed = seed
        self.longest = longest  # seconds of trouble
        self.rng = Random(seed)
        self.ids = Random(~seed)
        self.count: Counter[str] = Counter()
        self.lines: list[str] = []
        self._digest = hashlib.sha256()
        self._tracing = tracing
        self.loop = VirtualLoop(self._slow)
        self.net = Network(self.loop, self.rng, lambda: self.now(0.0).timestamp())
        self.oracle = Oracle(self)
        self.net.watch = self.oracle.stored
        self.verify = verified
        self.root = self.key(OPERATOR).public
        self.hostile = False
        self.calm = True
        self.over = False
        self.failing = 0.0  # share of the writes that do not end well
        self.nodes = {name: Node(self, name, self._files()) for name in self._names()}
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
                    task.get_coro().close()  # type: ignore[union-attr]
        self.loop.kept.clear()
        self.loop._ready.clear()  # type: ignore[attr-defined]
        self.loop._scheduled.clear()  # type: ignore[attr-defined]
        self.loop.close()
        asyncio.set_event_loop(None)


class Troubles:
    """What goes wrong in one seed: some kinds, chosen by it, and of these some all the time and some now and then."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng
        self.repeated: Counter[str] = Counter()
        self.restored = False
        self._again = ""  # a decision whose yes is in the backup, and whose end is not
        if self.rng.random() < 0.3:
            world.oracle.on_decision = self._back_up_a_yes
        self.weather = Weather(
            lose=self._some(0.02, 0.2),
            double=self._some(0.05, 0.3),
            delay=self._some(0.02, 0.2),
            receipt=self._some(0.01, 0.1),
            late=self._some(0.01, 0.05),
            slow=self._some(0.005, 0.05),
        )
        everything: dict[str, Callable[[], object]] = {
            "crash": self.crash,
            "restart": self.restart,
            "partition": self.partition,
            "clock jump": self.clock_jump,
            "repeated": self.repeat,
            "forged": self.forge,
            "frozen": self.freeze,
            "restored": self.restore,
        }
        chosen = {name: one for name, one in everything.items() if self.rng.random() < 0.6}
        self.acts = {**chosen, "edit": self.edit, "cycle started": self.world.person.start_cycle, "signed": self.sign}

    def _some(self, *levels: float) -> float:
        return self.rng.choice((0.0, *levels))

    async def rage(self) -> None:
        names = [*self.acts, "edit", "cycle started"]
        every = self.rng.choice((1.0, 3.0, 8.0))
        self.world.person.start_cycle()
        while not self.world.oracle.violations:
            await asyncio.sleep(self.rng.expovariate(1 / every))
            name = self.rng.choice(names)
            self.world.count[name] += 1
            self.world.trace("act", name)
            result = self.acts[name]()
            if asyncio.iscoroutine(result):
                self.world.loop.create_task(result)

    def _node(self) -> Node:
        return self.rng.choice(list(self.world.nodes.values()))

    def crash(self) -> None:
        node = self._node()
        if node.up and node.life:
            node.life.left = self.rng.choice((0, 5, 20, 100)) + self.rng.randrange(20)

    def restart(self) -> None:
        self._node().leave()

    async def partition(self) -> None:
        node = self._node()
        if node.link is not None:
            node.link.drop()
            await asyncio.sleep(self.rng.choice((0.5, 5.0, 20.0, 60.0)) * self.rng.uniform(0.5, 1.5))
            self.world.reconnect(node)

    def forge(self) -> None:
        """What somebody makes up who holds the broker, and the key of a machine that was revoked."""
        net, mallory = self.world.net, self.world.key("mallory")
        stored = [m for name in ("WORK", "LAW") for m in net.streams[f"{FLEET}-{name}"].messages.values()]
        self.world.hostile = True
        for message in self.rng.sample(stored, min(len(stored), 3)):
            if self.repeated[message.subject] >= REPEATED:
                continue
            self.repeated[message.subject] += 1
            if self.rng.random() < 0.3:
                net.repeat(tampered(message, self.rng))
                continue
            try:
                said: Any = decode(message.data)
            except MalformedError:
                continue  # it was changed before
            changes = {Decision: {"status": "approved"}, Cycle: {"status": "done"}}.get(type(said), {})
            said = replace(said, revision=said.revision + 1, **changes)
            operation = f"o-{self.rng.getrandbits(64)}"
            posting = envelope.seal(Subjects(FLEET), said, operation, mallory.public, mallory.sign)
            net.force(message.subject, posting.data, posting.headers)
        self.world.hostile = False

    async def freeze(self) -> None:
        """The system stops the process, and later lets it go on, as if nothing had been."""
        node = self._node()
        if node.up and node.life:
            life, node.life.frozen = node.life, True
            await asyncio.sleep(self.rng.choice((2.0, 20.0, 40.0)))
            self.world.loop.thaw(life)

    async def restore(self) -> None:
        """Once in a seed at most: the broker is put back to what its disk held some seconds ago."""
        if self.restored:
            return
        self.restored = True
        self.world.net.backup()
        await asyncio.sleep(self.rng.uniform(1.0, 30.0))
        await self._put_back()

    async def _put_back(self) -> None:
        net, world = self.world.net, self.world
        world.trace("restored")
        for node in world.nodes.values():  # a stopped process would hear later what was said before
            if node.life:
                world.loop.thaw(node.life)
        links = [link for link in net.links if link.connected]
        for link in links:
            link.drop()
        net.put_back()
        world.oracle.put_back()
        for fleet in [world.person.session.fleet, *(n.machine.fleet for n in world.nodes.values() if n.machine)]:
            fleet.reading, fleet.put_back = True, fleet.put_back + 1  # type: ignore[union-attr]
        await asyncio.sleep(self.rng.uniform(0.1, 3.0))
        for node in world.nodes.values():
            world.reconnect(node)
        for link in links:
            if link.name not in world.nodes:
                link.restore()

    def _back_up_a_yes(self, decision: Decision) -> None:
        """A backup between a yes and what came of it, and somebody who puts the old value back: all looks as before."""
        if not self.restored and decision.status == "approved" and decision.agent == OPERATOR:
            self.restored, self._again = True, decision.id + decision.machine
            self.world.loop.call_soon(self.world.net.backup, context=Context())
        elif self._again == decision.id + decision.machine and decision.status == "applied":
            self._again = ""
            before = None if decision.local.digest is None else str(decision.local.value)
            name = decision.entity.split("/")[1]

            async def again() -> None:
                await asyncio.sleep(self.rng.uniform(0.0, 1.0))
                self.world.nodes[decision.machine].save(name, before)
                await self._put_back()

            Context().run(lambda: self.world.loop.create_task(again()))

    def clock_jump(self) -> None:
        self._node().offset = self.rng.choice((-1, 1)) * self.rng.choice((0.5, 10.0, 300.0, 90_000.0))

    def edit(self) -> None:
        value = None if self.rng.random() < 0.2 else f"v{self.rng.randrange(3)}"
        self._node().save(self.rng.choice(NAMES), value)

    def repeat(self) -> None:
        """Old messages once more, in a muddle. Few on one subject: the broker keeps only the last ones of each."""
        stored = [m for s in self.world.net.streams.values() if s.republished for m in s.messages.values()]
        stored = [m for m in stored if self.repeated[m.subject] < REPEATED]
        self.world.hostile = True
        for message in self.rng.sample(stored, min(len(stored), 5)):
            self.repeated[message.subject] += 1
            self.world.net.repeat(message)
        self.world.hostile = False

    async def sign(self) -> None:
        person = self.world.person
        act = self.rng.choice(
            (person.publish, person.publish, person.set_policy, person.pause, person.ask_for_a_rollback)
        )
        with contextlib.suppress(*REFUSALS):
            await act()


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

    opened: dict[Any, Any] = {}
    unseal = envelope.unseal

    def unseal_once(subjects: Any, subject: str, data: bytes, headers: Any, check: Any, sequence: int = 0) -> Any:
        """Opening is pure, and everybody opens the same messages again and again."""
        key = envelope.fact_to_post(subject), data, *sorted(headers.items())
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
        (orchestrator, "write_views", no_views),
        (reports, "take_inventory", lambda *_: {}),
    ]
    with contextlib.ExitStack() as stack:
        for place, name, stand_in in patches:
            stack.enter_context(mock.patch.object(place, name, stand_in))
        yield
