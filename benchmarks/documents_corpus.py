"""Random documents for the fuzzing of edits, written by a hand of their own, with a note of what is where.

The writers here share nothing with the editors: they know the span of every entry, the extent of its value, and
who owns each comment, because they wrote them. So what an edit may touch is known without asking the editor.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
NAMES = ["slug", "name", "env", "args", "command", "alwaysAllow", "a b", "x.y", "", "é", "💻", "on", "1", "null", "~", "#k", "k:"]
WORDS = ["", "npx", "-y", "on", "yes", "null", "1", "1.5", "0x1F", "2001-01-01", "a: b", "a #b", "# c", " lead", "trail ",
         "é 💻 𝒳", "it's", 'say "hi"', "C:\\x\\y", "//no", "/* no */", "tab\there", "{x}", "[y]", "a,b", "*s", "&s", "!t", "%d", "@e",
         "`f`", "|", ">", "---", "...", "- dash", "? q", ": c", "<<", "=", "12:30", "\x7f", "\u2028", "\x01", "long word " * 9]  # fmt: skip
TEXTS = ["one\ntwo", "one\ntwo\n", "\nlead", "trail\n\n", "a\n  indented\nb\n", "  first\nsecond", "x\n\ny\n", "a\n \nb", "\n",
         "# no comment\nx\n", "tab\n\there\n", "a\n---\nb\n", "end \n", "key: value\n- item\n", "a\r\nb"]  # fmt: skip


@dataclass
class Written:
    """A document: its text, its value, and the notes of its writer."""

    text: str = ""
    value: Any = None
    spans: dict[Path, tuple[int, int]] = field(default_factory=dict)  # with own comments, comma, and line end
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)  # the value alone
    own: dict[str, Path] = field(default_factory=dict)  # comment -> the entry it goes with
    inside: dict[str, Path] = field(default_factory=dict)  # comment -> the entry in the middle of which it is
    loose: dict[str, Path] = field(default_factory=dict)  # comment -> the container it lies in

    def holder(self, path: Path) -> tuple[int, int]:
        """What may change when the container at `path` gets its first or loses its last item."""
        return self.values[path]


def scalar(rng: random.Random, texts: bool = True) -> Any:
    kind = rng.randrange(10)
    if kind < 5:
        return rng.choice(WORDS)
    if kind == 5 and texts:
        return rng.choice(TEXTS)
    return rng.choice([True, False, None, 0, 1, -7, 12345678901234567890, 1.0, 1.5, -0.25, 1e300, 5e-324])


def value(rng: random.Random, depth: int = 3) -> Any:
    kind = rng.randrange(8)
    if depth == 0 or kind < 4:
        return scalar(rng)
    if kind < 6:
        return [value(rng, depth - 1) for _ in range(rng.randrange(5))]
    return mapping(rng, depth - 1)


def mapping(rng: random.Random, depth: int) -> dict[str, Any]:
    return {name: value(rng, depth) for name in rng.sample(NAMES, rng.randrange(6))}


class _Pen:
    """Writes pieces one after the other and always knows where it is."""

    def __init__(self, rng: random.Random, newline: str) -> None:
        self.rng = rng
        self.out = Written()
        self.pieces: list[str] = []
        self.at = 0
        self.newline = newline
        self.count = 0

    def put(self, text: str) -> None:
        self.pieces.append(text)
        self.at += len(text)

    def end(self) -> None:
        self.put(self.newline)

    def chance(self, of: float) -> bool:
        return self.rng.random() < of

    def note(self, whose: dict[str, Path], path: Path) -> str:
        self.count += 1
        name = f"c{self.count}c"
        whose[name] = path
        return name


class _Json(_Pen):
    def __init__(self, rng: random.Random, comments: bool) -> None:
        super().__init__(rng, rng.choice(["\n", "\n", "\r\n"]))
        self.unit = rng.choice(["  ", "    ", "\t", " "])
        self.density = rng.choice([0, 0.1, 0.3]) if comments else 0
        self.trailing = rng.choice([0, 0.5]) if comments else 0
        self.oneline = rng.choice([0.1, 0.5, 1])
        self.tight = rng.choice(["", " "])

    def literal(self, one: Any) -> str:
        return json.dumps(one, ensure_ascii=self.chance(0.2))

    def aside(self, path: Path) -> None:
        if self.chance(self.density * 0.3):
            self.put(f"/* {self.note(self.out.inside, path)} */")

    def write(self, one: Any, path: Path, indent: str, flat: bool) -> None:
        start = self.at
        if isinstance(one, dict | list) and (one or self.chance(self.density)):
            self.container(one, path, indent, flat or self.chance(self.oneline * 0.6))
        else:
            self.put(self.literal(one))
        self.out.values[path] = (start, self.at)

    def container(self, one: Any, path: Path, indent: str, flat: bool) -> None:
        inner = indent + self.unit
        self.put("{" if isinstance(one, dict) else "[")
        if not flat:
            if self.chance(self.density):
                self.put(f" // {self.note(self.out.loose, path)}")
            self.end()
            if self.chance(self.density):
                self.put(f"{inner}// {self.note(self.out.loose, path)}")
                self.end()
                self.end()
        pairs = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
        for number, (step, child) in enumerate(pairs):
            self.item(step, child, (*path, step), inner, flat, number == len(pairs) - 1, isinstance(one, dict))
        if not flat:
            if self.chance(self.density):
                self.end()
                self.put(f"{inner}// {self.note(self.out.loose, path)}")
                self.end()
            self.put(indent)
        self.put("}" if isinstance(one, dict) else "]")

    def item(self, step: Any, child: Any, path: Path, inner: str, flat: bool, last: bool, named: bool) -> None:
        start = self.at
        if not flat:
            while self.chance(self.density):
                self.put(f"{inner}// {self.note(self.out.own, path)}")
                self.end()
            self.put(inner)
        if named:
            self.put(self.literal(step))
            self.aside(path)
            self.put(":" + self.tight)
            self.aside(path)
        self.write(child, path, inner, flat)
        self.aside(path)
        if not last or self.chance(self.trailing):
            self.put(",")
            if flat:
                self.put(self.tight)
        if not flat:
            if self.chance(self.density):
                self.put(f" // {self.note(self.out.own, path)}")
            self.end()
        self.out.spans[path] = (start, self.at)


def write_json(rng: random.Random, comments: bool) -> Written:
    pen = _Json(rng, comments)
    one = mapping(rng, 3) if pen.chance(0.9) else value(rng)
    if pen.chance(pen.density):
        pen.put(f"// {pen.note(pen.out.loose, ())}")
        pen.end()
    pen.write(one, (), "", pen.chance(pen.oneline * 0.2))
    if pen.chance(0.7):
        pen.end()
    pen.out.text, pen.out.value = "".join(pen.pieces), one
    return pen.out
