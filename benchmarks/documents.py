"""How fast are documents read and edited, and what does an edit leave alone? Prints `name: value` lines.

    python benchmarks/documents.py [--runs 15]

Files of 120 KB with 60 servers (JSON, JSONC with comments, TOML) or modes (YAML); one entity is read, and one
value in it is changed, which includes reading the result again. `..._lines_changed` are the lines that differ after
a round trip without any edit: ours beside the libraries that are installed.
"""

import argparse
import difflib
import io
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from roosync_protocol.documents import Delete, Insert, Path, Set, edit, parse
from roosync_protocol.names import Value

LIMIT = 0.060  # seconds to read 120 KB
SERVER = {
    "command": "npx",
    "args": ["-y", "server", "--flag"],
    "env": {"KEY": "value"},
    "alwaysAllow": ["read", "write"],
}


def files() -> dict[str, tuple[str, Path, Path]]:
    """format: text, the place of a value, the place of an entity."""
    servers = {f"server-{n}": SERVER | {"description": "words " * 250} for n in range(72)}
    plain = json.dumps({"mcpServers": servers}, indent=2) + "\n"
    lines = plain.split("\n")
    commented = "\n".join(
        line + ("  // why" if n % 5 == 0 and line.endswith(("{", ",")) else "") for n, line in enumerate(lines)
    )
    toml, yaml = [], ["# modes", "customModes:"]
    for name, server in servers.items():
        toml += [f"# about {name}", f"[mcp_servers.{name}]", 'command = "npx"', 'args = ["-y", "x"]']
        toml += [f'description = "{server["description"]}"', f"[mcp_servers.{name}.env]", 'KEY = "value"', ""]
        yaml += [f"  - slug: {name}", "    name: 'Name'  # said", "    customInstructions: |"]
        yaml += ["      words of a line, many of them"] * 50
        yaml += ["    groups:", "      - read", "      - - edit", "        - {fileRegex: x$, description: y}", ""]
    one, mode = ("mcpServers", "server-40"), ("customModes", 40)
    return {
        "json": (plain, (*one, "command"), one),
        "jsonc": (commented, (*one, "command"), one),
        "yaml": ("\n".join(yaml) + "\n", (*mode, "name"), mode),
        "toml": ("\n".join(toml), ("mcp_servers", "server-40", "command"), ("mcp_servers", "server-40")),
    }


def median(work: Callable[[], Any], runs: int) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def others() -> dict[str, tuple[str, Callable[[str], str]]]:
    """Round trips of libraries: name -> format, function. Those that are not installed are left out."""
    found: dict[str, tuple[str, Callable[[str], str]]] = {}

    def offer(name: str, module: str, kind: str, trip: Callable[[Any, str], str]) -> None:
        try:
            library = import_module(module)
        except ImportError:
            return
        found[name] = (kind, lambda text: trip(library, text))

    def ruamel(library: Any, text: str) -> str:
        yaml, out = library.YAML(), io.StringIO()
        yaml.dump(yaml.load(text), out)
        return out.getvalue()

    offer(
        "pyyaml",
        "yaml",
        "yaml",
        lambda lib, text: lib.safe_dump(lib.safe_load(text), allow_unicode=True, sort_keys=False),
    )
    offer("ruamel", "ruamel.yaml", "yaml", ruamel)
    offer("json5", "json5", "jsonc", lambda lib, text: lib.dumps(lib.loads(text), indent=2, quote_keys=True))
    offer("tomlkit", "tomlkit", "toml", lambda lib, text: lib.dumps(lib.parse(text)))
    return found


def lines_changed(before: str, after: str) -> int:
    matcher = difflib.SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    inputs = files()
    for name, (text, leaf, entity) in inputs.items():
        data = text.encode()
        document = parse(data, name)
        new: dict[str, Value] = {"command": "uvx", "args": ["x"]}
        add = (
            Insert(entity[:-1], 40, new)
            if isinstance(entity[-1], int)
            else Set((*entity[:-1], "new"), new, after=entity[-1])
        )
        read = median(partial(parse, data, name), runs)
        print(f"documents_{name}_bytes: {len(data)}")
        print(f"documents_{name}_read_ms: {read * 1000:.2f}")
        print(f"documents_{name}_read_share_of_limit: {read / LIMIT:.3f}")
        for what, change in (("set", Set(leaf, "changed")), ("add", add), ("delete", Delete(entity))):
            took = median(partial(edit, document, [change]), runs)
            print(f"documents_{name}_{what}_ms: {took * 1000:.2f}")
        unchanged = edit(document, [Set((), document.value)]).data.decode()
        print(f"documents_{name}_lines_changed: {lines_changed(text, unchanged)}")
    for name, (kind, trip) in others().items():
        text = inputs[kind][0]
        took = median(partial(trip, text), 3)
        print(f"{name}_{kind}_round_trip_ms: {took * 1000:.2f}")
        print(f"{name}_{kind}_lines_changed: {lines_changed(text, trip(text))}")


if __name__ == "__main__":
    main()
