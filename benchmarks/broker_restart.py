"""The broker is killed -9 in the middle of work and comes back: how soon is everybody there, and is anything lost?

    python benchmarks/broker_restart.py [--agents 5 20] [--away SECONDS]

Before the end every machine has a decision that a person approved, acknowledged by the broker, and the first of them is
being applied. While the broker is away a file changes on two machines; a person says yes to what they then ask, as soon
as they ask. Times run from the moment at which the broker's supervisor may start it again (with --away 0, from the
kill): until the broker listens, until every agent answers a ping, until everybody is in step and every file holds what
was agreed. An intent is an approval that was acknowledged; it is lost when it did not end as applied, and doubled when
it was applied or told more than once. `SECONDS` keep the supervisor stopped meanwhile, so it needs POSIX.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import psutil
from figures import against, tell
from fleet import Fleet, Node, changed, server

from roosync_agent.operations.decisions import deciding
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.session import Session
from roosync_broker.errors import BusError
from roosync_broker.link import Stored
from roosync_protocol.messages import Audit, Decision

BARS = {5: 5.0, 20: 10.0}  # seconds (8-measures)
PATIENCE = 90.0  # seconds for anything that is waited for
NUMBER = 3  # of the MCP server that is changed


class Person:
    """Approves what is asked, and remembers what the broker acknowledged. With the broker away it tries again."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.acknowledged: set[str] = set()
        self.applying = asyncio.Event()
        self._asked: asyncio.Queue[Decision] = asyncio.Queue()

    def take(self, stored: Stored) -> None:
        heard = self.session.take(stored)
        if heard is not None and isinstance(heard.message, Decision):
            if heard.message.status == "pending":
                self._asked.put_nowait(heard.message)
            elif heard.message.status == "applying":
                self.applying.set()

    async def approve(self) -> None:
        """For ever."""
        while True:
            decision = await self._asked.get()
            try:
                await deciding.approve(self.session, decision)
                self.acknowledged.add(decision.id)
            except (RefusedRequestError, BusError) as error:
                await asyncio.sleep(0.2)
                state = self.session.fleet.decision(decision.machine, decision.id).state
                if state is not None and state.status == "pending":
                    print(f"# {decision.id} is asked about again: {error}", flush=True)
                    self._asked.put_nowait(state)

    async def read_again(self) -> None:
        """After each new connection, as an agent does."""
        await self.session.refresh()
        for decision in self.session.fleet.decisions():
            if decision.status == "pending":
                self._asked.put_nowait(decision)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--away", type=float, default=0.0, metavar="SECONDS")
    given = parser.parse_args()
    for count in given.agents:
        async with Fleet(count, port=free_port()) as fleet, fleet.operator() as session:
            await fleet.agree()
            await session.refresh()
            await measure(fleet, session, given.away)


def free_port() -> int:
    """Below the system's own range, so that nobody is given it by chance while the broker is away."""
    while True:
        port = random.randint(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


async def measure(fleet: Fleet, session: Session, away: float) -> None:
    person, name = Person(session), f"restart_{len(fleet.nodes)}_agents"
    await session.link.follow([session.subjects.fact("decision"), session.subjects.fact("baseline")], person.take)
    session.link.on_connected(person.read_again)
    agreed = fleet.nodes[-1].settings_file.read_text("utf-8")
    await fleet.change(session, NUMBER)
    approving = asyncio.create_task(person.approve())
    try:
        async with asyncio.timeout(PATIENCE):
            while not person.applying.is_set() or len(person.acknowledged) < len(fleet.nodes):
                await asyncio.sleep(0.002)
        with stopped(fleet.first, away) as kill:
            kill()
            began = time.perf_counter()
            for node in fleet.nodes[-2:]:
                node.settings_file.write_text(json.dumps(json.loads(agreed) | {"model": node.name}, indent=2), "utf-8")
            await asyncio.sleep(away)
        began = time.perf_counter() if away else began
        intents = set(person.acknowledged)

        def in_step() -> bool:
            held = [json.loads(node.settings_file.read_text("utf-8")) for node in fleet.nodes]
            return held == [json.loads(agreed)] * len(held) and answered(fleet) and settled(fleet)

        results = await asyncio.gather(
            since(began, lambda: listens(session)),
            since(began, lambda: asyncio.to_thread(answered, fleet)),
            since(began, lambda: asyncio.to_thread(in_step)),
        )
    finally:
        approving.cancel()
    back, answers, step = results
    tell(f"{name}_away_s", away)
    tell(f"{name}_broker_back_s", back)
    bar = BARS.get(len(fleet.nodes))
    for what, value in (("answer", answers), ("in_step", step)):
        if bar is None:
            tell(f"{name}_{what}_s", value)
        else:
            against(f"{name}_{what}_s", value, bar)
    await counted(fleet, session, intents, name)


@contextlib.contextmanager
def stopped(first: Node, away: float) -> Iterator[Callable[[], None]]:
    """Keeps whoever would start the broker again from doing so; gives what kills it."""
    assert first.process is not None
    tree = psutil.Process(first.process.pid).children(recursive=True)
    broker = next(one for one in tree if "nats-server.conf" in " ".join(one.cmdline()))
    host = broker.parent()
    assert host is not None
    if away:
        host.send_signal(signal.SIGSTOP)
    try:
        yield broker.kill
    finally:
        if away:
            host.send_signal(signal.SIGCONT)


async def since(began: float, holds: Callable[[], Awaitable[bool]]) -> float:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.02)
    return time.perf_counter() - began


async def listens(session: Session) -> bool:
    known = urlsplit(session.link._connection._urls()[0])  # type: ignore[attr-defined]
    with contextlib.suppress(OSError), socket.create_connection((known.hostname, known.port), 0.5) as there:
        there.settimeout(0.5)
        return there.recv(4) == b"INFO"
    return False


def answered(fleet: Fleet) -> bool:
    said = fleet.first.ask("ping")
    return said is not None and not said["silent"]


def settled(fleet: Fleet) -> bool:
    """Everybody in step by its own word, and the file holds what was agreed."""
    held = [json.loads(node.servers_file.read_text("utf-8"))["mcpServers"] for node in fleet.nodes]
    return all(one[server(NUMBER)]["args"] == changed(NUMBER) for one in held) and set(fleet.states()) == {"synced"}


async def counted(fleet: Fleet, session: Session, intents: set[str], name: str) -> None:
    """What became of each approval, by the records and by what was told of it."""
    await asyncio.sleep(0.5)  # the last line about an action follows its record
    await session.refresh()
    told: Counter[str] = Counter()
    async for stored in session.link.read(session.subjects.stream("AUDIT"), session.subjects.post("audit")):
        heard = session.open(stored)
        if heard is not None and isinstance(heard.message, Audit) and heard.message.outcome == "applied":
            told[heard.message.about] += 1
    records = {one.id: one for one in session.fleet.decisions() if one.id in intents}
    lost = [i for i in intents if i not in records or records[i].status != "applied" or told[i] == 0]
    doubled = [i for i in intents if told[i] > records[i].attempt]
    tell(f"{name}_intents", len(intents))
    tell(f"{name}_intents_lost", len(lost))
    tell(f"{name}_intents_doubled", len(doubled))
    for one in lost + doubled:
        state = records.get(one)
        print(f"# {one}: {state.status if state else 'no record'}, {told[one]} times told", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
