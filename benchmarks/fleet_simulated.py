"""What does a whole coordination cycle cost with a hundred, a thousand agents, each connected by itself?

    python benchmarks/fleet_simulated.py --agents 100 1000 [--divergent 10]

One real `roosync up` leads; the others are the product's own agents in two processes, each with a key, a connection and
permissions of its own, and a disk in memory (`simulated/`). A new baseline is published that some machines do not hold
yet, of a risk for which a person has to be asked; then a cycle is asked for. When it is at RESOLUTION, the operator
signs a policy that lets each of them apply by itself. The time is told from the request until `done` is heard; the
record, and what every machine holds, are looked at afterwards.
"""

import argparse
import asyncio
import sys
import time

from figures import against, tell
from simulated.hosts import Many

from roosync_agent.collecting.reference import Library
from roosync_agent.operations.baseline import promoting
from roosync_agent.operations.membership import lawmaking
from roosync_agent.session import Session
from roosync_broker.link import Stored
from roosync_protocol.baseline import Commons
from roosync_protocol.entity import Entity
from roosync_protocol.messages import Cycle, Policy
from roosync_protocol.messages.law import DEFAULT_ANSWERS, Answer
from roosync_protocol.risk_names import RiskName

BARS = {1000: 30.0, 10_000: 300.0}  # seconds (8-measures)
FLAT = 1.2  # how much dearer one agent may be than in a fleet of a tenth of the size (8-measures: 12 for 10)
ROUTE = ["init", "status", "diffs", "resolution", "final"]
SETTING, OLD, NEW = "cleanupPeriodDays", 30, 31


class Person:
    """Signs the policy when the cycle is at RESOLUTION, and tells when it ended."""

    def __init__(self, many: Many) -> None:
        self.many = many
        self.done: asyncio.Future[Cycle] = asyncio.get_running_loop().create_future()
        self.at: list[tuple[str, float]] = []
        self._allowed: asyncio.Task[object] | None = None

    def take(self, stored: Stored) -> None:
        heard = self.many.session.open(stored)
        if heard is None or not isinstance(heard.message, Cycle):
            return
        cycle = heard.message
        self.at.append((f"{cycle.status} {cycle.checkpoint}", time.perf_counter()))
        if cycle.checkpoint == "resolution" and self._allowed is None:
            self._allowed = asyncio.create_task(allow(self.many.session))
        if cycle.status == "done" and not self.done.done():
            self.done.set_result(cycle)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="+", default=[100])
    parser.add_argument("--divergent", type=int, default=10, help="machines that do not hold the new baseline yet")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    each: dict[int, float] = {}
    for count in given.agents:
        began = time.perf_counter()
        async with Many(count, given.processes) as many:
            tell(f"agents_{count}_connected_and_in_step_s", time.perf_counter() - began)
            each[count] = await measure(many, count, min(given.divergent, count))
    for small, large in zip(given.agents, given.agents[1:], strict=False):
        if small < large:
            against(f"cost_ratio_{large}_to_{small}", each[large] / each[small], FLAT * large / small)


async def allow(session: Session) -> None:
    """From now on what is of medium risk needs nobody's word."""
    answers: dict[RiskName, Answer] = {**DEFAULT_ANSWERS, "medium": "automatic"}
    await lawmaking.enact(
        session, lambda: Policy(agent=session.name, timestamp=session.now(), revision=1, answers=answers)
    )


async def measure(many: Many, count: int, divergent: int) -> float:
    """Prints the figures of one cycle; returns its processor seconds over all processes."""
    await prepare(many, divergent)
    person = Person(many)
    await many.session.link.follow([many.session.subjects.fact("cycle")], person.take)
    before = await many.cost()
    began = time.perf_counter()
    answer = await asyncio.to_thread(many.fleet.first.ask, "cycle_start", timeout=10.0)
    async with asyncio.timeout(900):
        cycle = await person.done
    took = time.perf_counter() - began
    after = await many.cost()
    check(answer, cycle, await many.holding(SETTING), count)
    spent = {name: after[name] - before[name] for name in after}
    report(count, took, spent, after)
    last = began
    for place, at in person.at:
        tell(f"agents_{count}_until_{place.replace(' ', '_')}_s", at - last)
        last = at
    return spent["agents_cpu"] + spent["orchestrator_cpu"] + spent["server_cpu"]


async def prepare(many: Many, divergent: int) -> None:
    """A baseline with one other value, and machines that hold it already, but for some."""
    session = many.session
    await many.change(many.names[divergent:], SETTING, NEW)
    await session.refresh_law()
    law = session.fleet.law.baseline
    assert law is not None
    commons, overlays = await Library(session).whole(law)
    key = f"claude.settings/{SETTING}"
    fresh = Entity(key=key, kind=commons.entities[key].kind, value=NEW)
    wanted = Commons(entities={**commons.entities, key: fresh})
    await promoting.revise(session, Library(session), wanted, overlays, None, "", follows=law.revision)
    wanted_states = {"synced 2": len(many.names) - divergent, "diverged 2": divergent}
    await many.said({state: number for state, number in wanted_states.items() if number})


def check(answer: dict[str, object], cycle: Cycle, holding: dict[str, int], count: int) -> None:
    reached = [one.checkpoint for one in cycle.reached]
    if answer["id"] != cycle.id or reached != ROUTE or holding != {str(NEW): count} or len(cycle.participants) <= count:
        sys.exit(f"the cycle {cycle.id} did not do what it says: {reached}, machines hold {holding}")


def report(count: int, took: float, spent: dict[str, float], after: dict[str, float]) -> None:
    name = f"agents_{count}"
    if count in BARS:
        against(f"{name}_init_to_final_s", took, BARS[count])
    else:
        tell(f"{name}_init_to_final_s", took)
    cpu = spent["agents_cpu"] + spent["orchestrator_cpu"] + spent["server_cpu"]
    tell(f"{name}_agents_cpu_s", spent["agents_cpu"])
    tell(f"{name}_orchestrator_cpu_s", spent["orchestrator_cpu"])
    tell(f"{name}_server_cpu_s", spent["server_cpu"])
    tell(f"{name}_server_rss_mib", after["server_rss"])
    tell(f"{name}_orchestrator_rss_mib", after["orchestrator_rss"])
    tell(f"{name}_agents_rss_mib", after["agents_rss"])
    tell(f"{name}_machines_following_all", int(after["whole"]))
    tell(f"{name}_messages", int(spent["messages"]))
    tell(f"{name}_megabytes", spent["bytes"] / 1e6)
    tell(f"{name}_each_cpu_ms", 1000 * cpu / count)
    tell(f"{name}_each_messages", spent["messages"] / count)
    tell(f"{name}_each_kilobytes", spent["bytes"] / 1000 / count)


if __name__ == "__main__":
    asyncio.run(main())
