"""JSON, read as tolerantly as VS Code reads JSONC, and edited at the places that change.

The value comes from the standard library; on the way there comments and trailing commas become spaces of the
same length, so every message keeps its line. In plain JSON the comments that are there stay, but none is
written: the tool that owns the file may not know them. Source: RFC 8259, Microsoft's jsonc-parser.
"""

import json
import re
from collections.abc import Iterator

from roosync_protocol.documents import flow, json_tree
from roosync_protocol.documents.base import DocumentError, Limits, line_of, splice, too_deep
from roosync_protocol.documents.edits import Delete, Path, Rename
from roosync_protocol.documents.json_tree import SYNTAX, Place
from roosync_protocol.documents.json_write import JsonStyle, style_of, write
from roosync_protocol.documents.steps import Add, Put, Replace, Step
from roosync_protocol.names import Value

WIDTH = 120  # columns that a new item may fill when it is written on one line, as its neighbours are


def read(text: str, limits: Limits) -> tuple[Value, object]:
    """See `formats.Format`. An empty file, or one of comments only, is {}. The tree: is it JSON and nothing else?"""
    strict = True
    try:
        value = _load(text)
    except json.JSONDecodeError:
        strict, bare = False, json_tree.plain(text)
        if not bare.strip():
            return {}, strict
        try:
            value = _load(bare)
        except json.JSONDecodeError as error:
            raise DocumentError(f"{error.msg} (column {error.colno})", line_of(text, error.pos)) from None
        except _RepeatedError:
            raise _repeated(bare) from None
    except _RepeatedError:
        raise _repeated(text) from None
    if too_deep(value, limits.depth):
        raise _deep(limits.depth)
    return value, strict


def ways(text: str, tree: object, step: Step, newline: str, comments: bool = False) -> Iterator[str]:
    """See `formats.Format`. `comments`: may comments be written?"""
    del tree
    yield _written(text, step, newline, comments)


def comments_above(text: str, tree: object, path: Path) -> tuple[str, ...]:
    """See `formats.Format`."""
    if tree is True or not path or json_tree.root(text) is None:
        return ()
    return _above(text, *_box(text, path))


def comments_within(text: str, tree: object, path: Path) -> dict[str | int, tuple[str, ...]]:
    """See `formats.Format`."""
    if tree is True or json_tree.root(text) is None:
        return {}
    items = list(json_tree.items(text, place := json_tree.find(text, path)))
    box = flow.Box(place.start, place.end - 1, tuple(item.entry for item in items))
    above = {json_tree.name_of(text, one) if one.name else at: _above(text, box, at) for at, one in enumerate(items)}
    return {step: lines for step, lines in above.items() if lines}


def _above(text: str, box: flow.Box, index: int) -> tuple[str, ...]:
    start = box.items[index][0]
    if not flow.starts_line(text, start):
        return ()
    floor = box.items[index - 1][1] if index else box.open + 1
    block = text[flow.own_comments(text, SYNTAX, start, floor) : flow.line_start(text, start)]
    return tuple(_MARK.sub("", line) for line in block.splitlines())


_MARK = re.compile(r"^[ \t]*(?://+|/\*+|\*(?!/))?[ \t]?|[ \t]*\*/[ \t]*$|[ \t]+$")


class _RepeatedError(ValueError):
    pass


def _load(text: str) -> Value:
    try:
        value: Value = json.loads(text, object_pairs_hook=_members, parse_constant=_constant)
    except RecursionError:
        raise _deep(None) from None
    except (json.JSONDecodeError, _RepeatedError, DocumentError):
        raise
    except ValueError:  # Python reads at most 4300 digits
        raise DocumentError("a whole number has more digits than can be read") from None
    return value


def _members(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RepeatedError
    return members


def _constant(word: str) -> Value:
    raise DocumentError(f"{word} is no JSON value")


def _repeated(bare: str) -> DocumentError:
    found = json_tree.repeated(bare)
    assert found is not None
    name, at = found
    return DocumentError(f"the name {name!r} is there twice: keep one of the two", line_of(bare, at))


def _deep(depth: int | None) -> DocumentError:
    return DocumentError("too many containers inside each other" + (f": more than {depth}" if depth else ""))


def _written(text: str, step: Step, newline: str, comments: bool) -> str:
    style = style_of(text, newline)
    root = json_tree.root(text)
    if root is None:  # nothing but comments: the value is {}
        value = {step.name: step.value} if isinstance(step, Add) else step.value if isinstance(step, Replace) else {}
        head = text.rstrip()
        head += newline if head else ""
        return head + write(value, "", style) + newline
    match step:
        case Replace():
            return splice(text, [_replaced(text, root, step, style)])
        case Add() | Put():
            place = json_tree.find(text, step.path)
            return splice(text, _inserted(text, place, step, style, comments))
        case Delete():
            return splice(text, flow.delete(text, SYNTAX, *_box(text, step.path)))
        case Rename():
            name = json_tree.find(text, step.path).name
            assert name is not None
            return splice(text, [(*name, write(step.name, None, style))])


def _box(text: str, path: Path) -> tuple[flow.Box, int]:
    """The list that `path` is an item of, and its number there."""
    parent = json_tree.find(text, path[:-1])
    child = json_tree.find(text, path)
    box = json_tree.box(text, parent)
    return box, box.items.index(child.entry)


def _replaced(text: str, root: Place, step: Replace, style: JsonStyle) -> tuple[int, int, str]:
    place = json_tree.find(text, step.path)
    old = text[place.start : place.end]
    one_line = old[0] in "[{" and "\n" not in old and any(True for _ in json_tree.items(text, place))
    spread = (
        not one_line and (place == root or flow.starts_line(text, place.entry[0])) and (style.spread or old == "{}")
    )
    indent = flow.indent_at(text, place.entry[0]) if spread else None
    return place.start, place.end, write(step.value, indent, style)


def _inserted(text: str, place: Place, step: Add | Put, style: JsonStyle, comments: bool) -> list[tuple[int, int, str]]:
    items = list(json_tree.items(text, place))
    box = flow.Box(place.start, place.end - 1, tuple(item.entry for item in items))
    if isinstance(step, Put):
        index, head = step.index, ""
        spread = style.spread and (not style.arrays_inline or isinstance(step.value, dict | list))
    else:
        names = [json_tree.name_of(text, item) for item in items]
        index = names.index(step.after) + 1 if step.after is not None else 0
        head = write(step.name, None, style) + _colon(text, items[max(index - 1, 0)] if items else None, style)
        spread = style.spread or (place.start == json_tree.root(text).start)  # type: ignore[union-attr]
    lines = [line for one in step.comments for line in one.splitlines() or [""]] if comments else []
    return flow.insert(
        text,
        SYNTAX,
        flow.Style(style.newline, style.unit, flow.comma_of(text, box, style.comma), style.pad if head else ""),
        box,
        index,
        lambda indent: head + _in_hand(text, items, step.value, indent, len(head), style),
        spread,
        tuple(f"// {line}".rstrip() for line in lines),
    )


def _in_hand(text: str, items: list[Place], value: Value, indent: str | None, before: int, style: JsonStyle) -> str:
    """A new item on one line where all its neighbours of its sort are, and there is room; otherwise over lines."""
    bracket = "{" if isinstance(value, dict) else "["
    alike = [text[one.start : one.end] for one in items if text[one.start] == bracket and one.end - one.start > 2]
    if isinstance(value, dict | list) and alike and not any("\n" in one for one in alike):
        line = write(value, None, style)
        if len(indent or "") + before + len(line) <= WIDTH:
            return line
    return write(value, indent, style)


def _colon(text: str, sibling: Place | None, style: JsonStyle) -> str:
    if sibling is None or sibling.name is None:
        return style.colon
    found = text[sibling.name[1] : sibling.start]
    return found if found.strip(" \t") == ":" else style.colon
