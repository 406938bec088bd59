"""Fleets under seeds: the agent's own code on the bus in memory, with everything that can go wrong (`simulation`).

    python benchmarks/simulate.py --seeds 10000 [--from N] [--processes 2]
    python benchmarks/simulate.py --seed 4711 --trace          # one seed again, step by step: it replays exactly
    python benchmarks/simulate.py --bug no_fencing --seeds 500 # a planted bug: says which seed finds it

Prints `name: value`: seeds run, virtual hours, steps, faults by kind, what was checked, and the violations.
"""

import argparse
import contextlib
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable

from figures import tell
from simulation.bugs import BUGS, planted
from simulation.world import World

GROUP = 20  # seeds that one process takes at a time


def one(seed: int, bug: str = "", *, tracing: bool = False, longest: float = 180.0) -> World:
    """One seed, run to its end, with at most so many seconds of trouble."""
    with planted(bug) if bug else contextlib.nullcontext():
        world = World(seed, tracing=tracing, longest=longest)
        world.run()
    return world


def some(task: tuple[list[int], str]) -> tuple[Counter[str], list[tuple[int, str]]]:
    """A group of seeds in one process."""
    seeds, bug = task
    found: Counter[str] = Counter()
    failed = []
    gc.disable()
    for seed in seeds:
        world = one(seed, bug)
        found.update({f"fault {name}": times for name, times in (world.net.faults + world.count).items()})
        found.update({f"checked {name}": times for name, times in world.oracle.checked.items()})
        found.update({"steps": world.loop.steps, "seeds": 1, "virtual seconds": int(world.loop.time() - 1000)})
        if world.oracle.violations:
            failed.append((seed, world.oracle.violations[0][1]))
        del world
    gc.enable()
    gc.collect()
    return found, failed


def many(seeds: Iterable[int], bug: str, processes: int, until: float) -> tuple[Counter[str], list[tuple[int, str]]]:
    """All of them, in groups; it ends early with what was done when `until` (monotonic seconds) has come."""
    numbers = list(seeds)
    tasks = [(numbers[at : at + GROUP], bug) for at in range(0, len(numbers), GROUP)]
    found: Counter[str] = Counter()
    failed: list[tuple[int, str]] = []
    with multiprocessing.Pool(processes) as pool:
        for counted, faults in pool.imap_unordered(some, tasks):
            found += counted
            failed += faults
            for seed, text in faults:
                again = f"python benchmarks/simulate.py --seed {seed} --trace" + (f" --bug {bug}" if bug else "")
                print(f"seed {seed}: {text}\n    again: {again}", flush=True)
            if (bug and failed) or time.monotonic() > until:
                pool.terminate()
                break
    return found, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print what happens")
    parser.add_argument("--bug", choices=sorted(BUGS), default="", help="plant this bug, and stop when it is found")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after this time")
    parser.add_argument("--longest", type=float, default=180.0, help="with --seed: seconds of trouble at most")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        world = one(chosen.seed, chosen.bug, tracing=chosen.trace, longest=chosen.longest)
        tell("fingerprint", world.fingerprint)
        for _, text in world.oracle.violations:
            print(text)
        return bool(world.oracle.violations)
    began = time.monotonic()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    found, failed = many(seeds, chosen.bug, chosen.processes, began + chosen.seconds)
    tell("first_seed", chosen.first)
    tell("seeds_run", found.pop("seeds", 0))
    tell("steps", found.pop("steps", 0))
    tell("virtual_hours", found.pop("virtual seconds", 0) / 3600)
    for name, times in sorted(found.items()):
        tell(name.replace(" ", "_"), times)
    tell("seeds_with_a_violation", len(failed))
    tell("seconds", time.monotonic() - began)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
