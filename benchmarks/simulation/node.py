"""One machine of the simulation: the real Agent, Machine, Applier, Session, Lease and Cycles over a disk in memory.

What is replaced is what touches the real disk: the small files of the state folder, the look at the managed files,
and the transaction that writes them (which `benchmarks/kill_apply.py` kills at each step on a real disk). The disk
outlives the lives of its processes, and a life that ended writes nothing more.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from roosync_agent.applying.apply import Outcome
from roosync_agent.collecting.collection import CollectedFile, Collection
from roosync_agent.collecting.local import Local, Looked
from roosync_agent.collecting.reference import Reference
from roosync_agent.running.agent import Agent
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_agent.settings import Settings
from roosync_agent.state import Base, State
from roosync_agent.targets.marks import NONE
from roosync_protocol.entity import Entities, Entity, Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.subjects import Subjects
from simulation.loop import Life, in_life

if TYPE_CHECKING:
    from simulation.world import World

TARGET = "claude.settings"
NAMES = ("theme", "model", "cleanupPeriodDays")  # a change of model is of medium risk, the others of low
TARGETS = {TARGET: SimpleNamespace(spec=SimpleNamespace(marks=NONE, tree=False, name=TARGET))}
FLEET = "home"


def entity(name: str, value: str) -> Entity:
    key = f"{TARGET}/{name}"
    return Entity(key=key, kind=Kind.SETTING, value=value)


class Disk:
    """What a crash leaves: the state folder's small files, the managed file, its backups and the journal."""

    def __init__(self, managed: Entities) -> None:
        self.small: dict[str, bytes] = {}
        self.managed: Entities = managed
        self.snapshots: dict[str, Entities] = {}
        self.journal: tuple[str, Entities] | None = None  # snapshot, and what was there: put back after a crash
        self.life: Life | None = None

    def may(self) -> bool:
        return self.life is None or self.life.step()

    def recover(self) -> None:
        if self.journal is not None:
            self.managed, self.journal = dict(self.journal[1]), None


class _NoPause:
    def read_text(self, encoding: str) -> str:
        raise FileNotFoundError

    def unlink(self, missing_ok: bool = False) -> None:
        """Nobody pauses a machine by hand here."""


class MemoryState(State):
    def __init__(self, folder: Path, disk: Disk) -> None:
        super().__init__(folder)
        self._disk = disk
        self.paused = _NoPause()  # type: ignore[assignment]

    def read(self, name: str, kind: Any) -> Any:
        data = self._disk.small.get(name)
        return None if data is None else msgspec.json.decode(data, type=kind)

    def write(self, name: str, value: Any) -> None:
        data = msgspec.json.encode(value)
        if self._disk.may():
            self._disk.small[name] = data


class MemoryLocal(Local):
    """`differences`, `record` and `agree` are the real ones; the look is at a dictionary."""

    def __init__(self, settings: Settings, state: State, disk: Disk) -> None:
        self.settings, self.state, self.disk = settings, state, disk
        self.door: Any = disk
        self.base: Base = state.base()
        self.public_names = frozenset()
        self.approved = frozenset()
        self.released = set()

    def layout(self) -> Any:
        return None

    def here(self, reference: Reference) -> Reference:
        return reference

    def look(self, names: tuple[str, ...] = ()) -> Looked:
        entities = dict(self.disk.managed)
        file = CollectedFile(TARGET, Kind.SETTING, Path("s"), "s", "json", "", len(entities), tuple(entities))
        found = Collection(
            layout=None,  # type: ignore[arg-type]
            targets=TARGETS,  # type: ignore[arg-type]
            entities=entities,
            files=(file,),
            skipped=(),
            not_set_up=(),
            skipped_targets={},
            unreadable=frozenset(),
            local={},
            secrets={},
        )
        return Looked(collection=found, quarantine={})

    def believe(self, looked: Looked) -> None:
        if looked.entities != self.base.believed:
            self.base = replace(self.base, believed=looked.entities)
            self.state.save_base(self.base)
        self.approved = frozenset()


class MemoryPlan:
    def __init__(self, before: Entities, changes: dict[str, Entity | None]) -> None:
        self.before, self.changes = before, changes
        self.refusals: dict[str, str] = {}


def plan(disk: Disk, collection: Collection, wanted: dict[str, Entity | None], placing: object) -> MemoryPlan:
    return MemoryPlan(dict(collection.entities), wanted)


class SimFleet(Fleet):
    """Tells the oracle what is believed after each message."""

    def __init__(self, law: Law, verify: Any, told: Callable[["SimFleet", Any], None]) -> None:
        super().__init__(law, verify)
        self._told = told
        self.put_back = 0  # times that the broker came up with a backup
        self.readers = 0
        self.reading = True  # its records are being read, and no turn rests on them yet

    def hear(self, heard: Any) -> None:
        super().hear(heard)
        self._told(self, heard)


class SimSession(Session):
    fleet: SimFleet
    read: Callable[[SimFleet], None] = staticmethod(lambda fleet: None)

    async def refresh(self, *, reports: bool = True) -> None:
        """Two may run at once: what is believed counts when the last of them has read everything."""
        self.fleet.reading, before = True, self.fleet.put_back
        self.fleet.readers += 1
        try:
            await super().refresh(reports=reports)
        finally:
            self.fleet.readers -= 1
        if self.fleet.put_back == before and not self.fleet.readers:
            self.fleet.reading = False
            self.read(self.fleet)


class SimAgent(Agent):
    """Without socket and without watching a real disk; all else is the agent's own."""

    saved: asyncio.Event

    async def _files(self) -> None:
        while True:
            await self.saved.wait()
            self.saved.clear()
            self.wake()


class _NoControl:
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Node:
    """A machine through all its lives."""

    def __init__(self, world: "World", name: str, managed: Entities) -> None:
        self.world, self.name = world, name
        self.keys = world.key(name)
        self.disk = Disk(managed)
        self.offset = 0.0  # seconds by which its clock is wrong
        self.life: Life | None = None
        self.machine: Machine | None = None
        self.agent: SimAgent | None = None
        self.run: asyncio.Task[None] | None = None
        self.lives = 0
        self._stop: asyncio.Event | None = None

    @property
    def up(self) -> bool:
        return self.life is not None and self.life.alive

    @property
    def ready(self) -> bool:
        return self.up and self.machine is not None

    def start(self) -> None:
        self.lives += 1
        life = Life(self.name, self._died)
        self.life = life
        in_life(life, lambda: self.world.loop.create_task(self._live(life)))

    async def _live(self, life: Life) -> None:
        world = self.world
        self.disk.life = life
        self.disk.recover()
        folder = Path("/simulated") / self.name
        state = MemoryState(folder, self.disk)
        law = state.law() or Law(fleet=FLEET, root=world.root)
        link = world.net.link(self.name)
        told = world.oracle.listener(self)
        session = SimSession(link, Subjects(FLEET), self.keys, self.name, SimFleet(law, world.verify, told))
        session.now = lambda: world.now(self.offset)
        session.read = lambda fleet: world.oracle.has_read(self.name, fleet)
        session.contents._now = session.now
        settings = Settings(state=folder, home=folder / "home", machine=self.name, os="posix")
        machine = world.make_machine(settings, state, session, self.disk)
        agent = SimAgent(settings, machine)
        agent._control = _NoControl()  # type: ignore[assignment]
        agent.orchestrator._lease._clock = world.loop.time
        agent.saved = asyncio.Event()
        self.machine, self.agent, self._stop = machine, agent, asyncio.Event()
        world.oracle.started(self, law)
        await agent.run(self._stop)
        if life.alive:
            life.end()

    def _died(self) -> None:
        for link in [one for one in self.world.net.links if one.name == self.name]:
            link.drop()
            self.world.net.links.remove(link)
        self.machine = self.agent = None
        self.world.after_death(self)

    def leave(self) -> None:
        """Stopped as a person stops it: it gives back what it holds."""
        if self._stop is not None:
            self._stop.set()

    @property
    def link(self) -> Any:
        return next((one for one in self.world.net.links if one.name == self.name), None)

    def save(self, name: str, value: str | None) -> None:
        """The person, or an assistant, changes the managed file."""
        key = f"{TARGET}/{name}"
        kept = {k: e for k, e in self.disk.managed.items() if k != key}
        self.disk.managed = kept if value is None else {**kept, key: entity(name, value)}
        if self.agent is not None:
            self.agent.saved.set()


def execute(made: MemoryPlan, disk: Disk, folder: Path, *, label: str, world: "World", node: Node) -> Outcome:
    """The transaction of `apply.execute`, with its ends: applied, put back, not put back, or not begun."""
    if disk.journal is not None:
        return Outcome("deferred", ["nothing was written: an earlier change is not finished"])
    changed = {k: e for k, e in made.changes.items() if disk.managed.get(k) != e}
    if any(disk.managed.get(k) != made.before.get(k) for k in made.changes):
        return Outcome("deferred", ["nothing was written: it changed since it was read"])
    if not disk.may():
        return Outcome("deferred", [])
    world.oracle.writes(node, label, made.changes)
    if not changed:
        return Outcome("applied", ["the files hold it already: nothing was written"])
    fate = world.fate_of_a_write()
    if fate == "deferred":
        return Outcome("deferred", ["nothing was written: it is busy"])
    before, snapshot = dict(disk.managed), f"s-{len(disk.snapshots)}"
    disk.snapshots[snapshot] = before
    disk.journal = snapshot, before
    if not disk.may():
        return Outcome("deferred", [])
    after = {**before, **{k: e for k, e in changed.items() if e is not None}}
    disk.managed = {k: e for k, e in after.items() if changed.get(k, e) is not None}
    if not disk.may():
        return Outcome("deferred", [])
    if fate == "applied":
        disk.journal = None
        world.oracle.wrote(node, label)
        return Outcome("applied", ["read back and verified"], snapshot, touched=True)
    disk.managed, disk.journal = before, None
    return Outcome(fate, ["it could not be verified"], snapshot, touched=True)  # type: ignore[arg-type]


def roll_back(snapshot: str, disk: Disk) -> Outcome:
    if snapshot not in disk.snapshots or not disk.may():
        return Outcome("rollback_failed", ["there is no such snapshot"])
    disk.managed = dict(disk.snapshots[snapshot])
    return Outcome("applied", ["put back"], touched=True)
