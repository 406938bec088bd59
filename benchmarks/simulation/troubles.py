"""What goes wrong in a seed, and when: crashes, partitions, clocks, edits, repeats, forgeries, a restored broker."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from roosync_protocol import envelope
from roosync_protocol.cycle import ENDED as CYCLE_ENDED
from roosync_protocol.cycle import ROUTES
from roosync_protocol.decision import ENDED
from roosync_protocol.messages import Arrival, Cycle, Decision, MalformedError, PackageReport, StatusReport, decode
from roosync_protocol.subjects import Subjects
from simulation.network import Weather, tampered
from simulation.node import FLEET, NAMES, Node, SimFleet
from simulation.people import OPERATOR, REFUSALS

if TYPE_CHECKING:
    from simulation.world import World

FORGED: dict[type, dict[str, str]] = {Decision: {"status": "approved"}, Cycle: {"status": "done"}}
REPEATED = 2  # times that something old is said again on one subject


class Troubles:
    """What goes wrong in one seed: some kinds, chosen by it, and of these some all the time and some now and then."""

    def __init__(self, world: "World") -> None:
        self.world, self.rng = world, world.rng
        self.repeated: Counter[str] = Counter()
        self.restored = False
        self._agreed = 0  # baselines when the backup was made
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
            "forged report": self.forge_reports,
            "swept": self.sweep,
            "frozen": self.freeze,
            "restored": self.restore,
        }
        chosen = {name: one for name, one in everything.items() if self.rng.random() < 0.6}
        person = self.world.person
        daily: dict[str, Callable[[], Any]] = {
            "edit": self.edit,
            "cycle started": person.start_cycle,
            "asked": person.ask_a_machine,
            "rollout started": person.start_rollout,
        }
        self.acts = {**chosen, **daily, "signed": self.sign}

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
            changes = FORGED.get(type(said), {})
            said = replace(said, revision=said.revision + 1, **changes)
            operation = f"o-{self.rng.getrandbits(64)}"
            posting = envelope.seal(Subjects(FLEET), said, operation, mallory.public, mallory.sign)
            net.force(message.subject, posting.data, posting.headers)
        self.world.hostile = False

    def forge_reports(self) -> None:
        """The same about what machines report: in another's name, of a checkpoint that it did not reach."""
        net, names = self.world.net, [*self.world.nodes, "mallory"]
        stored = list(net.streams[f"{FLEET}-REPORTS"].messages.values())
        self.world.hostile = True
        for message in self.rng.sample(stored, min(len(stored), 3)):
            try:
                said: Any = decode(message.data)
            except MalformedError:
                continue
            if self.repeated[message.subject] >= REPEATED or not isinstance(
                said, Arrival | PackageReport | StatusReport
            ):
                continue
            self.repeated[message.subject] += 1
            if isinstance(said, Arrival):
                route = next((route for route in ROUTES.values() if said.checkpoint in route), ())
                said = replace(said, checkpoint=self.rng.choice(route), round=self.rng.choice((said.round, 1)))
            elif isinstance(said, StatusReport):
                said = replace(said, status="synced", divergences_count=0)
            keys = self.world.key(self.rng.choice([name for name in names if name != said.agent]))
            posting = envelope.seal(Subjects(FLEET), said, f"o-{self.rng.getrandbits(64)}", keys.public, keys.sign)
            net.force(posting.subject, posting.data, posting.headers)
        self.world.hostile = False

    def sweep(self) -> None:
        """The keeper, or whoever administers the broker, clears a closed record away, whole."""
        stream, fleet = self.world.net.streams[f"{FLEET}-WORK"], self.world.person.session.fleet
        closed: list[tuple[str, ...]] = [(d.machine, d.id) for d in fleet.decisions() if d.status in ENDED]
        closed += [(c.id,) for c in fleet.cycles() if c.status in CYCLE_ENDED]
        if fleet.reading or not closed:
            return
        key = self.rng.choice(closed)
        kind = "decision" if len(key) == 2 else "cycle"
        record = f"post.{FLEET}.{kind}.{'.'.join(key)}."
        last = (fleet.decision(*key) if len(key) == 2 else fleet.cycle(*key)).sequence
        there = [sequence for sequence, one in stream.messages.items() if one.subject.startswith(record)]
        if there and there[-1] == last:  # else somebody opened it again meanwhile
            self.world.oracle.swept(key)
            for sequence in there:
                stream._drop(sequence)

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
        self._back_up()
        await asyncio.sleep(self.rng.uniform(1.0, 30.0))
        await self._put_back()

    def _back_up(self) -> None:
        self._agreed = self.world.oracle.agreed.revision
        self.world.net.backup()

    async def _put_back(self) -> None:
        net, world = self.world.net, self.world
        world.trace("restored")
        for node in world.nodes.values():  # a stopped process would hear later what was said before
            if node.life:
                world.loop.thaw(node.life)
        links = [link for link in net.links if link.connected]
        for link in links:
            link.drop()
        # The law too, when only a policy or a membership is lost: two baselines of one revision are another story.
        law = self.rng.random() < 0.5 and world.oracle.agreed.revision == self._agreed
        world.person.law_is_older = world.person.law_is_older or law
        net.put_back(law=law)
        world.oracle.put_back()
        for fleet in [world.person.session.fleet, *(n.machine.fleet for n in world.nodes.values() if n.machine)]:
            assert isinstance(fleet, SimFleet)
            fleet.reading, fleet.put_back = True, fleet.put_back + 1
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
            self.world.loop.call_soon(self._back_up, context=Context())
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
