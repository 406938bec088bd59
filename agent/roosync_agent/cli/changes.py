"""What a change looks like to a person: a leaf as before and after, a text by its lines, an entity member by member.

Every line has its mark (`-`, `+`, `=`) and every line of a text begins with `|`, so that no value can pose as another
line of the answer; what is too wide for the terminal goes on behind the same mark and `>` (`fitted`). Two views: the
card leaves out nothing but lines that stay as they are, and says so; the overview of `diffs` shortens what is long,
around what changed.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from roosync_agent.characters import harmless
from roosync_agent.cli.text import value_text
from roosync_agent.columns import columns
from roosync_agent.wording import tr, trn

CONTEXT = 2  # lines that stay, shown around a change
WIDE = 100  # characters; a longer list has a line for each element, and in the overview a longer value is cut
FURTHER = 6  # columns that a line goes on behind, when it is too wide
AROUND = 30  # characters beside a change in a line that is cut
SOME = 3  # lines or elements of a long value in the overview
DEEP = 6  # maps in maps, each on lines of its own
_ROW = re.compile(r"lines? \d+( to \d+)?")
_NAME = re.compile(r"[\w.$@/-]+")


class Told(NamedTuple):
    """`left`: lines that stay and are not shown. `whole`: the members whose new value stands here in full."""

    lines: list[str]
    left: int
    whole: frozenset[str]


def changes_text(changes: list[dict[str, Any]], kind: str = "", *, clip: bool = False) -> list[str]:
    """`- before` and `+ after` for each leaf that differs; `clip`: long values are cut, for an overview."""
    return told(changes, kind, clip=clip).lines


def told(changes: list[dict[str, Any]], kind: str, *, clip: bool = False, full: bool = False) -> Told:
    """`kind` is that of the entity. `full`: a text that changed as the whole old and the whole new one."""
    lines: list[str] = []
    left = 0
    whole: set[str] = set()
    for change in changes:
        shown, hidden = _change(change, kind, clip, full)
        lines += shown
        left += hidden
        path, after = change["path"], change["after"]
        if hidden or clip or change["absent"] == "after":
            continue
        if len(path) == 1:
            whole.add(str(path[0]))
        elif not path and isinstance(after, dict):
            whole |= after.keys()
    return Told(lines, left, frozenset(whole))


def block(mark: str, where: str, value: Any, *, clip: bool = False, apart: bool = False) -> list[str]:
    """A value over as many lines as it needs, each with its mark. `apart`: each element of a list on its own."""
    first, *rest = _lines_of(value, clip, apart=apart)
    return [f"{mark} {where}: {first}".removesuffix(" "), *(f"{mark}   {line}" for line in rest)]


def fitted(lines: Iterable[str], room: int, place: int) -> Iterator[str]:
    """Lines of values that begin at `place`, none wider than `room` columns; 0 room is endless.

    Nothing is left out, and a terminal that breaks a line by itself would begin the rest where the card's own begin.
    """
    most = max(room - place - FURTHER, 10)
    for line in lines:
        if not room or columns(line) <= room - place:
            yield " " * place + line
            continue
        first, *rest = chopped(line, max(room - place, 10), most)
        yield " " * place + first
        yield from (f"{' ' * place}{line[:1]}   > {part}" for part in rest)


def chopped(text: str, first: int, most: int) -> Iterator[str]:
    """A text in pieces of that many columns, the first of `first`; a mark stays with its letter."""
    start, used, room = 0, 0, first
    if text.isascii():
        yield text[:first]
        yield from (text[at : at + most] for at in range(first, len(text), most))
        return
    for at, char in enumerate(text):
        wide = columns(char)
        if used + wide > room:
            yield text[start:at]
            start, used, room = at, 0, most
        used += wide
    yield text[start:]


def ordered(value: Any, kind: str) -> Any:
    """The members of an entity in the order in which people write them."""
    from roosync_protocol.entity import Kind
    from roosync_protocol.hand import in_hand

    return in_hand(value, [], Kind(kind)) if isinstance(value, dict) and kind in set(Kind) else value


def _change(change: dict[str, Any], kind: str, clip: bool, full: bool) -> tuple[list[str], int]:
    path, before, after, absent = change["path"], change["before"], change["after"], change["absent"]
    where = ".".join(harmless(part) for part in path) or tr("(all of it)")
    if kind in ("text", "setting") and len(path) == 1 and _ROW.fullmatch(str(path[0])):
        old, new = (before or "").split("\n"), (after or "").split("\n")
        return [f"@@ {where} @@", *_both([] if absent == "before" else old, [] if absent == "after" else new, clip)], 0
    texts = isinstance(before, str) and isinstance(after, str) and "\n" in before + after
    if texts and not absent and not full:
        return _diff("" if not path else where, before, after, clip)
    if not path:
        before, after = ordered(before, kind), ordered(after, kind)
    if not absent and not texts and not any(_is_map(side) for side in (before, after)):
        old_line, new_line = _inline(before), _inline(after)
        if clip:
            old_line, new_line = _around(old_line, new_line)
        return [f"- {where}: {old_line}", f"+ {where}: {new_line}"], 0
    sides = (("-", "before", before), ("+", "after", after))
    return [line for mark, side, value in sides if side != absent for line in block(mark, where, value, clip=clip)], 0


def _diff(where: str, before: str, after: str, clip: bool) -> tuple[list[str], int]:
    """A text by the lines that differ, and how many of those that stay are left out."""
    from roosync_agent.operations.files.line_changes import line_opcodes

    old, new = before.split("\n"), after.split("\n")
    if not old[-1] and not new[-1]:
        old, new = old[:-1], new[:-1]
    lines: list[str] = []
    kept: set[int] = set()  # lines of the old text that stay and are shown
    codes = line_opcodes(old, new)
    reach = -1  # the old text is shown up to here
    for at, (tag, i, j, k, m) in enumerate(codes):
        if tag == "equal":
            continue
        start = max(i - CONTEXT, reach, 0)
        if reach < 0 or start > reach:
            place = tr("line {number}", number=start + 1)
            lines.append(f"@@ {where}, {place} @@" if where else f"@@ {place} @@")
        end = min(j + CONTEXT, codes[at + 1][2]) if at + 1 < len(codes) else j
        lines += [f"    | {_short(harmless(line), clip)}" for line in old[start:i]]
        lines += _both(old[i:j], new[k:m], clip)
        lines += [f"    | {_short(harmless(line), clip)}" for line in old[j:end]]
        kept |= {*range(start, i), *range(j, end)}
        reach = end
    stay = sum(j - i for tag, i, j, _, _ in codes if tag == "equal")
    return lines, stay - len(kept)


def _both(old: list[str], new: list[str], clip: bool) -> Iterator[str]:
    """The lines of one change; what differs never looks the same."""
    shown = [[harmless(line) for line in side] for side in (old, new)]
    if {line.rstrip() for line in shown[0]} & {line.rstrip() for line in shown[1]}:
        shown = [[_with_blanks(line) for line in side] for side in (old, new)]
    if clip and len(old) == len(new):
        pairs = [_around(*pair) for pair in zip(*shown, strict=True)]
        shown = [[one for one, _ in pairs], [two for _, two in pairs]]
    for mark, side in zip("-+", shown, strict=True):
        yield from (f"{mark}   | {_short(line, clip)}" for line in side)


def _with_blanks(line: str) -> str:
    """Tabs, and blanks at the end, as what they are."""
    text = line.rstrip(" ")
    return harmless(text.replace("\t", "<U+0009>")) + "<U+0020>" * (len(line) - len(text))


def _lines_of(value: Any, clip: bool, depth: int = 0, *, apart: bool = False) -> list[str]:
    """The first goes beside the name of the value, "" when all of it stands below."""
    if isinstance(value, str) and "\n" in value:
        return ["", *_some([f"| {_short(harmless(line), clip)}" for line in value.split("\n")], clip, lines=True)]
    if _is_map(value) and depth < DEEP:
        lines = [""]
        for name, inner in value.items():
            first, *rest = _lines_of(inner, clip, depth + 1, apart=apart)
            lines += [f"{_name(name)}: {first}".removesuffix(" "), *(f"  {line}" for line in rest)]
        return lines
    line = _inline(value)
    if isinstance(value, list) and (len(line) > WIDE or (apart and len(value) > 1)):
        return ["", *_some([f"- {_short(_inline(one), clip)}" for one in value], clip, lines=False)]
    return [_short(line, clip)]


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and value.keys() != {"$secret"}


def _inline(value: Any) -> str:
    """On one line; a text that would look like another value, or hide a blank, is quoted."""
    if not isinstance(value, str):
        return value_text(value)
    bare = value and value.strip() == value and value.isprintable() and value[0] not in '"[{<(|'
    if bare and not re.fullmatch(r"true|false|null|-?[\d.][\d.eE+-]*", value):
        return harmless(value)
    return harmless(json.dumps(value, ensure_ascii=False))


def _name(name: str) -> str:
    return harmless(name if _NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False))


def _some(found: list[str], clip: bool, *, lines: bool) -> list[str]:
    left = len(found) - SOME
    if not clip or left <= 1:
        return found
    more = (
        trn("{count} more line", "{count} more lines", left)
        if lines
        else trn("{count} more element", "{count} more elements", left)
    )
    return [*found[:SOME], f"... {more}"]


def _short(line: str, clip: bool) -> str:
    most = WIDE + 2 * AROUND
    if not clip or len(line) <= most:
        return line
    left = len(line) - WIDE
    return f"{line[:WIDE]}... ({trn('{count} more character', '{count} more characters', left)})"


def _around(old: str, new: str) -> tuple[str, str]:
    """Two long lines without most of what they have in common at their beginning and end."""
    if max(len(old), len(new)) <= WIDE:
        return old, new
    shorter = min(len(old), len(new))
    start = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    end = next((at for at in range(shorter - start) if old[-1 - at] != new[-1 - at]), shorter - start)
    first, last = max(0, start - AROUND), max(0, end - AROUND)
    head, tail = "..." if first else "", "..." if last else ""
    return (
        _short(f"{head}{old[first : len(old) - last]}{tail}", True),
        _short(f"{head}{new[first : len(new) - last]}{tail}", True),
    )
