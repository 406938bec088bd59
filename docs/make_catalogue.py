"""Keeps the catalogues of other languages in step with the sources (docs/translating.md, ADR 13).

    python docs/make_catalogue.py              finds every sentence, writes the .po and the .mo of each language
    python docs/make_catalogue.py missing      what has no translation yet, as JSON: {sentence: ""}
    python docs/make_catalogue.py put FILE     takes translations in: JSON of {sentence: translation}, "-" reads stdin

`roosync.po` holds what the faces say: the literals of `tr`, `trn` and `mark`, the help of commands and their options,
and click's own words. `below.po` holds what the rooms below say, f-strings as patterns: `f"{len(x)} lines"` is
"{len} lines". A translation keeps the names in braces. A plural is put as {"one": ..., "several": ...} under "one".
"""

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "agent/roosync_agent/locale"
FACES = ("agent/roosync_agent/cli", "agent/roosync_agent/demo")
BELOW = ("agent/roosync_agent", "broker/roosync_broker", "protocol/roosync_protocol")
NOT_SAID = (  # modules whose literals are for programs or assistants
    "agent/roosync_agent/mcp_server",
    "agent/roosync_agent/heard_words.py",
    "agent/roosync_agent/operations/service/units.py",
    "agent/roosync_agent/unlocking/table.py",
    "agent/roosync_agent/wording.py",
    "broker/roosync_broker/server_config.py",
    "broker/roosync_broker/memory",
    "broker/roosync_broker/permissions.py",
    "protocol/roosync_protocol/secrets/vendors.py",
    "protocol/roosync_protocol/secrets/rules.py",
    "protocol/roosync_protocol/reports/",  # the founding formats, in two languages already
    "protocol/roosync_protocol/hand.py",
)
_SMALL = (
    "a an the this that its it they is are was be has of to in on by for with from as at and or not no any what which "
    "before then"
)
SMALL_WORDS = frozenset(_SMALL.split())
SAYS = {"tr": 1, "trn": 2, "mark": 1}  # how many of its arguments are sentences
Said = str | tuple[str, str]


def sources(folders: tuple[str, ...], without: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(without):
                yield name, ast.parse(path.read_text("utf-8"))


def faces() -> dict[Said, str]:
    """Every sentence that a face says, and where."""
    found: dict[Said, str] = {}
    for name, tree in sources(("agent/roosync_agent",)):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                for said in _marked(node):
                    found.setdefault(said, name)
    for name, tree in sources(("agent/roosync_agent/cli",)):
        for said in _helps(tree):
            found.setdefault(said, name)
    return found | {said: "click" for said in _of_click() if said not in found}


def _marked(call: ast.Call) -> Iterator[Said]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    texts = [literal for one in call.args[: SAYS.get(name, 0)] if (literal := _literal(one)) is not None]
    if name == "trn" and len(texts) == 2:
        yield texts[0], texts[1]
    elif name != "trn":
        yield from texts


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _helps(tree: ast.Module) -> Iterator[str]:
    """The help of commands (their docstrings), and of options; the lines of the table of commands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(_is_command(one) for one in node.decorator_list):
            if text := ast.get_docstring(node):
                yield text
        elif isinstance(node, ast.keyword) and node.arg in ("help", "short_help", "epilog", "prompt"):
            if (text := _literal(node.value)) is not None:
                yield text
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "COMMANDS":
            assert isinstance(node.value, ast.Dict)
            for row in node.value.values:
                assert isinstance(row, ast.Tuple)
                if (text := _literal(row.elts[2])) is not None:
                    yield text


def _is_command(decorator: ast.expr) -> bool:
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Attribute) and call.attr in ("command", "group")


def _of_click() -> Iterator[Said]:
    """click marks its own words for gettext too."""
    package = importlib.util.find_spec("click")
    assert package is not None
    assert package.origin is not None
    for path in sorted(Path(package.origin).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                texts = [literal for one in node.args if (literal := _literal(one)) is not None]
                if node.func.id == "_" and texts:
                    yield texts[0]
                elif node.func.id == "ngettext" and len(texts) == 2:
                    yield texts[0], texts[1]


def below() -> dict[Said, str]:
    """Every sentence of the rooms below, as a pattern, and where."""
    found: dict[Said, str] = {}
    for name, tree in sources(BELOW, (*FACES, *NOT_SAID)):
        aside = set(_not_said(tree))
        for node in ast.walk(tree):
            if id(node) not in aside and (text := pattern(node)) is not None and is_prose(text):
                found.setdefault(text, name)
    return found


def _not_said(tree: ast.Module) -> Iterator[int]:
    """Docstrings, lines of the log, what a face marks itself, and the pieces of f-strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr):
                yield id(first.value)
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:  # its pieces; a text that is filled in is said too
                piece = part.format_spec if isinstance(part, ast.FormattedValue) else part
                yield from (id(one) for one in ast.walk(piece)) if piece is not None else ()
        elif isinstance(node, ast.Call) and _is_aside(node.func):
            yield from (id(part) for part in ast.walk(node))


def _is_aside(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        if function.attr in ("append", "extend"):  # to a log that is a list: the record's own, which people read
            return False
        return isinstance(function.value, ast.Name) and function.value.id in ("log", "logging", "re", "warnings")
    return isinstance(function, ast.Name) and function.id in SAYS


def pattern(node: ast.AST) -> str | None:
    """A literal as it is; an f-string with a name for each value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        given = re.sub(r"\{(?:![rsa])?\}", "{value}", node.value)
        named = re.sub(r"\{(\w+)(?:![rsa])?(?::[^{}]*)?\}", r"{\1}", given)  # filled in later, by `format`
        return re.sub(r"\{(?!\w+\})|(?<!\w)\}", "", named)
    if not isinstance(node, ast.JoinedStr):
        return None
    text, used = "", set[str]()
    for piece in node.values:
        if isinstance(piece, ast.Constant):
            text += str(piece.value)
        else:
            assert isinstance(piece, ast.FormattedValue)
            name = base = _name(piece.value)
            at = 1
            while name in used:
                at += 1
                name = f"{base}{at}"
            used.add(name)
            text += "{" + name + "}"
    return text


def _name(node: ast.expr) -> str:
    """A word for a value that a translator understands."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and not isinstance(part.value, ast.Constant):
            return part.attr
        if isinstance(part, ast.Subscript) and (key := _literal(part.slice)) is not None and key.isidentifier():
            return key
        if isinstance(part, ast.Name) and part.id not in ("harmless", "len", "sorted", "str", "repr"):
            return part.id
    return "value"


def is_prose(text: str) -> bool:
    """Two words at least, with a blank between: names, lists of fields, types and regular expressions are none."""
    if " " not in text.strip() or re.search(r"\(\?:|^[\w.]+ \| [\w.]+$| \| None|tuple\[|^\s*import ", text):
        return False
    if re.fullmatch(r"roosync( [\w{}<>.*@-]+)* ?", text):
        return False  # a command is the same in every language
    if re.fullmatch(r"(wrote|removed) \{\w+\}", text):
        return True  # in the log of a record
    if re.fullmatch(r"an? [a-z]{4,}", text):
        return True  # what is waited for: "a baseline"
    if re.search(r"(\}|^1) [a-z]{4,}(:| \{|$)", text):
        return True  # somebody does something, or so many of something: "{path} changes: {why}", "{count} decisions"
    plain = re.sub(r"\{\w+\}", " ", text)
    tokens = plain.split()
    stops = re.search(r"[;:,] |[`?(]|\.$", plain)  # which a list of fields has not
    if len(tokens) > 8 and not stops and sum(token in SMALL_WORDS for token in tokens) < 2:
        return False
    fields = sum(bool(re.search(r"\*|\w[._]\w|[a-z][A-Z]", token)) for token in tokens)
    return len(re.findall(r"[A-Za-z]{2,}", plain)) >= 2 and fields * 2 < len(tokens)


CATALOGUES = {"roosync": faces, "below": below}


@contextmanager
def alone() -> Iterator[None]:
    """One at a time, where several people translate in one checkout."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (LOCALE / "fr" / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def load(language: str, domain: str) -> Catalog:
    path = LOCALE / language / f"{domain}.po"
    if not path.exists():
        return Catalog(locale=language, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str, domain: str, given: dict[str, Any] | None = None) -> Catalog:
    """The catalogue as the sources want it: translations kept, sentences that are gone left out."""
    before, after = load(language, domain), Catalog(locale=language, project="roosync", fuzzy=False)
    after.creation_date = before.creation_date
    after.revision_date = before.revision_date
    for said, where in sorted(CATALOGUES[domain]().items(), key=lambda row: (row[1], str(row[0]))):
        one = said[0] if isinstance(said, tuple) else said
        old = before.get(one)
        told: Any = old.string if old is not None and isinstance(old.id, tuple) == isinstance(said, tuple) else None
        if given and one in given and given[one]:
            new = given[one]
            told = (new["one"], new["several"]) if isinstance(new, dict) else new
        after.add(said, told or (("", "") if isinstance(said, tuple) else ""), locations=[(where, 0)])
    return after


def write(language: str, domain: str, catalogue: Catalog) -> None:
    folder = LOCALE / language
    with replaced(folder / f"{domain}.po") as file:
        write_po(file, catalogue, width=110, omit_header=False, include_lineno=False)
    with replaced(folder / "LC_MESSAGES" / f"{domain}.mo") as file:
        write_mo(file, catalogue)


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file that nobody reads half: a command may speak at this moment."""
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        yield file
    new.replace(path)


def missing(catalogue: Catalog) -> dict[str, Any]:
    """What is not translated, or has lost or gained a name in braces."""
    found: dict[str, Any] = {}
    for message in catalogue:
        said: tuple[str, ...] = message.id if isinstance(message.id, tuple) else (str(message.id),)
        if not said[0]:
            continue
        told = message.string if isinstance(message.string, tuple) else (message.string,)
        if not all(told) or names(*said) != names(*told):
            found[said[0]] = {"one": "", "several": ""} if len(said) > 1 else ""
    return found


def names(*texts: str) -> set[str]:
    return {name for text in texts for name in re.findall(r"\{(\w+)[^{}]*\}", text)}


def main(words: list[str]) -> None:
    given = None
    if words[:1] == ["put"]:
        given = json.loads(sys.stdin.read() if words[1] == "-" else Path(words[1]).read_text("utf-8"))
    lacking: dict[str, Any] = {}
    with alone():
        for language in sorted(path.name for path in LOCALE.iterdir() if path.is_dir()):
            for domain in CATALOGUES:
                if words[1:] and words[0] == "missing" and domain not in words[1:]:
                    continue
                catalogue = updated(language, domain, given)
                lacking |= missing(catalogue)
                if words[:1] != ["missing"]:
                    write(language, domain, catalogue)
    if words[:1] == ["missing"]:
        print(json.dumps(lacking, ensure_ascii=False, indent=1))
    else:
        print(f"{len(lacking)} sentences have no translation")


if __name__ == "__main__":
    main(sys.argv[1:])
