"""Where things are in a JSON text: containers, members and values as places, found only on the way to an edit.

Reading needs the value alone, which the standard library gives fast; places are looked for when an edit asks
for them, in a text that is already known to be valid. Comments and trailing commas are JSONC, as VS Code reads it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from roosync_protocol.documents.edits import Path
from roosync_protocol.documents.flow import RULE, Box, Syntax, end_of

_COMMENT = r"/\*.*?\*/|//[^\r\n]*"
SYNTAX = Syntax(
    gap=re.compile(rf"(?:[ \t\r\n]|{_COMMENT})*", re.DOTALL),
    trail=re.compile(r"(?:[ \t]*/\*(?:(?!\*/)[^\n])*\*/)*(?:[ \t]*//[^\r\n]*)?"),
    line_comment=re.compile(r"[ \t]*(?://[^\r\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)\r?\n", re.DOTALL),
    aside=re.compile(r"(?:/\*(?:(?!\*/).)*\*/[ \t]*)+", re.DOTALL),
    # Rules and regions, and entries that somebody switched off by making them comments.
    apart=re.compile(rf'[ \t]*//[ \t]*(?:{RULE}|"(?:[^"\\\r\n]|\\.)*"[ \t]*:|[\]}}]+,?[ \t]*\r?$)', re.MULTILINE),
)
_INNER = r'[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*'
_STRING = re.compile(rf'"{_INNER}"', re.DOTALL)
_SCALAR = re.compile(r'[^\s,\]}/"]+')
_MARKS = re.compile(rf'"{_INNER}"|{_COMMENT}|[\[\]{{}}]', re.DOTALL)
# In a text that may be broken, each alternative takes what it can and never looks back: the time stays linear.
_PIECES = re.compile(rf'"{_INNER}"?|/\*(?:[^*]+|\*(?!/))*(?:\*/)?|//[^\r\n]*|,', re.DOTALL)
_NAMES = re.compile(rf'("{_INNER}")([ \t\r\n]*:)?|[\[\]{{}}]', re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\r\n]")
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Place:
    """One value: where it is, and where the name before it is (None in lists and at the root)."""

    start: int
    end: int
    name: tuple[int, int] | None = None

    @property
    def entry(self) -> tuple[int, int]:
        return (self.name[0] if self.name else self.start, self.end)


def plain(text: str) -> str:
    """`text` with spaces for comments and trailing commas: the same length and lines, and JSON if it was JSONC.

    Line ends inside comments stay, so that a broken string can not become a whole one by this.
    """
    commas: list[int] = []

    def blank(found: re.Match[str]) -> str:
        piece = found[0]
        if piece == ",":
            commas.append(found.start())
        comment = piece.startswith("//") or (piece.startswith("/*") and piece.endswith("*/") and len(piece) > 3)
        return _NOT_NEWLINE.sub(" ", piece) if comment else piece

    bare = _PIECES.sub(blank, text)
    pieces: list[str] = []
    at = 0
    for comma in commas:
        after = end_of(_SPACE, bare, comma + 1)
        if bare[after : after + 1] in ("]", "}") and _ends_value(bare, comma):
            pieces += (bare[at:comma], " ")
            at = comma + 1
    return "".join([*pieces, bare[at:]])


def _ends_value(bare: str, at: int) -> bool:
    """Is the last thing before `at` the end of a value, so that a comma may follow?"""
    while at and bare[at - 1] in " \t\r\n":
        at -= 1
    return at > 0 and bare[at - 1] not in ",[{:"


def repeated(bare: str) -> tuple[str, int] | None:
    """The first name that an object has twice, and where its second place is; None when there is none."""
    seen: list[set[str]] = []
    for found in _NAMES.finditer(bare):
        mark = found[0]
        if mark in ("{", "["):
            seen.append(set())
        elif mark in ("}", "]"):
            seen.pop()
        elif found[2]:
            name = json.loads(found[1])
            if name in seen[-1]:
                return name, found.start()
            seen[-1].add(name)
    return None


def root(text: str) -> Place | None:
    """The place of the whole value; None in a file without one."""
    start = end_of(SYNTAX.gap, text, 0)
    return Place(start, _end(text, start)) if start < len(text) else None


def items(text: str, place: Place) -> Iterator[Place]:
    """The places of the members or elements of the container at `place`."""
    named = text[place.start] == "{"
    at = end_of(SYNTAX.gap, text, place.start + 1)
    while at < place.end - 1:
        name = None
        if named:
            name = (at, end_of(_STRING, text, at))
            at = end_of(SYNTAX.gap, text, name[1]) + 1  # the colon
            at = end_of(SYNTAX.gap, text, at)
        end = _end(text, at)
        yield Place(at, end, name)
        at = end_of(SYNTAX.gap, text, end)
        if text[at] == ",":
            at = end_of(SYNTAX.gap, text, at + 1)


def find(text: str, path: Path) -> Place:
    """The place at `path`, which exists. Members that repeat a name were refused when reading."""
    place = root(text)
    assert place is not None
    for step in path:
        for index, item in enumerate(items(text, place)):
            if index == step or (item.name and name_of(text, item) == step):
                place = item
                break
        else:
            raise LookupError(step)
    return place


def name_of(text: str, place: Place) -> str:
    assert place.name is not None
    name = json.loads(text[slice(*place.name)])
    assert isinstance(name, str)
    return name


def box(text: str, place: Place) -> Box:
    return Box(place.start, place.end - 1, tuple(item.entry for item in items(text, place)))


def _end(text: str, start: int) -> int:
    if text[start] == '"':
        return end_of(_STRING, text, start)
    if text[start] not in "[{":
        return end_of(_SCALAR, text, start)
    depth = 0
    for mark in _MARKS.finditer(text, start):
        char = mark[0]
        if char in ("[", "{"):
            depth += 1
        elif char in ("]", "}"):
            depth -= 1
            if depth == 0:
                return mark.end()
    raise LookupError(start)
