"""Edits of random documents, each checked against what the documents' writer noted.

    python benchmarks/fuzz_documents.py --seed 1 --edits 100000 --format jsonc

For each edit: the value is read back by a parser that is not ours and must be the one computed here; every byte
outside the edited entry must be as before; every comment must be there exactly once, or gone with its entry.
The real files, when their folder is there (ROOSYNC_TEST_DATA, or ../shared/data), are among the inputs. Prints
`name: value` lines; the exit code is 1 when anything was wrong, with the seed that repeats it.
"""

import argparse
import copy
import dataclasses
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path as File
from typing import Any

sys.path.insert(0, str(File(__file__).parent))

import documents_corpus as corpus
import tomlkit
import yaml

from roosync_protocol import documents
from roosync_protocol.documents import Delete, EditRefused, Insert, Rename, Set

_COMMENT = re.compile(r"c[0-9]+c")
_BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)*")
_JSONC = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])')


def read_json(text: str) -> Any:
    bare = _JSONC.sub(lambda found: found[1] or " ", text)
    return json.loads(_COMMA.sub(lambda found: found[1] or " ", bare)) if bare.strip() else {}


def read_yaml(text: str) -> Any:
    """By PyYAML's own composer in Python (the product takes the events of its C sister), with words of YAML 1.2."""
    node = yaml.compose(text, yaml.SafeLoader)
    return {} if node is None else _value(node)


def _value(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _value(child) for key, child in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(child) for child in node.value]
    text = node.value
    if node.style:
        return text
    if text.lower() in ("true", "false", "null", "~", "") and text not in ("tRUE",):
        return {"t": True, "f": False}.get(text.lower()[:1])
    for kind in (int, float):
        try:
            return kind(text) if re.fullmatch(r"[-+]?[0-9.][0-9.eE+-]*", text) else text
        except ValueError:
            pass
    return text


def read_toml(text: str) -> Any:
    return tomlkit.parse(text).unwrap()


def write(rng: random.Random, name: str) -> corpus.Written:
    if name == "yaml":
        return corpus.write_yaml(rng)
    if name == "toml":
        return corpus.write_toml(rng)
    if name == "text":
        return corpus.write_text(rng)
    if name == "frontmatter":
        return corpus.write_frontmatter(rng)
    return corpus.write_json(rng, name == "jsonc")


READERS: dict[str, Callable[[str], Any]] = {
    "json": read_json,
    "jsonc": read_json,
    "yaml": read_yaml,
    "toml": read_toml,
    "frontmatter": lambda text: read_yaml(re.split(r"^---\r?\n", text, maxsplit=2, flags=re.MULTILINE)[1]),
    "text": lambda text: text.replace("\r\n", "\n"),
}
FORMATS = tuple(READERS)
Place = tuple[Any, ...]


def same(a: Any, b: Any) -> bool:
    """Equal, type by type and in the order of the members."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(one, b[key]) for key, one in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b or (a != a and b != b))


def places(one: Any, path: Place = ()) -> list[Place]:
    found = [path]
    if isinstance(one, dict):
        for key, child in one.items():
            found += places(child, (*path, key))
    elif isinstance(one, list):
        for index, child in enumerate(one):
            found += places(child, (*path, index))
    return found


def at(one: Any, path: Place) -> Any:
    for step in path:
        one = one[step]
    return one


def changed(rng: random.Random, one: Any) -> Any:
    """Something a little different from `one`, so that the smallest edit is inside of it."""
    one = copy.deepcopy(one)
    if isinstance(one, dict) and one:
        for key in list(one):
            if rng.random() < 0.3:
                if rng.random() < 0.4:
                    del one[key]
                else:
                    one[key] = changed(rng, one[key])
        if rng.random() < 0.3:
            one["new"] = corpus.value(rng, 1)
        return one
    if isinstance(one, list) and one:
        for _ in range(rng.randrange(1, 3)):
            index = rng.randrange(len(one) + 1)
            if rng.random() < 0.4 and index < len(one):
                del one[index]
            else:
                one.insert(index, corpus.value(rng, 1))
        return one
    return corpus.value(rng, 2)


def choose(rng: random.Random, tree: Any) -> Any:
    """A random edit that means something for `tree`."""
    path = rng.choice(places(tree))
    here = at(tree, path)
    kind = rng.randrange(7)
    if kind == 0 and path:
        return Delete(path)
    if kind == 1 and path and isinstance(path[-1], str):
        return Rename(path, rng.choice([*corpus.NAMES, "renamed"]))
    if kind == 2 and isinstance(here, list):
        return Insert(path, rng.randrange(len(here) + 1), corpus.value(rng, 2))
    if kind in (3, 4) and isinstance(here, dict):
        after = rng.choice([None, documents.FIRST, *here, "absent"])
        return Set(
            (*path, rng.choice([*corpus.NAMES, "fresh"])), corpus.value(rng, 2), after, ("c0c",) * rng.randrange(2)
        )
    new = changed(rng, here) if rng.random() < 0.6 else corpus.value(rng, 2)
    return Set(path, new) if path or new is not None else Insert(("no list",), 0, 0)


def wanted(tree: Any, edit: Any) -> Any:
    """What the edit means, said once more and apart from the product. None: it means nothing here."""
    tree = copy.deepcopy(tree)
    if not edit.path and isinstance(edit, Set):
        return edit.value
    if isinstance(edit, Insert):
        at(tree, edit.path).insert(edit.index, edit.value)
        return tree
    parent, last = at(tree, edit.path[:-1]), edit.path[-1]
    if isinstance(edit, Delete):
        del parent[last]
        return tree
    if isinstance(parent, list):
        parent[last] = edit.value
        return tree
    pairs = list(parent.items())
    names = list(parent)
    if isinstance(edit, Rename):
        pairs[names.index(last)] = (edit.name, parent[last])
    elif last in parent:
        pairs[names.index(last)] = (last, edit.value)
    else:
        where = (
            0 if edit.after == documents.FIRST else names.index(edit.after) + 1 if edit.after in names else len(names)
        )
        pairs.insert(where, (last, edit.value))
    parent.clear()
    parent.update(pairs)
    return tree


def unordered(one: Any) -> Any:
    """For a Set of a whole map the order of its members is the file's own affair."""
    if isinstance(one, dict):
        return {key: unordered(one[key]) for key in sorted(one)}
    return [unordered(child) for child in one] if isinstance(one, list) else one


def window(doc: corpus.Written, edit: Any) -> tuple[int, int]:
    """The part of the old text that `edit` may touch."""
    path = edit.path
    if isinstance(edit, Insert):
        return _between(doc, path, edit.index - 1, edit.index, at(doc.value, path))
    if not path:
        return doc.holder(())
    parent = at(doc.value, path[:-1])
    if isinstance(edit, Delete):
        names = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        where = names.index(path[-1])
        if len(names) == 1:
            return doc.holder(path[:-1])
        start = doc.values[(*path[:-1], names[where - 1])][1] if where else doc.values[path[:-1]][0]
        return start, max(
            doc.spans[path][1], doc.spans[(*path[:-1], names[where + 1])][1] if where + 1 < len(names) else 0
        )
    if path in doc.spans:
        return doc.spans[path]
    names = list(parent)
    before = -1 if edit.after == documents.FIRST else names.index(edit.after) if edit.after in names else len(names) - 1
    return _between(doc, path[:-1], before, before + 1, parent)


def _between(doc: corpus.Written, path: Place, before: int, after: int, parent: Any) -> tuple[int, int]:
    names = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
    if not names:
        return doc.holder(path)
    start = doc.values[(*path, names[before])][1] if before >= 0 else doc.values[path][0]
    end = doc.spans[(*path, names[after])][1] if after < len(names) else doc.holder(path)[1]
    return start, end


def comments_wrong(doc: corpus.Written, edit: Any, new: str) -> str | None:
    seen = Counter(_COMMENT.findall(new))
    path = edit.path

    def under(other: Place) -> bool:
        return bool(other[: len(path)] == path)

    for whose, name in ((doc.own, "own"), (doc.inside, "inside"), (doc.loose, "loose")):
        for comment, owner in whose.items():
            count = seen[comment]
            if count > 1:
                return f"comment {comment} is there {count} times"
            if isinstance(edit, Delete) and under(owner):
                if count and not (doc.tables and name == "loose"):  # behind the last line of a TOML table: anybody's
                    return f"comment {comment} ({name} of {owner}) outlived its entry"
            elif isinstance(edit, Set) and under(owner) and (len(owner) > len(path) or name != "own"):
                continue
            elif isinstance(edit, Set) and under(owner) and owner in doc.tables and not isinstance(edit.value, dict):
                continue  # the header it stood at is gone
            elif not count:
                return f"comment {comment} ({name} of {owner}) was lost"
    return None


def lines_wrong(doc: corpus.Written, edit: Any, new: str) -> str | None:
    """In TOML a table is all over the file: the lines outside of the entry must be there, in their order."""
    lines = [line for line in new.splitlines() if line.strip()]
    start, end = doc.spans.get(edit.path, (0, 0))
    if isinstance(edit, Insert) or start == end:
        start = end = 0
    kept = [line for line in (doc.text[:start] + "\n" + doc.text[end:]).splitlines() if line.strip()]
    if isinstance(edit, Rename):
        return None
    found = iter(lines)
    missing = next((line for line in kept if line not in found), None)
    return f"line lost or moved: {missing!r}" if missing is not None else None


def ends_wrong(doc: corpus.Written, document: documents.Document, edit: Any, top: int, bottom: int) -> str | None:
    """Text: the lines that stay keep their very bytes."""
    new = documents.edit(document, [edit]).data.decode()
    new = new[len(document.marks) :]
    if new.replace("\r\n", "\n") != edit.value:
        return f"holds {new!r}, wanted {edit.value!r}"
    before, after = doc.text.split("\n"), new.split("\n")
    top, bottom = max(top - 1, 0), max(bottom - 1, 0)
    if before[:top] != after[:top] or before[len(before) - bottom :] != after[len(after) - bottom :]:
        return "the end of a line that stays was changed"
    return None


def wrong(doc: corpus.Written, document: documents.Document, edit: Any, name: str) -> str | None:
    """What is wrong with how the product does `edit`; None when nothing is. EditRefused passes."""
    aim = wanted(doc.value, edit)
    after = documents.edit(document, [edit])
    new = after.data.decode().lstrip("\ufeff")
    got = READERS[name](new)
    whole = name == "toml" or (isinstance(edit, Set) and isinstance(edit.value, dict | list))
    if not (same(unordered(got), unordered(aim)) if whole else same(got, aim)):
        return f"holds {got!r}, wanted {aim!r}"
    if edit.path in doc.tables or (edit.path[:-1] in doc.tables and not isinstance(edit, Insert)):
        return lines_wrong(doc, edit, new) or comments_wrong(doc, edit, new)
    start, end = window(doc, edit)
    if doc.lines:  # blank lines between entries belong to nobody
        start = len(doc.text[:start].rstrip())
        blank = _BLANK_LINES.match(doc.text, end)
        end += len(blank[0]) if blank else 0
    behind = doc.text[end:]
    if not new.startswith(doc.text[:start]) or (behind and not new.endswith(behind)):
        return f"bytes outside of {start}:{end} changed"
    if "\r\n" in doc.text and "\n" in new.replace("\r\n", "") and "\n" not in doc.text.replace("\r\n", ""):
        return "line ends changed"
    return comments_wrong(doc, edit, new)


REAL = File(os.environ.get("ROOSYNC_TEST_DATA", File(__file__).parents[2] / "shared" / "data")) / "real"
REAL_FILES = {
    "json": [
        "modes/simple-complex.roomodes",
        "modes/standard-modes.json",
        "mcp/servers.json",
        "mcp/dot-mcp.json.example",
    ],
    "jsonc": ["other/vscode-settings.json", "other/sync-config.ref.json", "settings/model-configs.json"],
    "yaml": ["modes/custom_modes.yaml"],
}
_REAL_EVERY = 150  # documents


class Run:
    """Counts, and the first failures, each with all that repeats it."""

    def __init__(self, seed: int, name: str) -> None:
        self.seed, self.name = seed, name
        self.edits = self.wrong = self.refused = self.documents = 0
        self.failures: list[str] = []
        self.reasons: Counter[str] = Counter()

    def document(self, per_document: int) -> None:
        """One more document: some edits of it each by itself, then some on top of each other."""
        self.documents += 1
        rng = random.Random(f"{self.seed}/{self.name}/{self.documents}")
        real = [REAL / one for one in REAL_FILES.get(self.name, []) if (REAL / one).is_file()]
        if real and self.documents % _REAL_EVERY == 0:
            self.chain(rng, documents.parse(rng.choice(real).read_bytes(), self.name), per_document)
            return
        doc = write(rng, self.name)
        marks = rng.choice(["", "", "\ufeff", "\ufeff\ufeff"])
        document = documents.parse((marks + doc.text).encode(), self.name)
        if not same(unordered(document.value), unordered(doc.value)):
            self.fail(f"read as {document.value!r}, wanted {doc.value!r}", document, None)
            return
        for _ in range(per_document):
            if self.name == "text":
                aim, top, bottom = corpus.changed_text(rng, doc.value)
                edit: Any = Set((), aim)
                self.judge(partial(ends_wrong, doc, document, edit, top, bottom), document, edit)
            elif edit := self.choose(rng, doc.value):
                self.judge(partial(wrong, doc, document, edit, self.name), document, edit)
        if self.name != "text":
            self.chain(rng, document, per_document // 2)

    def chain(self, rng: random.Random, document: Any, length: int) -> None:
        """Edits on top of each other; the values are checked alone."""
        for _ in range(length):
            if edit := self.choose(rng, document.value):
                before = document
                result: list[Any] = []

                def problem(before: Any = before, edit: Any = edit, result: list[Any] = result) -> str | None:
                    aim = wanted(before.value, edit)
                    result.append(documents.edit(before, [edit]))
                    got = READERS[self.name](result[0].data.decode().lstrip("\ufeff"))
                    fine = same(unordered(got), unordered(aim)) and same(unordered(got), unordered(result[0].value))
                    return None if fine else f"holds {got!r}, wanted {aim!r}"

                self.judge(problem, before, edit)
                document = result[0] if result else document

    def choose(self, rng: random.Random, tree: Any) -> Any:
        """An edit that has a meaning for `tree`; None when the dice fell otherwise."""
        edit = choose(rng, tree)
        if edit.path == ("no list",):
            return None
        if isinstance(edit, Rename) and edit.name in at(tree, edit.path[:-1]) and edit.name != edit.path[-1]:
            return None
        if self.name == "frontmatter" and not edit.path and not isinstance(edit.value, dict):
            return None  # it is members with names
        if self.name == "toml" and isinstance(edit, Set | Insert):
            if edit.value is None or (edit.path == () and not isinstance(edit.value, dict)):
                return None
            return dataclasses.replace(edit, value=corpus.for_toml(edit.value))
        return edit

    def judge(self, check: Callable[[], str | None], document: Any, edit: Any) -> None:
        self.edits += 1
        before = document.data
        try:
            problem = check()
        except EditRefused as error:
            self.refused += 1
            self.reasons[error.reason[-60:]] += 1
            problem = None
            if "--refusals" in sys.argv and len(self.failures) < 20:
                self.failures.append(f"document {self.documents}: {edit}: {error}\n{document.text}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            problem = f"{type(error).__name__}: {error}"
        if document.data != before:
            problem = "the document itself changed"
        if problem:
            self.fail(problem, document, edit)

    def fail(self, problem: str, document: Any, edit: Any) -> None:
        self.wrong += 1
        if len(self.failures) >= 5:
            return
        try:
            new = documents.edit(document, [edit] if edit else []).data.decode()
        except Exception as error:  # noqa: BLE001 - it is shown
            new = repr(error)
        text = f"document {self.documents}: {edit}\n{problem}\n--- before\n{document.text}\n--- after\n{new}"
        self.failures.append(text)


def run(seed: int, edits: int, name: str, per_document: int = 8) -> Run:
    """At least `edits` edits of one format."""
    done = Run(seed, name)
    while done.edits < edits and done.wrong < 200:
        done.document(per_document)
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edits", type=int, default=100_000)
    parser.add_argument("--format", choices=[*FORMATS, "all"], default="all")
    parser.add_argument("--refusals", action="store_true", help="show refused edits too")
    options = parser.parse_args()
    total = 0
    for name in FORMATS if options.format == "all" else [options.format]:
        started = time.perf_counter()
        done = run(options.seed, options.edits, name)
        for figure in ("edits", "wrong", "refused", "documents"):
            print(f"{name}_{figure}: {getattr(done, figure)}")
        print(f"{name}_seconds: {time.perf_counter() - started:.1f}")
        for reason, count in done.reasons.most_common(8):
            print(f"{name}_refused_because: {count} {reason!r}")
        for failure in done.failures:
            print(f"\n=== {name}, seed {options.seed}, {failure}", file=sys.stderr)
        total += done.wrong
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
