"""One process with many agents: the product's own Agent, Machine, Session and link, over a disk in memory.

It is started by `simulated.hosts`, reads one JSON object a line and answers each with one: what it holds, what its
agents said last, what it cost. Replaced is what touches a disk, by the same stand-ins as in the simulation
(`simulation.node`); the connections, the signatures and the broker are real.
"""

import asyncio
import contextlib
import json
import logging
import resource
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec
from simulation import node as sim

from roosync_agent.applying import applier
from roosync_agent.running import machine as running_machine
from roosync_agent.running import own_reports
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_agent.settings import Settings
from roosync_agent.state import LawRead
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair, verify
from roosync_protocol.entity import Entity
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import StatusReport
from roosync_protocol.subjects import Subjects

DIALLED_AT_ONCE = 16  # connections that are being made at the same time: the server waits two seconds for a key
FLEET_LAW = msgspec.json.Decoder(Law)


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the first line says: which agents, on which broker, under which law."""

    url: str
    certificate: str | None
    law: str  # path of the law that each of them starts with, as if it had run before
    law_read: LawRead | None  # how far of it
    managed: list[Entity]  # what each machine holds
    agents: dict[str, str]  # machine -> seed of its key


class State(sim.MemoryState):
    """The law is one object for all of them: on computers of their own each would have its file."""

    def __init__(self, folder: Path, disk: sim.Disk, law: Law) -> None:
        super().__init__(folder, disk)
        self._law = law

    def law(self) -> Law:
        return self._law

    def save_law(self, law: Law, read: LawRead | None = None) -> None:
        self._law = law


class Host:
    """The agents of this process."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.law = FLEET_LAW.decode(Path(given.law).read_bytes())
        self.disks: dict[str, sim.Disk] = {}
        self.agents: dict[str, sim.SimAgent] = {}
        self.stop = asyncio.Event()
        self._runs: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """All connect first: an agent that works already would keep the others from answering the server in time."""
        gate = asyncio.Semaphore(DIALLED_AT_ONCE)

        async def one(name: str, seed: str) -> None:
            async with gate:
                await self._agent(name, seed)

        async with asyncio.TaskGroup() as group:
            for name, seed in self.given.agents.items():
                group.create_task(one(name, seed))
        self._runs = [asyncio.create_task(agent.run(self.stop), name=name) for name, agent in self.agents.items()]

    async def _agent(self, name: str, seed: str) -> None:
        given, keys = self.given, KeyPair.from_seed(seed)
        disk = self.disks[name] = sim.Disk({one.key: one for one in given.managed})
        folder = Path("/simulated") / name
        state = State(folder, disk, self.law)
        link = await connect(given.url, keys, name=name, certificate=given.certificate, timeout=30)
        session = Session(link, Subjects(self.law.fleet), keys, name, Fleet(self.law, verify))
        session.law_read = given.law_read
        settings = Settings(state=folder, home=folder / "home", machine=name, os="posix")
        with mock.patch.object(
            running_machine, "Local", lambda settings, state: sim.MemoryLocal(settings, state, disk)
        ):
            machine = Machine(settings, state, session)
        agent = self.agents[name] = sim.SimAgent(settings, machine)
        agent._control = sim._NoControl()  # type: ignore[assignment]
        agent.saved = asyncio.Event()

    async def leave(self) -> None:
        self.stop.set()
        await asyncio.gather(*self._runs, return_exceptions=True)

    def said(self) -> dict[str, int]:
        """How many agents said what last: state and revision of the baseline."""
        found: Counter[str] = Counter()
        for agent in self.agents.values():
            said = agent.machine._said.get(StatusReport)
            told = f"{said.status} {said.baseline_revision}" if isinstance(said, StatusReport) else "nothing"
            found[told] += 1
        return dict(found)

    def change(self, machines: list[str], setting: str, value: Any) -> None:
        """As an assistant that saved: nobody is woken, the next turn sees it."""
        for machine in machines:
            one = sim.entity(setting, value)
            self.disks[machine].managed = {**self.disks[machine].managed, one.key: one}

    def holding(self, setting: str) -> dict[str, int]:
        key = sim.entity(setting, "").key
        return dict(Counter(json.dumps(disk.managed[key].value) for disk in self.disks.values()))

    def whole(self) -> int:
        """How many follow everybody."""
        return sum(agent.machine.session.whole for agent in self.agents.values())

    def ended(self) -> list[str]:
        return [task.get_name() for task in self._runs if task.done()]


def cost() -> dict[str, float]:
    """Processor seconds of this process so far, and its memory at most (MiB)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss / 1024}


@contextlib.contextmanager
def without_disk(disks: dict[str, sim.Disk]) -> Any:
    """The places where the product touches the disk of its machine."""
    world: Any = SimpleNamespace(
        fate_of_a_write=lambda: "applied", oracle=SimpleNamespace(writes=lambda *_: None, wrote=lambda *_: None)
    )

    def execute(made: Any, disk: Any, folder: Any, *, label: str, **_: object) -> Any:
        return sim.execute(made, disk, folder, label=label, world=world, node=world)

    def roll_back(snapshot: str, disk: Any, *_: object, **__: object) -> Any:
        return sim.roll_back(snapshot, disk)

    patches = [
        (applier, "plan", sim.plan),
        (applier, "execute", execute),
        (applier, "roll_back", roll_back),
        (own_reports, "take_inventory", lambda *_: {}),
    ]
    with contextlib.ExitStack() as stack:
        for place, name, stand_in in patches:
            stack.enter_context(mock.patch.object(place, name, stand_in))
        yield


async def main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    host = Host(msgspec.json.decode(await reader.readline(), type=Given))
    with without_disk(host.disks):
        await host.start()
        tell({"started": len(host.agents)})
        while line := await reader.readline():
            asked = json.loads(line)
            match asked.pop("do"):
                case "said":
                    tell({"said": host.said(), "ended": host.ended(), "whole": host.whole(), **cost()})
                case "change":
                    host.change(**asked)
                    tell({"changed": len(asked["machines"])})
                case "holding":
                    tell({"holding": host.holding(**asked), **cost()})
        await host.leave()


def tell(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    asyncio.run(main())
