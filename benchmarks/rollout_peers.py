"""One approved change of a 5 KB JSON file on many machines, beside Salt and Ansible in the same run.

    python benchmarks/rollout_peers.py [--machines 5 20] [--runs 5] [--peers FOLDER] [--peer-runs 3]

Ours is the whole command `roosync rollout start`, from its process's start until it has accounted for every machine by
name: all at once, as the peers do it, and once more with a canary and waves (25 %). Each machine proves the operator's
signature, makes a snapshot, writes, and reads back; every file is looked at afterwards.

FOLDER (or ROOSYNC_ANCHORS) has `salt.sh` and `ansible.sh`, which set these up by themselves in places of their own
and print `NAME.apply_changed_median_s`, and `copy_changed_median_s`; without them ours is told alone. Everything is on
this computer on both sides. One peer runs after the other, never beside ours.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path

from decision import timed
from figures import against, median, tell
from fleet import Fleet, changed, server, until

from roosync_agent.session import Session

BARS = {5: 0.5, 20: 1.5}  # seconds, from approved to applied (8-measures)
FASTER = 8  # times than each of them (8-measures)
PEERS = {  # script: the figure of its whole command that changes the file on all machines, with a backup
    "salt.sh": "salt.apply_changed_median_s",
    "ansible.sh": "ansible.copy_changed_median_s",
}
WAYS = {"at_once": ("--canary", "0", "--waves", "100%"), "in_waves": ("--canary", "1", "--waves", "25%")}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, nargs="+", default=[5])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", type=Path, default=os.environ.get("ROOSYNC_ANCHORS"))
    parser.add_argument("--peer-runs", type=int, default=3)
    given = parser.parse_args()
    for count in given.machines:
        async with Fleet(count) as fleet, fleet.operator() as session:
            await fleet.agree()
            await session.refresh()
            ours = {way: await measure(fleet, session, way, given.runs, at) for at, way in enumerate(WAYS)}
        name = f"rollout_{count}_machines"
        for way, seconds in ours.items():
            if way == "at_once" and count in BARS:
                against(f"{name}_{way}_s", median(seconds), BARS[count])
            else:
                tell(f"{name}_{way}_s", median(seconds))
            tell(f"{name}_{way}_worst_s", max(seconds))
        for script, figure in PEERS.items():
            theirs = peer(given.peers, script, figure, count, given.peer_runs)
            if theirs is None:
                continue
            tell(f"{name}_{figure.split('.')[0]}_s", theirs)
            times = theirs / median(ours["at_once"])
            against(f"{name}_of_{figure.split('.')[0]}", 1 / times, 1 / FASTER)
            tell(f"{name}_times_faster_than_{figure.split('.')[0]}", times)


async def measure(fleet: Fleet, session: Session, way: str, runs: int, block: int) -> list[float]:
    taken = []
    for run in range(block * runs, (block + 1) * runs):
        await fleet.change(session, run)
        count = len(fleet.nodes)

        def asked(count: int = count) -> bool:
            listed = fleet.first.ask("decisions") or {"decisions": []}
            pending: int = sum(one["status"] == "pending" for one in listed["decisions"])
            return pending == count

        await until("every machine asks", asked, fleet.nodes)
        await asyncio.sleep(1.0)  # the machines have finished their turn
        words = ("rollout", "start", "--all", "--risk", "critical", "--yes", *WAYS[way])
        taken.append(await timed(fleet.first, *words))
        for node in fleet.nodes:
            text = node.servers_file.read_text("utf-8")
            if str(changed(run)[-1]) not in text:
                sys.exit(f"{node.name} says applied and is not: {server(run)}")
        await fleet.synced()
    return taken


def peer(folder: Path | None, script: str, figure: str, count: int, runs: int) -> float | None:
    """The peer's figure; None, told, when it is not there or did not say it."""
    path = Path(folder or ".").resolve() / script
    if folder is None or not path.is_file():
        tell(script.removesuffix(".sh"), "not measured: --peers names no folder with its script")
        return None
    done = subprocess.run(["bash", str(path), str(count), str(runs)], capture_output=True, text=True, check=False)
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    try:
        return float(found[figure].split()[0])
    except (KeyError, ValueError):
        why = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        tell(script.removesuffix(".sh"), f"not measured: {why[:200]}")
        return None


if __name__ == "__main__":
    asyncio.run(main())
