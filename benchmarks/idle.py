"""What does an idle agent cost: memory, and processor time over a minute in which nothing happens?

    python benchmarks/idle.py [--seconds 60] [--machines 3]

Told for one agent (a machine that only runs `roosync agent`), and for everything that `roosync up` runs on the
machine with the broker. The memory is the resident set; on Linux also the part that no other process shares (USS).
Beside it an idle Python that imported asyncio, as the floor.
"""

import argparse
import asyncio
import subprocess
import sys

import psutil
from figures import against, tell
from fleet import Fleet

RSS_BAR, CPU_BAR = 60.0, 0.2  # MiB and percent of one processor, one agent (8-measures)
MIB = 1024 * 1024
CONFIG = "[apply]\ncheck_timeout = 20.0\n"  # a settings file costs memory: the schema that checks it is loaded
SETTLE = 15.0  # seconds after everybody is synced: the looks that follow an apply are over


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--machines", type=int, default=3)
    given = parser.parse_args()
    floor = subprocess.Popen(
        [sys.executable, "-c", "import asyncio; asyncio.run(asyncio.sleep(600))"], stdin=subprocess.DEVNULL
    )
    try:
        async with Fleet(given.machines, config=CONFIG) as fleet:
            await fleet.agree()
            await asyncio.sleep(SETTLE)
            agents = [node.process for node in fleet.nodes[1:] if node.process]
            up = fleet.first.process
            assert up is not None
            tree = [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
            alone = [psutil.Process(process.pid) for process in agents]
            before = {process.pid: used(process) for process in (*alone, *tree)}
            await asyncio.sleep(given.seconds)
            percent = {
                process.pid: 100 * (used(process) - before[process.pid]) / given.seconds for process in (*alone, *tree)
            }
            report(alone, tree, percent)
            tell("idle_python_asyncio_rss_mib", psutil.Process(floor.pid).memory_info().rss / MIB)
    finally:
        floor.kill()
        floor.wait()


def report(alone: list[psutil.Process], tree: list[psutil.Process], percent: dict[int, float]) -> None:
    agent = max(alone, key=lambda process: process.memory_info().rss)  # the worst of them, not the mean
    against("idle_agent_rss_mib", agent.memory_info().rss / MIB, RSS_BAR)
    tell("idle_agent_uss_mib", agent.memory_full_info().uss / MIB)
    against("idle_agent_cpu_percent", max(percent[process.pid] for process in alone), CPU_BAR)
    for process in tree:
        name = part(process)
        tell(f"idle_up_{name}_rss_mib", process.memory_info().rss / MIB)
        tell(f"idle_up_{name}_cpu_percent", percent[process.pid])
    tell("idle_up_all_rss_mib", sum(process.memory_info().rss for process in tree) / MIB)
    tell("idle_up_all_uss_mib", sum(process.memory_full_info().uss for process in tree) / MIB)
    tell("idle_up_all_cpu_percent", sum(percent[process.pid] for process in tree))


def part(process: psutil.Process) -> str:
    """up, broker, agent or nats-server, from the command line."""
    words = process.cmdline()
    return "nats_server" if "nats-server" in words[0] else words[words.index("roosync_agent") + 1]


def used(process: psutil.Process) -> float:
    """Seconds of processor time."""
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    asyncio.run(main())
