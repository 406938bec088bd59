"""The house checks itself: the arrows agent -> broker -> protocol, and a few habits, read from the source."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE_PARSERS = {"msgspec", "yaml", "tomlkit", "rfc8785"}
NATS = {"nats", "nkeys", "nacl", "anyio", "cryptography", "psutil"}
FACES = {"pydantic", "click", "markdown_it", "rich", "watchfiles", "platformdirs", "keyring"} | {
    "mcp",
    "mcp_types",
    "uvicorn",
}
MAY_IMPORT = {  # room: what its modules may import, beside the standard library and themselves
    "protocol": PURE_PARSERS,
    "broker": {"roosync_protocol"} | PURE_PARSERS | NATS,
    "agent": {"roosync_protocol", "roosync_broker"} | PURE_PARSERS | NATS - {"nats", "nkeys"} | FACES,
}
PURE = {  # what brings a clock, chance, a disk or a network into the room of reasoning
    "asyncio",
    "fcntl",
    "getpass",
    "glob",
    "http",
    "io",
    "locale",
    "multiprocessing",
    "os",
    "pathlib",
    "platform",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
    "uuid",
}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
MAX_LINES = 400  # of a file; 80 to 200 is the aim
MAX_FUNCTION = 60  # lines, with its docstring
FILES = [(room, file) for room in MAY_IMPORT for file in sorted((ROOT / room).rglob("*.py"))]
IDS = [str(file.relative_to(ROOT)) for _, file in FILES]

each_file = pytest.mark.parametrize(("room", "file"), FILES, ids=IDS)


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of imported modules; `from a import b` counts as a and as a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tops(tree: ast.AST) -> set[str]:
    return {name.split(".")[0] for name in imported(tree)}


def test_every_room_is_there():
    assert {room for room, _ in FILES} == set(MAY_IMPORT)


@each_file
def test_arrows_point_one_way(room, file):
    foreign = tops(tree_of(file)) - sys.stdlib_module_names - MAY_IMPORT[room] - {f"roosync_{room}"}
    assert not foreign, f"{file} may not import {sorted(foreign)}"


FACE = "roosync_agent.cli"
OF_THE_FACE = ("agent/roosync_agent/cli/", "agent/roosync_agent/__main__.py")


@pytest.mark.parametrize("file", [f for room, f in FILES if room == "agent"], ids=lambda f: f.stem)
def test_nobody_below_leans_on_the_command_line(file):
    if not file.relative_to(ROOT).as_posix().startswith(OF_THE_FACE):
        found = leaning(tree_of(file))
        assert not found, f"{file} imports {found}: what both need lies below the command line"


def leaning(tree):
    return sorted(name for name in imported(tree) if f"{name}.".startswith(f"{FACE}."))


def arrows():
    """Module -> the modules of ours that it imports while it is imported itself, in all rooms."""
    paths = {module_of(file): file for _, file in FILES}
    found = {}
    for name, file in paths.items():
        at_once = ast.Module([*top_level(tree_of(file).body)], [])
        found[name] = {other for other in imported(at_once) if other in paths and other != name}
    return found


def module_of(file):
    parts = file.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def top_level(body):
    """Its imports, those under `if` and `try` too; not what only type checkers read."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from top_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from top_level(node.body)


def in_a_circle(found):
    """What is left when every module is taken away that imports nobody who is left."""
    left = dict(found)
    while gone := [name for name, others in left.items() if not others & left.keys()]:
        for name in gone:
            del left[name]
    return set(left)


def test_no_module_imports_itself_round_a_circle():
    found = arrows()
    # a package's own __init__ is imported before any module of it: its parts may be named there, and name it
    found = {name: {other for other in others if not name.startswith(f"{other}.")} for name, others in found.items()}
    assert in_a_circle(found) == set()


@pytest.mark.parametrize(
    "text", ["from roosync_agent import cli", "def f():\n    from roosync_agent.cli.text import table"]
)
def test_the_check_sees_who_leans(text):
    assert leaning(ast.parse(text))


def test_the_check_sees_a_circle():
    assert in_a_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}


@each_file
def test_imports_are_absolute(room, file):
    relative = [n.lineno for n in ast.walk(tree_of(file)) if isinstance(n, ast.ImportFrom) and n.level]
    assert not relative, f"{file} imports relatively in line {relative}"


@pytest.mark.parametrize("file", [f for room, f in FILES if room == "protocol"], ids=lambda f: f.stem)
def test_the_room_of_reasoning_is_pure(file):
    tree = tree_of(file)
    names = set(imported(tree))
    assert not names & PURE, f"{file} imports {sorted(names & PURE)}"
    assert not tops(tree) & PURE, f"{file} imports {sorted(tops(tree) & PURE)}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "input", "print", "exec", "eval"), f"{file}:{node.lineno} does I/O"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in CLOCKS, f"{file}:{node.lineno} reads a clock"


@each_file
def test_a_module_says_first_why_it_exists(room, file):
    assert ast.get_docstring(tree_of(file)), f"{file} has no first paragraph"


@each_file
def test_files_and_functions_stay_readable(room, file):
    text = file.read_text("utf-8")
    lines = text.count("\n")
    assert lines <= MAX_LINES, f"{file} has {lines} lines: what does it hide?"
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= MAX_FUNCTION, f"{file}:{node.lineno} {node.name} has {size} lines"


# the house test can fail: each of these is found
GUILTY = {
    "an arrow upwards": ("protocol", "import roosync_broker.keys"),
    "nats outside the broker": ("agent", "from nats.aio import client"),
    "an unknown library": ("broker", "import requests"),
    "a late import": ("protocol", "def f():\n    import anyio"),
}


@pytest.mark.parametrize(("room", "text"), GUILTY.values(), ids=GUILTY)
def test_the_check_sees(room, text):
    assert tops(ast.parse(text)) - sys.stdlib_module_names - MAY_IMPORT[room] - {f"roosync_{room}"}
