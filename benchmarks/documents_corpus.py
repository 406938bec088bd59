"""Random documents for the fuzzing of edits, written by a hand of their own, with a note of what is where.

The writers here share nothing with the editors: they know the span of every entry, the extent of its value, and
who owns each comment, because they wrote them. So what an edit may touch is known without asking the editor.
"""

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
NAMES = [
    "slug",
    "name",
    "env",
    "args",
    "command",
    "alwaysAllow",
    "a b",
    "x.y",
    "",
    "é",
    "💻",
    "on",
    "1",
    "null",
    "~",
    "#k",
    "k:",
]
WORDS = [
    *(
        "",
        "npx",
        "-y",
        "on",
        "yes",
        "null",
        "1",
        "1.5",
        "0x1F",
        "2001-01-01",
        "12:30",
        "<<",
        "=",
        "|",
        ">",
        "---",
        "...",
    ),
    *(
        "a: b",
        "a #b",
        "# c",
        " lead",
        "trail ",
        "it's",
        'say "hi"',
        "C:\\x\\y",
        "//no",
        "/* no */",
        "a,b",
        "{x}",
        "[y]",
    ),
    *("*s", "&s", "!t", "%d", "@e", "`f`", "- dash", "? q", ": c", "tab\there", "\x7f", "\u2028", "\x01", "\u0085"),
    *("é 💻 𝒳", "\ufeff", "long word " * 9, "a//b", "*/", "x=y", "'", '"', "\\"),
]
TEXTS = [
    *("one\ntwo", "one\ntwo\n", "\nlead", "trail\n\n", "a\n  indented\nb\n", "  first\nsecond", "x\n\ny\n", "a\n \nb"),
    *("\n", "# no comment\nx\n", "tab\n\there\n", "a\n---\nb\n", "end \n", "key: value\n- item\n", "a\r\nb", "x\n# y"),
    *('say """\nhi"""', "'''\n'''", 'end"\n"', "\\\n", "a\n\n\n\nb"),
]


@dataclass
class Written:
    """A document: its text, its value, and the notes of its writer."""

    text: str = ""
    value: Any = None
    spans: dict[Path, tuple[int, int]] = field(default_factory=dict)  # with own comments, comma, and line end
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)  # the value alone
    tables: dict[Path, int] = field(default_factory=dict)  # TOML: tables over lines, and where their own pairs end
    lines: bool = False  # are containers written over lines, without brackets?
    own: dict[str, Path] = field(default_factory=dict)  # comment -> the entry it goes with
    inside: dict[str, Path] = field(default_factory=dict)  # comment -> the entry in the middle of which it is
    loose: dict[str, Path] = field(default_factory=dict)  # comment -> the container it lies in

    def holder(self, path: Path) -> tuple[int, int]:
        """What may change when the container at `path` gets its first or loses its last item."""
        return self.values[path] if not self.lines else self.spans.get(path, (0, len(self.text)))


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
        self.begun = False  # is there more than comments?

    def put(self, text: str) -> None:
        self.begun = self.begun or (bool(text.strip(" -\r\n")) and not text.lstrip().startswith("#"))
        self.pieces.append(text)
        self.at += len(text)

    def end(self) -> None:
        self.put(self.newline)

    def chance(self, of: float) -> bool:
        return self.rng.random() < of

    def above(self) -> dict[str, Path]:
        """Whose the comment above an entry is: at the start of a file it may also be the header of all of it."""
        return self.out.own if self.begun else {}

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

    def line_comment(self, inner: str, path: Path) -> str:
        name = self.note(self.out.own, path)
        return inner + self.rng.choice([f"// {name}", f"/* {name} */", f"/* {name}{self.newline}{inner}  , ] */"])

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
                self.put(self.line_comment(inner, path))
                self.end()
            self.put(inner)
        elif self.chance(self.density * 0.3):
            self.put(f"/* {self.note(self.out.own, path)} */ ")
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
                name = self.note(self.out.own, path)
                self.put(self.rng.choice([f" // {name}", f" /* {name} */", f"/* {name} */ // x"]))
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


_SIMPLE = re.compile(r"[a-z/][a-z/ ]*[a-z/]|[é💻]+")
_RESERVED = {"on", "yes", "null", "no", "off", "true", "false", "y", "n"}


class _Yaml(_Pen):
    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, rng.choice(["\n", "\n", "\r\n"]))
        self.step = rng.choice([2, 2, 4, 1, 3])
        self.dash = rng.choice([0, 2, self.step])
        self.density = rng.choice([0, 0.1, 0.3])
        self.flow = rng.choice([0, 0.2, 0.6])
        self.out.lines = True
        self.literals = False  # was the last scalar a literal block?
        self.keeps = False  # was the last scalar one whose trailing blank lines count?

    def comment(self, whose: dict[str, Path], path: Path, column: int) -> None:
        self.put(" " * column + "# " + self.note(whose, path))
        self.end()

    def blank(self) -> None:
        if not self.keeps and self.chance(0.15):
            self.end()

    def scalar(self, one: Any, flow: bool) -> str:
        if not isinstance(one, str):
            if one is None:
                return self.rng.choice(["null", "~", "Null"])
            if isinstance(one, bool):
                return str(one).lower() if self.chance(0.7) else str(one).upper()
            return repr(one)
        if _SIMPLE.fullmatch(one) and one not in _RESERVED and self.chance(0.7):
            return one
        if one.isprintable() and self.chance(0.4):
            return "'" + one.replace("'", "''") + "'"
        return _escaped(one)

    def literal(self, one: str, column: int) -> bool:
        """Write `one` as a literal block when it can be; its lines are at `column`."""
        body = one.rstrip("\n")
        if "\n" not in one or "\r" in one or not body or body[0] in " \n" or not body.split("\n")[-1].strip():
            return False
        ends = len(one) - len(body)
        self.put("|" + ("-" if ends == 0 else "" if ends == 1 else "+"))
        self.keeps, self.literals = ends > 1, True
        for line in body.split("\n") + [""] * (ends - 1):
            self.end()
            self.put(" " * column + line if line else "")
        return True

    def value(self, one: Any, path: Path, column: int, lead: str) -> None:
        """What follows a colon or dash at `column`, without the line end; `lead` is the space before a scalar."""
        self.keeps = self.literals = False
        if isinstance(one, dict | list):
            self.put(lead)
            self.in_flow(one, path)
            return
        self.put(lead)
        start = self.at
        if not (isinstance(one, str) and self.chance(0.6) and self.literal(one, column + self.step)):
            if one is None and path and self.chance(0.3):
                if isinstance(path[-1], str):
                    self.pieces[-1] = self.pieces[-1][: len(self.pieces[-1]) - len(lead)]
                    self.at -= len(lead)
                    start = self.at
            else:
                if self.chance(0.05):
                    self.put(f"&a{self.at} ")
                if isinstance(one, str) and _SIMPLE.fullmatch(one) and " " in one and self.chance(0.5):
                    self.put(
                        ">-"
                        + self.newline
                        + " " * (column + self.step)
                        + one.replace(" ", self.newline + " " * (column + self.step))
                    )
                    self.literals = True
                elif isinstance(one, str) and self.chance(0.05):
                    self.put("!!str " + self.scalar(one, False))
                else:
                    self.put(self.scalar(one, False))
        self.out.values[path] = (start, self.at)

    def in_flow(self, one: Any, path: Path) -> None:
        start = self.at
        if isinstance(one, dict | list) and one:
            self.put("{" if isinstance(one, dict) else "[")
            wrap = self.chance(0.2)
            pairs = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
            for number, (step, child) in enumerate(pairs):
                begin = self.at
                if isinstance(one, dict):
                    self.put(self.name(step) + ": ")
                self.in_flow(child, (*path, step))
                if number < len(pairs) - 1:
                    self.put(",")
                    if wrap and self.chance(self.density):
                        self.put(" # " + self.note(self.out.own, (*path, step)))
                    self.put(self.newline + " " * 40 if wrap else " ")
                self.out.spans[(*path, step)] = (begin, self.at)
            self.put("}" if isinstance(one, dict) else "]")
        else:
            self.put(
                self.scalar(one, True) if not isinstance(one, dict | list) else "{}" if isinstance(one, dict) else "[]"
            )
        self.out.values[path] = (start, self.at)

    def name(self, name: str) -> str:
        if _SIMPLE.fullmatch(name) and name not in _RESERVED and self.chance(0.8):
            return name
        return json.dumps(name, ensure_ascii=False)

    def block(self, one: Any, path: Path, column: int, inline: bool) -> None:
        """The items of a container over lines; `inline`: the first is on a line that has begun."""
        start = self.at
        if not inline and self.chance(self.density * 0.5):
            self.comment(self.out.loose, path, column)
            self.end()
            start = self.at
        for step, child in one.items() if isinstance(one, dict) else enumerate(one):
            here = (*path, step)
            begin = self.at
            if not inline:
                while self.chance(self.density):
                    self.comment(self.above(), here, column)
                self.put(" " * column)
            inline = False
            if isinstance(one, dict):
                self.put(self.name(str(step)) + ":")
            else:
                self.put("-")
            self.child(child, here, column, isinstance(one, dict))
            self.out.spans[here] = (begin, self.at)
            self.blank()
        self.out.values[path] = (start, self.at)
        if self.chance(self.density * 0.5) and not self.keeps and not (self.dash == 0 and isinstance(one, list)):
            self.end()
            self.comment(self.out.loose, path, column)

    def child(self, child: Any, path: Path, column: int, named: bool) -> None:
        if isinstance(child, dict | list) and child and not self.chance(self.flow):
            if not named and self.chance(0.7):
                self.put(" ")
                self.block(child, path, column + 2, True)
                return
            if self.chance(self.density):
                self.put(" # " + self.note(self.out.own, path))
            self.end()
            inner = column + (self.dash if isinstance(child, list) and named else self.step)
            self.block(child, path, inner, False)
            return
        self.value(child, path, column, " " * self.rng.choice([1, 1, 1, 2]))
        if not self.keeps and self.pieces[-1].strip() and self.chance(self.density) and not self.literals:
            self.put("  # " + self.note(self.out.own, path))
        self.end()


_YAML_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "\x7f\x85\u2028\ufeff"}


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_YAML_ESCAPES)


def write_yaml(rng: random.Random) -> Written:
    pen = _Yaml(rng)
    one = mapping(rng, 3) if pen.chance(0.9) else [value(rng, 2) for _ in range(3)]
    if pen.chance(pen.density):
        pen.comment(pen.out.loose, (), 0)
        pen.end()
    if pen.chance(0.1):
        pen.put("---")
        pen.end()
    if one:
        pen.block(one, (), 0, False)
    else:
        pen.in_flow(one, ())
        pen.end()
    pen.out.text, pen.out.value = "".join(pen.pieces), one
    if pen.chance(0.2) and not pen.literals:
        pen.out.text = pen.out.text.rstrip("\r\n")
    return pen.out


PROSE = ("", "You are kind.\n", "# Title\n\n---\n\nkey: value\n", "no end", "\n\n- item\n---\n")


def write_frontmatter(rng: random.Random) -> Written:
    """YAML between two lines of `---`, with prose behind it that no edit may touch."""
    doc = write_yaml(rng)
    while not isinstance(doc.value, dict) or not doc.text.endswith("\n") or re.search(r"^(---|\.\.\.)", doc.text, re.M):
        doc = write_yaml(rng)
    newline = "\r\n" if "\r\n" in doc.text else "\n"
    head = f"---{newline}"
    whole = (len(head), len(head) + len(doc.text))
    for places in (doc.spans, doc.values):
        places |= {path: (start + len(head), end + len(head)) for path, (start, end) in places.items()}
    doc.spans[()] = whole
    doc.text = f"{head}{doc.text}---{newline}{rng.choice(PROSE).replace(chr(10), newline)}"
    return doc


class _Toml(_Pen):
    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, rng.choice(["\n", "\n", "\r\n"]))
        self.density = rng.choice([0, 0.1, 0.3])
        self.inline = rng.choice([0, 0.3, 1])
        self.dots = rng.choice([0, 0, 0.5])
        self.out.lines = True

    def key(self, name: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9_-]+", name) and self.chance(0.9):
            return name
        return f"'{name}'" if "'" not in name and name.isprintable() and self.chance(0.3) else _escaped(name)

    def scalar(self, one: Any, line: bool) -> str:
        if isinstance(one, bool):
            return str(one).lower()
        if not isinstance(one, str):
            return repr(one)
        if one.isprintable() and "'" not in one and self.chance(0.3):
            return f"'{one}'"
        if line and self.newline == "\n" and "\n" in one and "\r" not in one and "\x7f" not in one and self.chance(0.6):
            return (
                '"""' + self.newline + one.replace("\\", "\\\\").replace('"', '\\"').replace("\n", self.newline) + '"""'
            )
        return json.dumps(one, ensure_ascii=False).replace("\x7f", "\\u007f")

    def value(self, one: Any, path: Path, wrap: bool, line: bool = True) -> None:
        start = self.at
        if isinstance(one, list) and one and wrap and self.chance(0.4):
            self.put("[")
            self.end()
            for number, child in enumerate(one):
                begin = self.at
                while self.chance(self.density):
                    self.put("  # " + self.note(self.out.own, (*path, number)))
                    self.end()
                self.put("  ")
                self.value(child, (*path, number), False, False)
                if number < len(one) - 1 or self.chance(0.5):
                    self.put(",")
                if self.chance(self.density):
                    self.put(" # " + self.note(self.out.own, (*path, number)))
                self.end()
                self.out.spans[(*path, number)] = (begin, self.at)
            self.put("]")
        elif isinstance(one, dict | list):
            self.put("{ " if isinstance(one, dict) and one else "{" if isinstance(one, dict) else "[")
            pairs = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
            for number, (step, child) in enumerate(pairs):
                begin = self.at
                if isinstance(one, dict):
                    self.put(self.key(step) + " = ")
                self.value(child, (*path, step), False, False)
                if number < len(pairs) - 1:
                    self.put(", ")
                self.out.spans[(*path, step)] = (begin, self.at)
            self.put((" }" if one else "}") if isinstance(one, dict) else "]")
        else:
            self.put(self.scalar(one, line))
        self.out.values[path] = (start, self.at)

    def table(self, one: dict[str, Any], path: Path, head: str, element: bool = False) -> None:
        start = self.at
        if head:
            while self.chance(self.density):
                self.put("# " + self.note(self.above(), path))
                self.end()
            self.put(f"[[{head}]]" if element else f"[{head}]")
            if self.chance(self.density):
                self.put(" # " + self.note(self.out.own, path))
            self.end()
        later = []
        for name, child in one.items():
            if isinstance(child, dict) and not self.chance(self.inline):
                if child and self.chance(self.dots) and not any(isinstance(x, dict | list) for x in child.values()):
                    self.dotted(name, child, (*path, name))
                else:
                    later.append(name)
            elif isinstance(child, list) and child and all(isinstance(x, dict) for x in child) and self.chance(0.7):
                later.append(name)
            else:
                self.pair(self.key(name), child, (*path, name))
        body = self.at
        for name in later:
            child = one[name]
            inner = (head + "." if head else "") + self.key(name)
            if not head or self.chance(0.5):
                self.end()
            begin = self.at
            if isinstance(child, list):
                for number, element_value in enumerate(child):
                    self.table(element_value, (*path, name, number), inner, True)
                self.out.values[(*path, name)] = self.out.spans[(*path, name)] = (begin, self.at)
                self.out.tables[(*path, name)] = begin
            else:
                self.table(child, (*path, name), inner)
        self.out.tables[path] = body
        self.out.spans[path] = self.out.values[path] = (start, self.at)

    def pair(self, key: str, child: Any, path: Path) -> None:
        begin = self.at
        while self.chance(self.density):
            self.put("# " + self.note(self.above(), path))
            self.end()
        self.put(key + " = ")
        self.value(child, path, True)
        if self.chance(self.density):
            self.put(" # " + self.note(self.out.own, path))
        self.end()
        if self.chance(self.density * 0.3):
            self.end()
            self.put("# " + self.note(self.out.loose, path[:-1]))
            self.end()
            self.end()
        self.out.spans[path] = (begin, self.at)

    def dotted(self, name: str, child: dict[str, Any], path: Path) -> None:
        begin = self.at
        for inner, one in child.items():
            self.pair(self.key(name) + "." + self.key(inner), one, (*path, inner))
        self.out.spans[path] = self.out.values[path] = (begin, self.at)
        self.out.tables[path] = self.at


def for_toml(one: Any) -> Any:
    """`one` without what TOML can not say."""
    if isinstance(one, dict):
        return {name: for_toml(child) for name, child in one.items() if child is not None}
    if isinstance(one, list):
        return [for_toml(child) for child in one if child is not None]
    return one % 2**62 if isinstance(one, int) and abs(one) >= 2**63 else one


def write_toml(rng: random.Random) -> Written:
    pen = _Toml(rng)
    one = for_toml(mapping(rng, 3))
    if pen.chance(pen.density):
        pen.put("# " + pen.note(pen.out.loose, ()))
        pen.end()
        pen.end()
    pen.table(one, (), "")
    pen.out.text, pen.out.value = "".join(pen.pieces), one
    if pen.chance(0.2):
        pen.out.text = pen.out.text.rstrip("\r\n")
    return pen.out


def write_text(rng: random.Random) -> Written:
    """Lines with any ends; the value has \\n."""
    ends = rng.choice([["\n"], ["\r\n"], ["\n", "\r\n"]])
    lines = [rng.choice([*WORDS, "---", "# Title", "- item", ""]).lstrip("\ufeff") for _ in range(rng.randrange(30))]
    # Of equal lines with unequal ends either may be said to stay, so each gets a number.
    lines = [f"{line} {number}" if len(ends) > 1 else line for number, line in enumerate(lines)]
    text = "".join(line.replace("\r", "") + rng.choice(ends) for line in lines) + rng.choice(["", "no end"])
    return Written(text, text.replace("\r\n", "\n"))


def changed_text(rng: random.Random, text: str) -> tuple[str, int, int]:
    """`text` with some lines changed, and how many lines stay at the top and at the bottom."""
    lines = text.split("\n")
    start = rng.randrange(len(lines) + 1)
    end = rng.randrange(start, len(lines) + 1)
    new = [rng.choice(WORDS).lstrip("\ufeff") for _ in range(rng.randrange(4))]
    return "\n".join([*lines[:start], *new, *lines[end:]]), start, len(lines) - end
