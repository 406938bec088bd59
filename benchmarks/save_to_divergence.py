"""How long from a saved file to the divergence on the bus?

    python benchmarks/save_to_divergence.py [--saves 25]

A file of one machine is saved as an editor does it (a new file renamed over the old one), now with another value and
now with the agreed one. The first decision or divergence report of that machine that another connection hears after
the save ends the measurement; saves that bring the agreed value back are measured apart, to the report of no
divergence. Beside it what the file watcher waits by intention, to let a burst of saves end.
"""

import argparse
import asyncio
import json
import random
import time
from pathlib import Path

from figures import against, median, share, tell
from fleet import Fleet

from roosync_agent.collecting.watch import DEBOUNCE
from roosync_agent.session import Session
from roosync_broker.link import Stored
from roosync_protocol.messages import Decision, DivergenceReport

BAR = 1.0  # seconds (8-measures)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saves", type=int, default=25)
    given = parser.parse_args()
    async with Fleet(2) as fleet, fleet.operator() as session:
        await fleet.agree()
        await session.refresh()
        away, back = await measure(fleet, session, given.saves)
    against("save_to_divergence_median_s", median(away), BAR)
    against("save_to_divergence_p95_s", share(away, 0.95), BAR)
    tell("save_to_divergence_worst_s", max(away))
    tell("save_to_in_step_again_median_s", median(back))
    tell("save_to_in_step_again_p95_s", share(back, 0.95))
    tell("saves", len(away))
    tell("watcher_waits_at_most_s", DEBOUNCE / 1000)


async def measure(fleet: Fleet, session: Session, saves: int) -> tuple[list[float], list[float]]:
    """Seconds to the first fact about the drift, and to the report that it is gone."""
    node = fleet.nodes[1]
    facts: asyncio.Queue[tuple[float, Decision | DivergenceReport]] = asyncio.Queue()

    def take(stored: Stored) -> None:
        now = time.perf_counter()
        heard = session.take(stored)
        message = heard.message if heard is not None and heard.speaker == node.name else None
        if isinstance(message, Decision | DivergenceReport):
            facts.put_nowait((now, message))

    kinds = ("decision", "divergence")
    await session.link.follow([session.subjects.fact(kind) for kind in kinds], take)
    agreed = json.loads(node.settings_file.read_text("utf-8"))
    away, back = [], []
    for number in range(saves):
        began = save(node.settings_file, {**agreed, "cleanupPeriodDays": 100 + number})
        away.append(await first(facts, began, gone=False))
        await first(facts, began, gone=False, report=True)
        began = save(node.settings_file, agreed)
        back.append(await first(facts, began, gone=True, report=True))
        await asyncio.sleep(random.uniform(0.3, 0.5))  # the watcher is quiet again, and at any point of its sleep
    return away, back


def save(path: Path, value: object) -> float:
    """Replaces the file; when that began, in seconds of this process's clock."""
    beside = path.with_name(path.name + ".editor")
    beside.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    began = time.perf_counter()
    beside.replace(path)
    return began


async def first(
    facts: "asyncio.Queue[tuple[float, Decision | DivergenceReport]]", began: float, *, gone: bool, report: bool = False
) -> float:
    """Seconds from `began` to the first fact that says so; with `report`, only the report of divergences counts."""
    async with asyncio.timeout(30):
        while True:
            now, message = await facts.get()
            if isinstance(message, DivergenceReport):
                if (message.total == 0) == gone:
                    return now - began
            elif not report and not gone and message.status == "pending":
                return now - began


if __name__ == "__main__":
    asyncio.run(main())
