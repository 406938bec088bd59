"""How fast are diff, merge and consolidation? Prints `name: value` lines, medians, each with its share of the limit.

    python benchmarks/merge.py [--runs 15]

5,000 leaves are 200 modes of 25 fields with 34 true changes; reordered means that the modes stand in a
keyed list in another order. When deepdiff or jsonpatch are installed, they do the same work in the same
run. Consolidation: 1,000 packages of 80 entities, most of them equal, some special, some in dispute.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from roosync_protocol.consolidation import Collected, consolidate
from roosync_protocol.diff import changes, compare
from roosync_protocol.entity import Entities, Entity, Kind
from roosync_protocol.merge import merge

LIMITS = {"diff": 0.001, "merge": 0.001, "consolidation": 2.0}  # seconds, design page 8-measures


def mode(number: int, chance: random.Random) -> dict[str, Any]:
    """25 leaves: text, numbers, a set of groups."""
    fields: dict[str, Any] = {"slug": f"mode-{number}", "name": f"Mode {number}", "groups": ["read", "edit", "command"]}
    return fields | {f"field{i}": chance.choice(["text", 7, True, f"value {chance.random()}"]) for i in range(20)}


def modes(chance: random.Random) -> list[dict[str, Any]]:
    return [mode(number, chance) for number in range(200)]


def changed(values: list[dict[str, Any]], name: str, first: int) -> list[dict[str, Any]]:
    return [value | {name: "changed"} if n % 6 == first else dict(value) for n, value in enumerate(values)]


def entities(values: list[dict[str, Any]]) -> Entities:
    found = [Entity(key=f"roo.modes/{value['slug']}", kind=Kind.MODE, value=value) for value in values]
    return {entity.key: entity for entity in found}


def packages(chance: random.Random, machines: int, per_machine: int) -> list[Collected]:
    servers: dict[str, dict[str, Any]] = {
        f"roo.mcp/server-{i}": {"command": "npx", "args": ["-y", f"server-{i}@1.{i}"], "alwaysAllow": ["a", "b"]}
        for i in range(per_machine)
    }
    result = []
    for number in range(machines):
        own: Entities = {}
        for i, (key, value) in enumerate(servers.items()):
            if i < 5:
                value = value | {"args": [f"/home/user{number}/server"]}  # special to each
            elif i < 10 and chance.random() < 0.3:
                value = value | {"args": [f"version-{chance.randrange(5)}"]}  # in dispute
            elif i < 15 and chance.random() < 0.1:
                continue  # missing on a minority
            own[key] = Entity(key=key, kind=Kind.MCP_SERVER, value=dict(value))
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        name = f"machine-{number:04}"
        result.append(Collected(machine=name, collected_at=moment, targets=frozenset({"roo.mcp"}), entities=own))
    return result


def median(work: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(name: str, seconds: float, limit: float) -> None:
    print(f"{name}_ms: {seconds * 1000:.3f}")
    print(f"{name}_share_of_limit: {seconds / limit:.2f}")


def beside(before: Any, after: Any, ours: float, runs: int, name: str) -> None:
    libraries: dict[str, Callable[[Any], object]] = {
        "deepdiff": lambda module: module.DeepDiff(before, after),
        "jsonpatch": lambda module: module.make_patch(before, after),
    }
    for library, work in libraries.items():
        try:
            module = import_module(library)
        except ImportError:
            print(f"{name}_{library}: not installed")
            continue
        seconds = median(lambda work=work, module=module: work(module), runs)  # type: ignore[misc]
        print(f"{name}_{library}_ms: {seconds * 1000:.3f}")
        print(f"{name}_{library}_times_slower: {seconds / ours:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    chance = random.Random(1)

    base = modes(chance)
    local, remote = changed(base, "field1", 0), changed(base, "field2", 1)
    before: Any = {value["slug"]: value for value in base}
    after: Any = {value["slug"]: value for value in local}
    seconds = median(lambda: changes(before, after), runs)
    report("diff_5000_leaves", seconds, LIMITS["diff"])
    beside(before, after, seconds, 5, "diff_5000_leaves")

    three = entities(base), entities(local), entities(remote)
    report("compare_5000_leaves_three_ways", median(lambda: compare(*three, first_join=False), runs), LIMITS["diff"])

    shuffled: Any = chance.sample(local, len(local))
    listed: Any = base
    found = changes(listed, shuffled, Kind.SETTING, "roo.profiles/customModes")
    seconds = median(lambda: changes(listed, shuffled, Kind.SETTING, "roo.profiles/customModes"), runs)
    report("diff_200_reordered_modes", seconds, LIMITS["diff"])
    print(f"diff_200_reordered_modes_changes: {len(found)}")
    beside(listed, shuffled, seconds, 5, "diff_200_reordered_modes")

    theirs: Any = {value["slug"]: value for value in remote}
    report("merge_5000_leaves", median(lambda: merge(Kind.MODE, before, after, theirs), runs), LIMITS["merge"])

    fleet = packages(chance, 1000, 80)
    result = consolidate(fleet, {})
    seconds = median(lambda: consolidate(fleet, {}), max(5, runs // 3))
    report("consolidation_1000_packages_80_entities", seconds, LIMITS["consolidation"])
    print(f"consolidation_commons: {len(result.commons)}")
    print(f"consolidation_questions: {len(result.arbitrations)}")


if __name__ == "__main__":
    main()
