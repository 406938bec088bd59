"""How long is a cycle without a leader when the leading agent is killed?

    python benchmarks/failover.py [--machines 3] [--runs 7] [--lease-seconds 15]

A cycle waits for a person at RESOLUTION. Each run kills the leading agent (SIGKILL) at a moment of chance within its
renewals, and the time is told until the next leader's first step is heard on the bus; the bar is the lease and 2 s. The
killed agent is started again before the next run. At the end the person answers, and the record is read: each revision
once, each checkpoint once, the file as agreed.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import time

from figures import against, median, tell
from fleet import Fleet, Node, until

from roosync_agent.operations.decisions import deciding
from roosync_agent.session import Session
from roosync_broker.link import Stored
from roosync_broker.topology import LEASE_TTL
from roosync_protocol.messages import Cycle, Decision

BEYOND = 2.0  # seconds after the lease within which the next one has to lead (the bar)
ROUTE = ["init", "status", "diffs", "resolution", "final"]


class Steps:
    """The steps of the cycle as the bus tells them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.cycle: list[Cycle] = []
        self.asked: dict[str, Decision] = {}
        self._next: asyncio.Queue[tuple[Cycle, float]] = asyncio.Queue()

    def take(self, stored: Stored) -> None:
        heard = self.session.take(stored)
        if heard is not None and isinstance(heard.message, Cycle):
            self.cycle.append(heard.message)
            self._next.put_nowait((heard.message, time.perf_counter()))
        elif heard is not None and isinstance(heard.message, Decision) and heard.message.status == "pending":
            self.asked[heard.message.id] = heard.message

    async def another(self, than: str) -> tuple[Cycle, float]:
        """The next step that another machine than this one makes."""
        while True:
            cycle, at = await self._next.get()
            if cycle.agent != than and cycle.token:
                return cycle, at

    async def until(self, checkpoint: str, status: str = "running") -> Cycle:
        while True:
            cycle, _ = await self._next.get()
            if (cycle.checkpoint, cycle.status) == (checkpoint, status):
                return cycle


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=3)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--lease-seconds", type=float, default=LEASE_TTL)
    given = parser.parse_args()
    if given.machines < 2 or given.runs < 1:
        parser.error("another one can lead from two machines on, and one run is the least")
    config = f"[broker]\nlease_seconds = {given.lease_seconds}\n"
    async with Fleet(given.machines, config=config) as fleet:
        broker = await beside_its_broker(fleet)
        try:
            await fleet.agree()
            async with fleet.operator() as session:
                await measure(fleet, session, given.runs, given.lease_seconds)
        finally:
            for node in reversed(fleet.nodes):
                node.stop()
            for node in fleet.nodes:
                node.gone()
            broker.stop()
            broker.gone()


async def beside_its_broker(fleet: Fleet) -> Node:
    """The first machine's broker in a process of its own, so that its agent can die as any other."""
    first = fleet.first
    broker = Node(first.name, first.home, first.state)
    first.stop()
    await asyncio.to_thread(first.gone)
    broker.start("broker")
    first.start("agent")
    await until("everybody answers", lambda: all(node.ask("status") is not None for node in fleet.nodes), fleet.nodes)
    return broker


async def measure(fleet: Fleet, session: Session, runs: int, lease: float) -> None:
    steps, took = Steps(session), []
    await session.link.follow([session.subjects.fact(name) for name in ("cycle", "decision", "status")], steps.take)
    file = fleet.nodes[-1].settings_file
    agreed = file.read_text("utf-8")
    file.write_text(json.dumps(json.loads(agreed) | {"model": "other"}, indent=2) + "\n", "utf-8")
    await until("the divergence is on the bus", lambda: bool(steps.asked), fleet.nodes)
    await asyncio.to_thread(fleet.first.ask, "cycle_start", timeout=60.0)
    leads = (await steps.until("resolution")).agent
    for _ in range(runs):
        await asyncio.sleep(random.uniform(0.5, lease / 3 + 0.5))
        node = next(node for node in fleet.nodes if node.name == leads)
        assert node.process is not None
        node.process.send_signal(signal.SIGKILL)
        killed = time.perf_counter()
        async with asyncio.timeout(3 * lease + 10):
            step, at = await steps.another(leads)
        took.append(at - killed)
        leads = step.agent
        await asyncio.to_thread(node.gone)
        node.start("agent")
        await until("it answers again", lambda again=node: again.ask("status") is not None, fleet.nodes)  # type: ignore[misc]
    await deciding.approve(session, next(iter(steps.asked.values())))
    async with asyncio.timeout(60):
        await steps.until("final", "done")
    check(steps.cycle, file.read_text("utf-8") == agreed)
    tell("failover_lease_s", lease)
    against("failover_s", median(took), lease + BEYOND)
    against("failover_worst_s", max(took), lease + BEYOND)
    tell("failover_beyond_the_lease_worst_s", max(0.0, max(took) - lease))
    tell("failover_runs", len(took))


def check(cycle: list[Cycle], as_agreed: bool) -> None:
    revisions, reached = [one.revision for one in cycle], [one.checkpoint for one in cycle[-1].reached]
    if revisions != list(range(1, len(cycle) + 1)) or reached != ROUTE or not as_agreed:
        sys.exit(f"a step was lost or made twice: {revisions}, {reached}; the file is as agreed: {as_agreed}")


if __name__ == "__main__":
    asyncio.run(main())
