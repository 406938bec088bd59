"""What a person reads can be said in their language: no text of a face escapes its catalogue, and no catalogue lags.

`docs/translating.md` has the rules. A text that a test here names goes through `tr`, `trn` or `mark` where it is said,
or, when it is no sentence (a command, a name of a program), into `NO_SENTENCES`.
"""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("make_catalogue", ROOT / "docs/make_catalogue.py")
catalogue = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(catalogue)

AGENT = ROOT / "agent/roosync_agent"
FACES = sorted([*(AGENT / "cli").rglob("*.py"), *(AGENT / "demo").rglob("*.py")])
# What a person types, and names, are the same in every language.
COMMAND = re.compile(r"\s*(\S+\$ )?(roosync|nats) [a-z{][^.;:(]*")
SAME = re.compile(r"roosync [a-z][a-z -]*|UTC|CHECKPOINT|nats-server -c nats-server.conf")
HEAD = re.compile(r"[A-Z][A-Z0-9/%() -]+")  # of a column
# Keywords whose texts are found by themselves, or are no sentences.
NOT_READ = ("help", "short_help", "epilog", "prompt", "metavar", "format", "prefix", "prog_name", "strftime")
LOOKS_FOR = ("removeprefix", "removesuffix", "startswith", "endswith", "partition", "split")
NO_TEXTS = ("COMMANDS", "ALIASES", "CHECK", "MCP")  # tables and texts of other kinds, by their names
NO_SENTENCES = {  # file: literals that look like sentences and are none
    "cli/edit.py": ("NAME", "VALUE"),  # as the usage calls them
    "demo/stage.py": ("check = {dumps}",),  # a line of TOML
    "demo/homes.py": (  # what a program did wrong that calls this
        "{name} is no sample; there are {MACHINES}",
        "{home} is not empty: samples are laid into an empty folder only",
    ),
}


def escaped(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and text of each literal that a person would read and that no catalogue has."""
    aside = set(_aside(tree))
    found = []
    for node in ast.walk(tree):
        if id(node) in aside or (text := catalogue.pattern(node)) is None:
            continue
        if _is_said(text, whole=isinstance(node, ast.Constant)):
            found.append((node.lineno, text))
    return found


def _is_said(text: str, whole: bool) -> bool:
    if COMMAND.fullmatch(text.replace("...", "").replace("roosync.>", "")):
        return False
    plain = SAME.sub(" ", re.sub(r"\{\w+\}", " ", text))
    if whole:
        head = HEAD.fullmatch(text)
        return bool(head) or catalogue.is_prose(plain) or bool(re.fullmatch(r"\W*[A-Za-z]{3,}[:.!?]\s*", text))
    return " " in text and bool(re.search(r"(?<![\w-])[A-Za-z]{3,}", plain))


def _aside(tree: ast.Module):
    """The ids of nodes that are no texts, or that the catalogue finds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from map(id, ast.walk(node.body[0])) if ast.get_docstring(node) is not None else ()
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:  # its pieces; the expressions in it are looked at
                piece = part.format_spec if isinstance(part, ast.FormattedValue) else part
                yield from map(id, ast.walk(piece)) if piece is not None else ()
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in catalogue.SAYS:
            yield from map(id, node.args[: catalogue.SAYS[node.func.id]])  # what is filled in is looked at
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOKS_FOR:
            yield from map(id, node.args)
        elif isinstance(node, ast.Call) and catalogue._is_aside(node.func):
            yield from map(id, ast.walk(node))
        elif isinstance(node, ast.keyword) and node.arg in NOT_READ:
            yield from map(id, ast.walk(node.value))
        elif (isinstance(node, ast.AnnAssign | ast.Assign) and ast.unparse(_target(node)) in NO_TEXTS) or isinstance(
            node, ast.Compare | ast.Subscript | ast.Assert
        ):
            yield from map(id, ast.walk(node))
        elif isinstance(node, ast.Dict | ast.Set):  # what is looked for, not what is said
            yield from map(id, (node.keys if isinstance(node, ast.Dict) else node.elts))
        elif isinstance(node, ast.arg) and node.annotation is not None:
            yield from map(id, ast.walk(node.annotation))


def _target(node: ast.AnnAssign | ast.Assign) -> ast.expr:
    return node.target if isinstance(node, ast.AnnAssign) else node.targets[0]


@pytest.mark.parametrize("path", FACES, ids=lambda path: path.relative_to(AGENT).as_posix())
def test_no_text_escapes_the_catalogue(path):
    name = path.relative_to(AGENT).as_posix()
    found = [
        (line, text) for line, text in escaped(ast.parse(path.read_text())) if text not in NO_SENTENCES.get(name, ())
    ]
    told = "".join(f"\n  {name}:{line}: {text!r}" for line, text in found)
    assert not found, f"say these with tr(), trn() or mark() (docs/translating.md):{told}"
