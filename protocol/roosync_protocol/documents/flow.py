"""Lists between brackets, separated by commas: the one text editor for JSON, flow YAML, and TOML arrays.

It knows nothing of values, only where the items are; `Syntax` says what may stand between them. Three layouts
are met: items on lines of their own, items on one line, and nothing yet. An item's own comments are the comment
lines right above it and what follows it on its line; they go when it goes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from roosync_protocol.documents.base import Splice

_BLANK = re.compile(r"[ \t]*")
_BLANK_RUN = re.compile(r"\n(?:[ \t]*\r?\n)+")
BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)*")
_HEAD = re.compile(r"(?:(?:%[^\n]*|---)?[ \t]*\r?\n)*")  # what may stand before the first line of YAML
_LINE_END = re.compile(r"[ \t]*(?:\r?\n|\Z)")


# What a comment starts with that parts a file: a rule of at least three such marks, or a region to be folded.
RULE = r"(?:[-=*~_+\u2500\u2501\u2550]{3,}|#{3,}|#?[ \t]*(?:end)?region\b)"


@dataclass(frozen=True)
class Syntax:
    """What may stand between items."""

    gap: re.Pattern[str]  # spaces, line ends and comments, possibly nothing
    trail: re.Pattern[str]  # the same within one line, without its end
    line_comment: re.Pattern[str]  # a whole line that is only a comment
    aside: re.Pattern[str]  # comments that stand before an item on its line, or nothing
    apart: re.Pattern[str]  # a comment line that is of no item, though it may stand right above one
    spaced: bool = True  # may braces hold spaces at their inner sides?


@dataclass(frozen=True)
class Box:
    """One bracketed list: where its brackets are, and its items from first to last character."""

    open: int
    close: int
    items: tuple[tuple[int, int], ...]


Render = Callable[[str | None], str]  # an item on one line (None), or over lines that start at this indentation


@dataclass(frozen=True)
class Style:
    """How the file is laid out."""

    newline: str
    unit: str  # one step of indentation
    comma: str = ", "  # between items on one line
    pad: str = ""  # inside the brackets of a one-line list that was empty


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def indent_at(text: str, at: int) -> str:
    """The white space that the line of `at` starts with."""
    found = _BLANK.match(text, line_start(text, at))
    assert found is not None
    return found[0]


def starts_line(text: str, at: int) -> bool:
    return not text[line_start(text, at) : at].strip(" \t")


def end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def comma_after(text: str, syntax: Syntax, at: int) -> int | None:
    """Where the comma of the item that ends at `at` is."""
    there = end_of(syntax.gap, text, at)
    return there if text[there : there + 1] == "," else None


def comma_of(text: str, box: Box, default: str) -> str:
    """The comma between two items on one line, with the space around it as this list has it."""
    for (_, end), (start, _) in pairwise(box.items):
        if text[end:start].strip(" \t") == ",":
            return text[end:start]
    return default


def own_comments(text: str, syntax: Syntax, at: int, floor: int, indent: str | None = None) -> int:
    """The start of the block of comment lines right above the line of `at`, all below the line of `floor`.

    Several lines at the very start of a file are its header, and not the comment of the first entry.
    `indent`: only those indented just so, where indentation says what they belong to.
    """
    start = line_start(text, at)
    while start > floor:
        above = line_start(text, start - 1)
        if text[above:start].rstrip().endswith("*/"):  # a block comment may have begun lines above
            above = line_start(text, max(text.rfind("/*", 0, start), 0))
        if above <= floor or not syntax.line_comment.fullmatch(text, above, start):
            break
        if syntax.apart.match(text, above, start):
            break
        if indent is not None and indent_at(text, above) != indent:
            break
        start = above
    own = line_start(text, at)
    return own if text.count("\n", start, own) > 1 and _HEAD.fullmatch(text, 0, start) else start


def spaced(text: str, gaps: list[tuple[int, int]]) -> int:
    """How many blank lines there are in each gap between neighbours: a new one gets as many."""
    fewest = 0
    for number, (start, end) in enumerate(gaps):
        here = max((found[0].count("\n") - 1 for found in _BLANK_RUN.finditer(text, start, end)), default=0)
        fewest = min(fewest, here) if number else here
        if not fewest:
            break
    return fewest


def whole_lines(
    text: str, syntax: Syntax, begin: int, end: int, floor: int, first: bool, last: bool
) -> tuple[int, int]:
    """The lines from `begin` to `end`, which go, and with them the blank lines at one of their sides.

    `floor`: from where blank lines may go; `last`: is there nothing but the end behind?
    """
    above = begin
    while above and not text[line_start(text, above - 1) : above].strip():
        above = line_start(text, above - 1)
    if last and above < floor:  # blank lines that are a part of the text above must not become more
        return min(floor, begin), end_of(BLANK_LINES, text, end)
    if last:
        return above, end
    alone = first and not (above and syntax.line_comment.fullmatch(text, line_start(text, above - 1), above))
    return (begin, end_of(BLANK_LINES, text, end)) if above < begin or alone else (begin, end)


def insert(
    text: str,
    syntax: Syntax,
    style: Style,
    box: Box,
    index: int,
    render: Render,
    spread: bool,
    above: tuple[str, ...] = (),
) -> list[Splice]:
    """The splices that put a new item at `index`. `spread`: over lines when the list is still empty.

    `above` are comment lines, with marks, written when the item gets a line of its own.
    """
    if not box.items:
        return _insert_alone(text, syntax, style, box, render, spread, above)
    at = box.items[index - 1 if index else 0]
    if not starts_line(text, at[0]):
        return _insert_inline(text, style, at, index, render)
    indent = indent_at(text, at[0])
    start = style.newline + indent
    new = start + "".join(line + start for line in above) + render(indent)
    blank = style.newline * spaced(text, [(a[1], b[0]) for a, b in pairwise(box.items)])
    if index == 0:
        tail = end_of(syntax.trail, text, box.open + 1)
        if not _LINE_END.match(text, tail):
            return _insert_inline(text, style, at, index, render)
        return [(tail, tail, new + "," + blank)]
    new = blank + new
    comma = comma_after(text, syntax, at[1])
    if comma is not None and "\n" in text[at[1] : comma]:  # the comma starts the next item's line
        return [(at[1], at[1], "," + new)]
    after = at[1] if comma is None else comma + 1
    tail = end_of(syntax.trail, text, after)
    if not _LINE_END.match(text, tail):
        if index < len(box.items):
            return _insert_inline(text, style, at, index, render)
        tail = after
    if comma is None:
        return [(after, after, ","), (tail, tail, new)]
    return [(tail, tail, new + ",")]


def delete(text: str, syntax: Syntax, box: Box, index: int) -> list[Splice]:
    """The splices that remove item `index`, its comma and its own comments."""
    start, end = box.items[index]
    comma = comma_after(text, syntax, end)
    floor = box.items[index - 1][1] if index else box.open + 1
    before = comma_after(text, syntax, floor) if index else None
    extra: list[Splice] = []
    if comma is None and before is not None:
        extra = [(before, before + 1, "")]
    tail = end_of(syntax.trail, text, end if comma is None else comma + 1)
    if comma is not None and "\n" in text[end:comma]:
        tail = comma + 1
    line = _LINE_END.match(text, tail)
    if starts_line(text, start) and line and tail < box.close:
        begin = own_comments(text, syntax, start, floor)
        if len(box.items) == 1 and not (text[box.open + 1 : begin] + text[line.end() : box.close]).strip():
            return [(box.open + 1, box.close, "")]
        last = not text[line.end() : box.close].strip()
        return [*extra, (*whole_lines(text, syntax, begin, line.end(), floor, index == 0, last), "")]
    return _delete_inline(text, syntax, box, index, before, comma, tail if line or comma is None else None)


def _insert_inline(text: str, style: Style, at: tuple[int, int], index: int, render: Render) -> list[Splice]:
    over_lines = "\n" in text[at[0] : at[1]]  # as in }, {
    new = render(indent_at(text, at[1]) if over_lines else None)
    if index == 0:
        return [(at[0], at[0], new + style.comma)]
    return [(at[1], at[1], style.comma + new)]


def _insert_alone(
    text: str, syntax: Syntax, style: Style, box: Box, render: Render, spread: bool, above: tuple[str, ...]
) -> list[Splice]:
    inside = text[box.open + 1 : box.close]
    outer = indent_at(text, box.open)
    inner = outer + style.unit
    start = style.newline + inner
    if inside.strip():  # comments: the item goes after the last one
        tail = box.open + 1 + len(inside.rstrip())
        if "\n" not in inside[len(inside.rstrip()) :]:
            return [(tail, tail, " " + render(None))]
        if "\n" in inside.strip() or starts_line(text, tail - len(inside.strip())):
            start = style.newline + indent_at(text, tail)
        lines = "".join(start + line for line in above)
        return [(tail, tail, lines + start + render(start.removeprefix(style.newline)))]
    if not spread and "\n" not in inside:
        return [(box.open + 1, box.close, style.pad + render(None) + style.pad)]
    lines = "".join(start + line for line in above)
    return [(box.open + 1, box.close, lines + start + render(inner) + style.newline + outer)]


def _delete_inline(
    text: str, syntax: Syntax, box: Box, index: int, before: int | None, comma: int | None, tail: int | None
) -> list[Splice]:
    """Remove an item that shares its line; `tail` is the end of the line when only comments follow."""
    start, end = box.items[index]
    floor = before + 1 if before is not None else box.open + 1
    start = _with_aside(text, syntax, floor, start)
    stop = tail if tail is not None else comma + 1 if comma is not None else end
    if len(box.items) == 1:
        rest = text[floor:start] + text[stop : box.close]
        return [(floor, box.close, "")] if not rest.strip() else [(start, stop, "")]
    if index < len(box.items) - 1:
        assert comma is not None
        following = box.items[index + 1][0]
        if index and "\n" in text[stop:following] and not text[floor:start].strip(" \t"):  # the last of its line
            return [(floor, stop, "")]
        if not text[comma + 1 if tail is None else tail : following].strip():
            return [(start, following, "")]
        return [(start, end_of(_BLANK, text, comma + 1), "")]
    assert before is not None
    if comma is not None:  # a trailing comma: the one before becomes it
        return [(floor if not text[floor:start].strip() else start, stop, "")]
    if not text[before + 1 : start].strip():
        previous = box.items[index - 1][1]
        return [(before if text[previous:before].strip() else previous, stop, "")]
    return [(before, before + 1, ""), (start, stop, "")]


def _with_aside(text: str, syntax: Syntax, floor: int, start: int) -> int:
    """Where the comments begin that stand before an item, on its line and after `floor`."""
    begin = max(floor, line_start(text, start))
    begin = end_of(_BLANK, text, begin)
    return begin if begin < start and syntax.aside.fullmatch(text, begin, start) else start
