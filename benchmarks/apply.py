"""How fast is safe apply, and a look at files that did not change? Prints `name: value` lines, medians, and ratios.

    python benchmarks/apply.py [--runs 15] [--folder DIR]

One entity of a 120 KB file (JSON with comments, and YAML) is planned and applied: locks, backup, journal, fsyncs,
rename, read back and compared. Beside it, in the same run and the same folder, what a script would do: parse, dump,
write, fsync, rename, with nothing to go back to. Then 100 unchanged files are looked at again. The bars are those of
8-measures; an apply has 0.5 s for the whole way of a decision over the bus, of which this is the part on the disk.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from figures import against, median, tell

from roosync_agent.applying.apply import execute
from roosync_agent.applying.plan import plan
from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.collection import Cache, Collection
from roosync_agent.collecting.places import layout
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE
from roosync_protocol.entity import Entity, Kind

ROO = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/"
APPLY_BAR = 0.5  # seconds
UNCHANGED_BAR = 0.050
SIZE = 120_000  # bytes


class CountingDoor(RealDoor):
    """The disk, and how often a file was opened or written."""

    reads = writes = 0

    def read(self, path: Path, limit: int = 16 * 1024 * 1024) -> Any:
        self.reads += 1
        return super().read(path, limit)

    def prepare(self, temporary: Path, data: bytes, **options: Any) -> None:
        self.writes += 1
        super().prepare(temporary, data, **options)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.home, self.state = folder / "home", folder / "state"
        self.door, self.cache = CountingDoor(), Cache()
        (self.home / ROO).mkdir(parents=True)

    def collect(self) -> Collection:
        return collect(self.door, layout(self.door, self.home, {}, "posix"), TABLE, cache=self.cache)

    def apply(self, key: str, kind: Kind, value: Any) -> str:
        made = plan(self.door, self.collect(), {key: Entity(key=key, kind=kind, value=value)})
        done = execute(made, self.door, self.state, label="bench", now=datetime.now(UTC), collect_again=self.collect)
        assert not made.refusals, made.refusals
        return done.status


def servers() -> str:
    lines = ["{", "  // servers", '  "mcpServers": {']
    number = 0
    while sum(map(len, lines)) < SIZE:
        value = {"command": "npx", "args": ["-y", f"server-{number}"], "description": "words " * 150}
        lines.append(f'    "server-{number}": {json.dumps(value)},  // why')
        number += 1
    return "\n".join([*lines, "  }", "}", ""])


def modes() -> str:
    text = "# modes\ncustomModes:\n"
    number = 0
    while len(text) < SIZE:
        text += f"  - slug: mode-{number}\n    name: Mode {number}  # mine\n    groups: [read]\n    whenToUse: |-\n"
        text += f"      {'words ' * 25}\n" * 8
        number += 1
    return text


def times(action: Callable[[int], object], runs: int) -> float:
    took = []
    for run in range(runs):
        began = time.perf_counter()
        action(run)
        took.append(time.perf_counter() - began)
    return median(took)


def bare(path: Path, run: int) -> None:
    """What a script would do, on a file of the same size without comments."""
    value = json.loads(path.read_bytes())
    value["mcpServers"]["server-7"]["args"] = [str(run)]
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(value, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--folder", type=Path, default=None, help="a folder on the disk to be measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench = Bench(Path(folder))
        applying(bench, Path(folder), options.runs)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        looking(Bench(Path(folder)), options.runs)


def applying(bench: Bench, folder: Path, runs: int) -> None:
    (bench.home / ROO / "mcp_settings.json").write_text(servers())
    (bench.home / ROO / "custom_modes.yaml").write_text(modes())
    plain = folder / "plain.json"
    plain.write_text(json.dumps({"mcpServers": {f"server-{n}": {"description": "words " * 150} for n in range(125)}}))
    server = {"command": "npx", "description": "words " * 150}

    def json_one(run: int) -> None:
        assert bench.apply("roo.mcp/server-7", Kind.MCP_SERVER, server | {"args": [str(run)]}) == "applied"

    def yaml_one(run: int) -> None:
        value = {"slug": "mode-7", "name": f"Mode {run}", "groups": ["read"], "whenToUse": "words " * 20}
        assert bench.apply("roo.modes/mode-7", Kind.MODE, value) == "applied"

    for name, action in (("json", json_one), ("yaml", yaml_one)):
        action(-1)
        against(f"apply_one_entity_120kb_{name}_s", times(action, runs), APPLY_BAR)
    script = times(lambda run: bare(plain, run), runs)
    tell("bare_write_120kb_json_s", script)
    tell("apply_to_bare_write_ratio", times(json_one, runs) / script)
    bench.door.writes = 0
    last = runs - 1
    against("apply_nothing_to_change_s", times(lambda _: json_one(last), runs), APPLY_BAR)
    tell("apply_nothing_to_change_writes", bench.door.writes)


def looking(bench: Bench, runs: int) -> None:
    for number in range(100):
        path = bench.home / ".roo" / f"rules-{number % 5}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Rule {number}\n" + "words and words\n" * 60)
    time.sleep(0.1)  # a file written this very moment is not trusted to be settled
    began = time.perf_counter()
    bench.collect()
    tell("first_collection_100_files_s", time.perf_counter() - began)
    bench.door.reads = 0
    against("unchanged_collection_100_files_s", times(lambda _: bench.collect(), max(runs, 5)), UNCHANGED_BAR)
    tell("unchanged_collection_files_read", bench.door.reads)


if __name__ == "__main__":
    main()
