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
COMMAND = re.compile(r"roosync [a-z][a-z -]*")  # what a person types is the same in every language
HEAD = re.compile(r"[A-Z][A-Z0-9/% -]{1,}")  # of a column
# Keywords whose texts are found by themselves, or are no sentences.
NOT_READ = ("help", "short_help", "epilog", "prompt", "metavar", "format", "prefix", "prog_name", "strftime")
NO_SENTENCES = {  # file: literals that look like sentences and are none
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
    plain = COMMAND.sub(" ", re.sub(r"\{\w+\}", " ", text))
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
            yield from (id(part) for part in ast.walk(node) if part is not node and not isinstance(part, ast.JoinedStr))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in catalogue.SAYS:
            yield from map(id, node.args[: catalogue.SAYS[node.func.id]])  # what is filled in is looked at
        elif isinstance(node, ast.Call) and catalogue._is_aside(node.func):
            yield from map(id, ast.walk(node))
        elif isinstance(node, ast.keyword) and node.arg in NOT_READ:
            yield from map(id, ast.walk(node.value))
        elif isinstance(node, ast.AnnAssign | ast.Assign) and ast.unparse(_target(node)) in ("COMMANDS", "ALIASES"):
            yield from map(id, ast.walk(node))
        elif isinstance(node, ast.Compare | ast.Subscript | ast.Assert):
            yield from map(id, ast.walk(node))
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
