"""How long from an approved decision to applied, with snapshot and read-back, on every machine of a fleet?

    python benchmarks/decision.py [--machines 5] [--runs 7]

Each run changes the baseline in one place (an MCP server of a 5 KB file, so that a person is asked on every
machine), waits until every machine asks, and then types one command that approves for all: `roosync approve`.
Two times are told, both until the last machine's `applied` is heard on the bus: from the start of that command,
and from the moment the first and the last approval is heard. Afterwards every file is read, and every snapshot
looked for. Beside it a command that signs one thing on the bus (`pause MACHINE`), as the floor of any signed command.
"""

import argparse
import asyncio
import json
import sys
import time

from figures import against, median, tell
from fleet import Fleet, Node, changed, server
from status import command

from roosync_agent.session import Session
from roosync_broker.link import Stored
from roosync_protocol.messages import Decision

BARS = {5: 0.5, 20: 1.5}  # seconds (8-measures)


class Heard:
    """When each machine's decisions reached which status, in seconds of this process's clock."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.times: dict[str, dict[str, float]] = {}
        self.decisions: dict[str, Decision] = {}
        self._changed = asyncio.Event()

    def take(self, stored: Stored) -> None:
        now = time.perf_counter()
        heard = self.session.take(stored)
        if heard is not None and isinstance(heard.message, Decision):
            self.times.setdefault(heard.message.status, {})[heard.message.machine] = now
            self.decisions[heard.message.machine] = heard.message
            self._changed.set()

    async def all_are(self, status: str, count: int) -> float:
        """When the last machine reached it."""
        async with asyncio.timeout(60):
            while len(self.times.get(status, {})) < count:
                self._changed.clear()
                await self._changed.wait()
        return max(self.times[status].values())


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, nargs="+", default=[5])
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    for count in given.machines:
        async with Fleet(count) as fleet, fleet.operator() as session:
            await fleet.agree()
            await session.refresh()
            await measure(fleet, session, given.runs)


async def measure(fleet: Fleet, session: Session, runs: int) -> None:
    count = len(fleet.nodes)
    whole, first, last, floor = [], [], [], []
    heard = Heard(session)
    await session.link.follow([session.subjects.fact("decision"), session.subjects.fact("baseline")], heard.take)
    for run in range(runs):
        floor.append(await timed(fleet.first, "pause", "m00"))
        await timed(fleet.first, "resume", "m00")
        await fleet.change(session, run)
        await heard.all_are("pending", count)
        await asyncio.sleep(1.0)  # the machines have finished their turn
        heard.times.clear()
        began = time.perf_counter()
        took = asyncio.create_task(timed(fleet.first, "approve", "--all", "--risk", "critical", "--yes"))
        applied = await heard.all_are("applied", count)
        approved = heard.times["approved"].values()
        whole.append(applied - began)
        first.append(applied - min(approved))
        last.append(applied - max(approved))
        await took
        check(fleet, heard, run)
        await fleet.synced()
        heard.times.clear()
    name = f"decision_{count}_machines"
    if count in BARS:
        against(f"{name}_command_to_applied_s", median(whole), BARS[count])
    else:
        tell(f"{name}_command_to_applied_s", median(whole))
    tell(f"{name}_command_to_applied_worst_s", max(whole))
    tell(f"{name}_first_approval_to_applied_s", median(first))
    tell(f"{name}_last_approval_to_applied_s", median(last))
    tell(f"{name}_command_to_first_approval_s", median(whole) - median(first))
    tell(f"{name}_one_signed_command_s", median(floor))


async def timed(node: Node, *words: str) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command(), *words, env=node.environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        raise RuntimeError(f"`roosync {' '.join(words)}` failed")
    return time.perf_counter() - began


def check(fleet: Fleet, heard: Heard, run: int) -> None:
    """The new value stands in every file, and there is a snapshot of what was there before."""
    for node in fleet.nodes:
        value = json.loads(node.servers_file.read_text("utf-8"))["mcpServers"][server(run)]
        snapshot = heard.decisions[node.name].snapshot
        if value["args"] != changed(run) or not snapshot:
            sys.exit(f"{node.name} says applied and is not: {value}, snapshot {snapshot!r}")


if __name__ == "__main__":
    asyncio.run(main())
