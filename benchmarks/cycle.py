"""How long does a whole coordination cycle take, INIT to FINAL, with one divergence that the policy lets apply?

    python benchmarks/cycle.py [--machines 2] [--runs 7]

Each run writes another value of a setting into the file of the last machine, waits until the divergence is on the bus,
and asks for a cycle; the time is told from that request until `done` is heard. The person's yes is given by a session
that approves as soon as the cycle waits at RESOLUTION. The record is read afterwards: every checkpoint reached once, in
order, and the file as agreed.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time

from figures import against, median, tell
from fleet import Fleet

from roosync_agent.operations.decisions import deciding
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.session import Session
from roosync_broker.errors import BusError
from roosync_broker.link import Stored
from roosync_protocol.messages import Cycle, Decision

BARS = {2: 2.0}  # seconds (8-measures)
ROUTE = ["init", "status", "diffs", "resolution", "final"]


class Person:
    """Says yes to what is asked as soon as a cycle waits for it, and tells when a cycle ended."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.ended: asyncio.Queue[tuple[Cycle, float]] = asyncio.Queue()
        self.asked: dict[str, Decision] = {}
        self.yes: list[asyncio.Task[None]] = []

    def take(self, stored: Stored) -> None:
        heard = self.session.take(stored)
        if heard is None:
            return
        if isinstance(heard.message, Decision):
            if heard.message.status == "pending":
                self.asked[heard.message.id] = heard.message
        elif isinstance(heard.message, Cycle):
            if heard.message.status == "done":
                self.ended.put_nowait((heard.message, time.perf_counter()))
            elif heard.message.checkpoint == "resolution":
                self.yes += [asyncio.create_task(self._approve(one)) for one in self.asked.values()]
                self.asked.clear()

    async def _approve(self, decision: Decision) -> None:
        with contextlib.suppress(RefusedRequestError, BusError):  # it moved on meanwhile; what it became is heard
            await deciding.approve(self.session, decision)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, nargs="+", default=[2])
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    for count in given.machines:
        async with Fleet(count) as fleet, fleet.operator() as session:
            await fleet.agree()
            await session.refresh()
            await measure(fleet, session, given.runs)


async def measure(fleet: Fleet, session: Session, runs: int) -> None:
    person, took, steps = Person(session), [], []
    names = ("cycle", "decision", "arrival", "status")
    await session.link.follow([session.subjects.fact(name) for name in names], person.take)
    file = fleet.nodes[-1].settings_file
    agreed = file.read_text("utf-8")
    for run in range(runs):
        changed = json.loads(agreed) | {"model": f"other-{run}"}
        file.write_text(json.dumps(changed, indent=2) + "\n", "utf-8")
        await asked(person)
        began = time.perf_counter()
        answer = await asyncio.to_thread(fleet.first.ask, "cycle_start", timeout=1.0)
        async with asyncio.timeout(60):
            cycle, at = await person.ended.get()
        took.append(at - began)
        steps.append((at - began) / len(cycle.reached))
        check(answer, cycle, file.read_text("utf-8"), agreed)
        await fleet.synced()
    name = f"cycle_{len(fleet.nodes)}_machines"
    if len(fleet.nodes) in BARS:
        against(f"{name}_init_to_final_s", median(took), BARS[len(fleet.nodes)])
    else:
        tell(f"{name}_init_to_final_s", median(took))
    tell(f"{name}_init_to_final_worst_s", max(took))
    tell(f"{name}_a_checkpoint_s", median(steps))


async def asked(person: Person) -> None:
    """The divergence is on the bus: what follows is the cycle's own time."""
    async with asyncio.timeout(30):
        while not person.asked:
            await asyncio.sleep(0.002)


def check(answer: dict[str, object], cycle: Cycle, now: str, agreed: str) -> None:
    reached = [one.checkpoint for one in cycle.reached]
    if answer["id"] != cycle.id or reached != ROUTE or now != agreed:
        sys.exit(f"the cycle {cycle.id} did not do what it says: {reached}; the file is as agreed: {now == agreed}")


if __name__ == "__main__":
    asyncio.run(main())
