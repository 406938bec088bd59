"""How fast are diff, merge and consolidation? Medians of processor time in ms, each with its bar and the ratio to it.

    python benchmarks/merge.py [--runs 15]

5,000 leaves are 200 modes of 25 fields with 34 true changes; reordered means that the modes stand in a keyed list in
another order. Consolidation: 1,000 packages of 80 entities, most of them equal, some special, some in dispute. Beside
each, in the same run, the libraries that are installed (`pip install -e '.[bench]'`) do the nearest that they can:
`_times_slower` is theirs by ours, `_changes` what they call changed. None of them knows a quorum, a special value or a
question, so beside consolidation they only merge everything into one; `_lost` counts what they overwrote for that.
"""

import argparse
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce
from importlib import import_module
from typing import Any

from figures import against, median, tell

from roosync_protocol.consolidation import Collected, consolidate
from roosync_protocol.diff import changes, compare
from roosync_protocol.entity import Entities, Entity, Kind
from roosync_protocol.merge import merge

LIMITS = {"diff": 1.0, "merge": 1.0, "consolidation": 2_000.0}  # ms, design page 8-measures
SLOW = 0.5  # seconds after which one run of a library is enough
Work = Callable[[Any], Any]  # of a library's module

DIFFS: dict[str, Callable[[Any, Any], Work]] = {  # library -> its work on two values; what is returned has a length
    "deepdiff": lambda a, b: lambda m: [one for kind in m.DeepDiff(a, b).values() for one in kind],
    "jsonpatch": lambda a, b: lambda m: list(m.make_patch(a, b)),
    "dictdiffer": lambda a, b: lambda m: list(m.diff(a, b)),
}
ORDERLESS: dict[str, Callable[[Any, Any], Work]] = {
    "deepdiff_ignore_order": lambda a, b: (
        lambda m: [one for kind in m.DeepDiff(a, b, ignore_order=True).values() for one in kind]
    ),
}
MERGES: dict[str, Callable[[Any, Any, Any], Work]] = {  # of three values, or of two where the library knows no base
    "dictdiffer": lambda base, a, b: lambda m: import_module("dictdiffer.merge").Merger(base, a, b, {}).run(),
    "mergedeep_two_way": lambda base, a, b: lambda m: m.merge({}, a, b),
    "jsonmerge_two_way": lambda base, a, b: lambda m: m.merge(a, b),
}
FOLDS: dict[str, Callable[[list[Any]], Work]] = {
    "mergedeep": lambda values: lambda m: m.merge({}, *values),
    "jsonmerge": lambda values: lambda m: reduce(m.merge, values),
}


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


def timed(work: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """(median of processor time in ms, what it gave)."""
    times: list[float] = []
    while len(times) < runs and (not times or times[-1] < SLOW):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return median(times) * 1000, result


def beside(name: str, ours: float, works: dict[str, Work], runs: int, more: Callable[[str, Any], None]) -> None:
    for library, work in works.items():
        try:
            module = import_module(library.split("_", 1)[0])
        except ImportError:
            tell(f"{name}_{library}", "not installed")
            continue
        spent, result = timed(lambda work=work, module=module: work(module), min(runs, 5))  # type: ignore[misc]
        tell(f"{name}_{library}_ms", spent)
        tell(f"{name}_{library}_times_slower", spent / ours)
        more(f"{name}_{library}", result)


def count_changes(name: str, result: Any) -> None:
    tell(f"{name}_changes", len(result))


def nothing_more(name: str, result: Any) -> None:
    pass


def diffs(base: list[dict[str, Any]], local: list[dict[str, Any]], chance: random.Random, runs: int) -> None:
    before: Any = {value["slug"]: value for value in base}
    after: Any = {value["slug"]: value for value in local}
    spent, found = timed(lambda: changes(before, after), runs)
    against("diff_5000_leaves_ms", spent, LIMITS["diff"])
    tell("diff_5000_leaves_changes", len(found))
    beside("diff_5000_leaves", spent, {n: f(before, after) for n, f in DIFFS.items()}, runs, count_changes)

    listed: Any = base
    shuffled: Any = chance.sample(local, len(local))
    spent, found = timed(lambda: changes(listed, shuffled, Kind.SETTING, "roo.profiles/customModes"), runs)
    name = "diff_200_reordered_modes"
    against(f"{name}_ms", spent, LIMITS["diff"])
    tell(f"{name}_changes", len(found))
    works = {n: f(listed, shuffled) for n, f in (DIFFS | ORDERLESS).items()}
    beside(name, spent, works, runs, count_changes)


def merges(base: list[dict[str, Any]], local: list[dict[str, Any]], remote: list[dict[str, Any]], runs: int) -> None:
    three = entities(base), entities(local), entities(remote)
    spent, _ = timed(lambda: compare(*three, first_join=False), runs)
    against("compare_5000_leaves_three_ways_ms", spent, LIMITS["diff"])
    maps: list[Any] = [{value["slug"]: value for value in values} for values in (base, local, remote)]
    spent, result = timed(lambda: merge(Kind.MODE, *maps), runs)
    against("merge_5000_leaves_ms", spent, LIMITS["merge"])
    tell("merge_5000_leaves_conflicts", len(result.conflicts))
    beside("merge_5000_leaves", spent, {n: f(*maps) for n, f in MERGES.items()}, runs, nothing_more)


def consolidation(fleet: list[Collected], runs: int) -> None:
    name = "consolidation_1000_packages_80_entities"
    spent, result = timed(lambda: consolidate(fleet, {}), max(5, runs // 3))
    against(f"{name}_ms", spent, LIMITS["consolidation"])
    tell("consolidation_commons", len(result.commons))
    tell("consolidation_questions", len(result.arbitrations))
    tell("consolidation_lost", 0)
    values = [{key: entity.value for key, entity in package.entities.items()} for package in fleet]

    def lost(library: str, merged: Any) -> None:
        tell(f"{library}_lost", sum(merged[key] != value for package in values for key, value in package.items()))

    beside(name, spent, {n: f(values) for n, f in FOLDS.items()}, 1, lost)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    chance = random.Random(1)
    base = modes(chance)
    local, remote = changed(base, "field1", 0), changed(base, "field2", 1)
    diffs(base, local, chance, runs)
    merges(base, local, remote, runs)
    consolidation(packages(chance, 1000, 80), runs)


if __name__ == "__main__":
    main()
