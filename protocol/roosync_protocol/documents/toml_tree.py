"""Where things are in a TOML text: its statements, the names in them, and the values with their items.

The text is already known to be valid (the standard library read it), so this scanner asks only where each thing
ends. A path counts the elements of arrays of tables: `[[a]]` twice, then `[a.b]`, is ("a", 1, "b").
Source: TOML 1.0.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from roosync_protocol.documents.edits import Path
from roosync_protocol.documents.flow import RULE, Syntax, end_of

SYNTAX = Syntax(
    gap=re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*"),
    trail=re.compile(r"(?:[ \t]*#[^\r\n]*)?"),
    line_comment=re.compile(r"[ \t]*#[^\r\n]*\r?\n"),
    aside=re.compile(r"(?!)"),
    apart=re.compile(rf"[ \t]*#(?:[ \t]*{RULE}|!|:schema\b)"),
)
_STRINGS = (
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}',
    r"'''(?:[^']|'(?!''))*'{3,5}",
    r'"(?:[^"\\\n]|\\.)*"',
    r"'[^'\n]*'",
)
STRING = re.compile("|".join(_STRINGS), re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")  # a date and its time may have a space between
_BLANK = re.compile(r"[ \t]*")


@dataclass(frozen=True)
class Name:
    """One part of a dotted key."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Thing:
    """A value: scalar, array ("[") or inline table ("{") with its items."""

    start: int
    end: int
    bracket: str = ""
    items: "tuple[Entry, ...]" = ()


@dataclass(frozen=True)
class Entry:
    """An element of an array (no names), or a pair of a table."""

    start: int
    names: tuple[Name, ...]
    value: Thing

    @property
    def end(self) -> int:
        return self.value.end


@dataclass(frozen=True)
class Statement:
    """A header or a pair. `path` is the table it makes, or the full way to the value it sets."""

    start: int
    end: int
    path: Path
    names: tuple[Name, ...]
    table: Path  # the table it stands in; for a header, its own path
    value: Thing | None = None  # None: a header
    array: bool = False  # [[...]]: one more element


def statements(text: str) -> list[Statement]:
    """All statements in the order of the text."""
    found: list[Statement] = []
    counts: dict[Path, int] = {}  # arrays of tables, and how many elements they have so far
    table: Path = ()
    at = end_of(SYNTAX.gap, text, 0)
    while at < len(text):
        if text[at] == "[":
            array = text[at + 1] == "["
            names = _names(text, end_of(_BLANK, text, at + 1 + array))
            end = end_of(_BLANK, text, names[-1].end) + 1 + array
            table = _resolved(names, counts, array)
            found.append(Statement(at, end, table, names, table, None, array))
        else:
            entry = _pair(text, at)
            end = entry.end
            path = (*table, *(name.text for name in entry.names))
            found.append(Statement(at, end, path, entry.names, table, entry.value))
        at = end_of(SYNTAX.gap, text, end)
    return found


def _resolved(names: tuple[Name, ...], counts: dict[Path, int], array: bool) -> Path:
    path: Path = ()
    for number, name in enumerate(names):
        path = (*path, name.text)
        if array and number == len(names) - 1:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _names(text: str, at: int) -> tuple[Name, ...]:
    found: list[Name] = []
    while True:
        if text[at] in "\"'":
            end = end_of(STRING, text, at)
            found.append(Name(at, end, unquote(text[at:end])))
        else:
            end = end_of(_BARE, text, at)
            found.append(Name(at, end, text[at:end]))
        at = end_of(_BLANK, text, end)
        if text[at : at + 1] != ".":
            return tuple(found)
        at = end_of(_BLANK, text, at + 1)


def unquote(literal: str) -> str:
    text = tomllib.loads(f"x={literal}")["x"]
    assert isinstance(text, str)
    return text


def _pair(text: str, at: int) -> Entry:
    names = _names(text, at)
    at = end_of(_BLANK, text, names[-1].end)
    if text[at] != "=":
        raise LookupError(at)
    return Entry(names[0].start, names, _thing(text, end_of(_BLANK, text, at + 1)))


def _thing(text: str, at: int) -> Thing:
    bracket = text[at]
    if bracket in "\"'":
        return Thing(at, end_of(STRING, text, at))
    if bracket not in "[{":
        return Thing(at, end_of(_SCALAR, text, at))
    items = tuple(_items(text, at))
    end = end_of(SYNTAX.gap, text, items[-1].end if items else at + 1)
    if text[end] == ",":
        end = end_of(SYNTAX.gap, text, end + 1)
    return Thing(at, end + 1, bracket, items)


def _items(text: str, at: int) -> Iterator[Entry]:
    named = text[at] == "{"
    at = end_of(SYNTAX.gap, text, at + 1)
    while text[at] not in "]}":
        if named:
            entry = _pair(text, at)
        else:
            value = _thing(text, at)
            entry = Entry(value.start, (), value)
        yield entry
        at = end_of(SYNTAX.gap, text, entry.end)
        if text[at] == ",":
            at = end_of(SYNTAX.gap, text, at + 1)
