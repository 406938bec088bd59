"""UPDATE_REQUIRED: how long from the operator's command until every agent runs the next version and says so?

    python benchmarks/update.py [--machines 5 20] [--runs 3]

A git repository of this program is made, with a tag for each version to come, and a fleet of real processes, each under
its supervisor (`roosync up`). `roosync update require` is typed: every machine fetches the tag, lays the release out
beside the old one, ends, is started as the new version on trial, and confirms. Told is the whole command, which ends
when each machine is accounted for by name: all at once, and with a canary and waves of 25 %. Beside it what a restart
alone costs here: the time in which one agent that was ended answers again. What each says that it runs is looked at.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from decision import timed
from figures import median, tell
from fleet import Fleet, Node, until
from rollout_peers import WAYS

from roosync_protocol import __version__

ROOT = Path(__file__).parents[1]
ROOMS = ("protocol", "broker", "agent")
VERSION = Path("protocol/roosync_protocol/__init__.py")
SETTINGS = """
[update]
recipe = "git"
source = "{source}"
build = [["{{python}}", "-m", "compileall", "-q", "{{release}}/protocol"]]
start = ["{python}", "-P", "-m", "roosync_agent"]
environment = {{ PYTHONPATH = "{{release}}/protocol:{{release}}/broker:{{release}}/agent" }}
health_timeout = 60
disk_reserve_mb = 1
"""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, nargs="+", default=[5])
    parser.add_argument("--runs", type=int, default=3, help="of each way")
    given = parser.parse_args()
    major, minor, *_ = __version__.split(".")
    versions = [f"{major}.{int(minor) + by}.0" for by in range(1, len(WAYS) * given.runs + 1)]
    with tempfile.TemporaryDirectory(prefix="roosync-bench-source-") as place:
        source = repository(Path(place), versions)
        config = SETTINGS.format(source=source, python=sys.executable)
        for count in given.machines:
            async with Fleet(count, config=config, others="up") as fleet:
                await fleet.agree()
                await measure(fleet, versions, given.runs)


async def measure(fleet: Fleet, versions: list[str], runs: int) -> None:
    name, left = f"update_{len(fleet.nodes)}_machines", iter(versions)
    await until("the agents said their version", lambda: set(running(fleet)) == {__version__}, fleet.nodes)
    for way, care in WAYS.items():
        seconds = []
        for _ in range(runs):
            version = next(left)
            words = ("update", "require", version, "--revision", f"v{version}", "--yes", *care)
            seconds.append(await timed(fleet.first, *words))
            if (found := running(fleet)) != [version] * len(fleet.nodes):
                sys.exit(f"the command ended well, and {version} does not run everywhere: {found}")
            await fleet.synced()
        tell(f"{name}_{way}_s", median(seconds))
        tell(f"{name}_{way}_worst_s", max(seconds))
    tell(f"{name}_restart_of_one_s", median([await restarted(fleet.nodes[-1]) for _ in range(runs)]))


def running(fleet: Fleet) -> list[str]:
    seen = fleet.first.ask("status")
    return [row["roosync_version"] for row in seen["overview"]["machines"]] if seen else []


async def restarted(node: Node) -> float:
    """Ended as a person does it, and started again until it answers."""
    node.stop()
    await asyncio.to_thread(node.gone)
    began = time.perf_counter()
    node.start("up")
    while node.ask("status") is None:
        await asyncio.sleep(0.02)
    return time.perf_counter() - began


def repository(folder: Path, versions: list[str]) -> Path:
    """This program in so many versions, each with its tag."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / VERSION).read_text("utf-8")
    _git(folder, "init", "-q", "-b", "main")
    for version in versions:
        (folder / VERSION).write_text(text.replace(f'"{__version__}"', f'"{version}"'), "utf-8")
        _git(folder, "add", "-A")
        _git(folder, "commit", "-qm", version)
        _git(folder, "tag", f"v{version}")
    return folder


def _git(folder: Path, *words: str) -> None:
    author = {f"GIT_{who}_{what}": "bench@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *words], cwd=folder, check=True, env=os.environ | author)


if __name__ == "__main__":
    asyncio.run(main())
