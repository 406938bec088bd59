"""How long does `roosync status` take, the whole command, while the agent is resident? And `roosync ping`, `--help`?

    python benchmarks/status.py [--machines 5 20] [--runs 11]

For each size a fleet of real agents is started. Each run executes the command and, beside it in turn, what no
command in Python can be faster than: `python -c pass`, and click's import for what uses click.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from pathlib import Path

from figures import against, median, tell
from fleet import Fleet

BAR = 0.10  # seconds, for 5 and for 20 machines (8-measures)
HELP_BAR = 0.10
PING_BARS = {5: 0.12, 20: 0.15}  # seconds; each machine answers live, and signs
PYTHON = [sys.executable, "-c"]


def command() -> list[str]:
    """The installed script beside this interpreter, as a person runs it; else the module."""
    script = Path(sys.executable).parent / ("roosync.exe" if sys.platform == "win32" else "roosync")
    return [str(script)] if script.exists() else [sys.executable, "-m", "roosync_agent"]


def seconds(words: list[str], environment: dict[str, str], codes: tuple[int, ...]) -> float:
    began = time.perf_counter()
    done = subprocess.run(words, env=environment, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    took = time.perf_counter() - began
    if done.returncode not in codes:
        raise RuntimeError(f"{words} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")
    return took


def measure(environment: dict[str, str], runs: int) -> dict[str, float]:
    """Medians; the commands take turns, so that whatever else the computer does meets all of them."""
    ours = command()
    what = {
        "status": [*ours, "status"],
        "status_json": [*ours, "status", "--json"],
        "ping": [*ours, "ping"],
        "help": [*ours, "--help"],
        "floor_python": [*PYTHON, "pass"],
        "floor_python_click": [*PYTHON, "import click"],
    }
    taken: dict[str, list[float]] = {name: [] for name in what}
    for turn in range(runs + 1):
        for name, words in what.items():
            took = seconds(words, environment, (0,))
            if turn:  # the first one fills caches
                taken[name].append(took)
    return {name: median(values) for name, values in taken.items()}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--runs", type=int, default=11)
    given = parser.parse_args()
    for count in given.machines:
        async with Fleet(count) as fleet:
            await fleet.agree()
            found = await asyncio.to_thread(measure, fleet.first.environment, given.runs)
        against(f"status_{count}_machines_s", found["status"], BAR)
        tell(f"status_{count}_machines_over_python", found["status"] / found["floor_python"])
        tell(f"status_{count}_machines_json_s", found["status_json"])
        against(f"ping_{count}_machines_s", found["ping"], PING_BARS.get(count, max(PING_BARS.values())))
        against(f"help_beside_{count}_machines_s", found["help"], HELP_BAR)
        tell(f"help_beside_{count}_machines_over_click", found["help"] / found["floor_python_click"])
        tell(f"floor_python_beside_{count}_machines_s", found["floor_python"])
        tell(f"floor_python_click_beside_{count}_machines_s", found["floor_python_click"])


if __name__ == "__main__":
    asyncio.run(main())
