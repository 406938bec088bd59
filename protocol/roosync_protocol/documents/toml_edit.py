"""How a TOML text is edited: statement by statement, where the values in them go through `flow`.

Source: TOML 1.0; design page 4-configuration.
"""

import re

from roosync_protocol.documents import flow, toml_long, toml_tree, toml_write
from roosync_protocol.documents.base import EditRefused, Splice, splice
from roosync_protocol.documents.edits import Delete, Path, Rename, show
from roosync_protocol.documents.steps import Add, Put, Replace, Step
from roosync_protocol.documents.toml_tree import SYNTAX, Statement, Thing
from roosync_protocol.names import Value

_LINE_END = re.compile(r"\r?\n")
# Comment lines right below a statement, with nothing right below them: they are not about what follows.
_COMMENTS_BELOW = re.compile(r"(?:\r?\n[ \t]*#[^\r\n]*)++(?=[ \t]*(?:\r?\n[ \t]*)?(?:\r?\n|\Z))")
LAST = "\0last"  # the name of no member: behind all of them


class Editor:
    """Writes steps into one text; `found` are its statements, when they are known already."""

    def __init__(self, text: str, newline: str, found: list[Statement] | None = None) -> None:
        self._text = text
        self._newline = newline
        self._all = toml_tree.statements(text) if found is None else found
        self._numbers = {one.start: number for number, one in enumerate(self._all)}
        self._style = toml_write.style_of(text, self._all, newline)

    def written(self, step: Step) -> str:
        """The text after `step`. EditRefused or LookupError when it can not be said."""
        match step:
            case Replace():
                return self._replace(step)
            case Add():
                return self._add(step)
            case Put():
                return self._put(step)
            case Delete():
                return splice(self._text, self._delete(step.path))
            case Rename():
                return splice(self._text, self._rename(step))

    def overlaid(self, step: Step) -> str | None:
        """The text after `step` where it changes lines of a long string; None where it does not."""
        if not isinstance(step, Replace) or not isinstance(step.value, str):
            return None
        old = self._thing(step.path)
        new = toml_long.edited(self._text[old.start : old.end], step.value, self._newline) if old else None
        return splice(self._text, [(old.start, old.end, new)]) if old and new is not None else None

    def _under(self, path: Path) -> list[Statement]:
        return [one for one in self._all if one.path[: len(path)] == path]

    def _inside(self, path: Path) -> tuple[Statement, list[tuple[Thing, int]]] | None:
        """The pair whose value holds `path`, and the way inside of it: containers and numbers of items."""
        for one in self._all:
            if one.value is not None and path[: len(one.path)] == one.path:
                return one, _way(one.value, path[len(one.path) :])
        return None

    def _thing(self, path: Path) -> Thing | None:
        found = self._inside(path)
        if found is None:
            return None
        one, way = found
        if not way:
            return one.value
        return way[-1][0].items[way[-1][1]].value

    def _replace(self, step: Replace) -> str:
        old = self._thing(step.path)
        if old is not None:
            raw = self._text[old.start : old.end]
            bare = toml_write.date(step.value) if raw[0].isdigit() and toml_write.date(raw.replace(" ", "T")) else None
            found = self._inside(step.path)
            assert found is not None
            whole = toml_write.pair("x", step.value, self._style).split("=", 1)[1].lstrip(" ")
            new = bare or (toml_write.inline(step.value, self._style) if found[1] else whole)
            return splice(self._text, [(old.start, old.end, new)])
        if not step.path and not isinstance(step.value, dict):
            raise EditRefused("a TOML document is a table")
        header = any(one.value is None and one.path == step.path for one in self._all)
        if isinstance(step.value, dict) and (header or not step.path):
            return self._refill(step.path, step.value)
        shorter = splice(self._text, self._delete(step.path))
        if not isinstance(step.path[-1], str):
            return Editor(shorter, self._newline).written(Put(step.path[:-1], step.path[-1], step.value))
        before = next((one for one in reversed(self._all) if one.start < self._under(step.path)[0].start), None)
        depth = len(step.path) - 1
        near = (
            before.path[depth]
            if before and len(before.path) > depth and before.path[:depth] == step.path[:-1]
            else None
        )
        return Editor(shorter, self._newline).written(
            Add(step.path[:-1], step.path[-1], step.value, near if isinstance(near, str) else LAST)
        )

    def _refill(self, path: Path, value: dict[str, Value]) -> str:
        """Other members for a table; its header stays with its comments."""
        own = [one for one in self._under(path) if len(one.path) > len(path)]
        text = splice(self._text, self._removed(own)) if own else self._text
        for name, one in value.items():
            text = Editor(text, self._newline).written(Add(path, name, one, LAST))
        return text

    def _add(self, step: Add) -> str:
        text, style = self._text, self._style
        holder = self._thing(step.path)
        if holder is not None:
            assert holder.bracket == "{"
            names = [item.names[0].text for item in holder.items]
            index = 0 if step.after is None else names.index(step.after) + 1 if step.after in names else len(names)
            new = toml_write.pair(step.name, step.value, style, False)
            pad = "" if style.flush else " "
            return splice(text, self._insert(holder, index, new, pad, step.comments))
        header = next((one for one in self._all if one.value is None and one.path == step.path), None)
        dots = [
            one for one in self._all if one.value and one.path[: len(step.path)] == step.path and one.table != step.path
        ]
        dots = [one for one in dots if len(one.table) < len(step.path)]
        if step.path and header is None and dots:
            return self._add_dotted(step, dots)
        if toml_write.is_section(step.name, step.value, style):
            return self._add_section(step)
        return self._add_pair(step, header)

    def _insert(
        self, holder: Thing, index: int, new: str, pad: str = "", comments: tuple[str, ...] = ()
    ) -> list[Splice]:
        box = flow.Box(holder.start, holder.end - 1, tuple((one.start, one.end) for one in holder.items))
        style = flow.Style(self._newline, "  ", flow.comma_of(self._text, box, ", "), pad)
        above = tuple(f"# {one}".rstrip() for one in comments)
        return flow.insert(self._text, SYNTAX, style, box, index, lambda _: new, False, above)

    def _add_dotted(self, step: Add, dots: list[Statement]) -> str:
        """Into a table that exists by `a.b = 1` alone: one more line of the kind."""
        near = next((one for one in dots if one.path[: len(step.path) + 1] == (*step.path, step.after)), dots[-1])
        prefix = toml_write.dotted(step.path[len(near.table) :])
        line = prefix + "." + toml_write.pair(step.name, step.value, self._style)
        return self._line_at(self._line_end(near.end), line, step.comments, flow.indent_at(self._text, near.start))

    def _add_pair(self, step: Add, header: Statement | None) -> str:
        line = toml_write.pair(step.name, step.value, self._style)
        own = [one for one in self._all if one.value is not None and one.table == step.path]
        if step.path and header is None:  # the table exists by its sub-tables alone: give it a header
            above = "".join(f"# {one}".rstrip() + self._newline for one in step.comments)
            block = f"[{toml_write.dotted(step.path)}]{self._newline}{above}{line}"
            first = self._under(step.path)[0]
            at = flow.own_comments(self._text, SYNTAX, first.start, -1)
            return splice(self._text, [(at, at, block + self._newline * 2)])
        near = [one for one in own if one.path[: len(step.path) + 1] == (*step.path, step.after)]
        if near or (own and step.after is not None):
            one = (near or own)[-1]
            return self._line_at(self._line_end(one.end), line, step.comments, flow.indent_at(self._text, one.start))
        if header is not None:
            return self._line_at(
                self._line_end(header.end), line, step.comments, flow.indent_at(self._text, header.start)
            )
        return self._top(line, step.comments)

    def _top(self, line: str, comments: tuple[str, ...]) -> str:
        """The first pair of the whole file, before all headers and pairs."""
        text, newline = self._text, self._newline
        above = "".join(f"# {one}".rstrip() + newline for one in comments)
        if not self._all:
            head = text.rstrip()
            return head + (newline if head else "") + above + line + newline
        at = flow.own_comments(text, SYNTAX, self._all[0].start, -1)
        gap = newline if self._all[0].value is None else ""
        return splice(text, [(at, at, above + line + newline + gap)])

    def _add_section(self, step: Add) -> str:
        """A table under a header of its own, behind the last statement of its sibling or of its parent."""
        assert isinstance(step.value, dict)
        path = (*step.path, step.name)
        block = toml_write.section(path, step.value, self._style)
        above = "".join(f"# {one}".rstrip() + self._newline for one in step.comments)
        if step.after is None:
            later = [one for one in self._under(step.path) if one.value is None and len(one.path) > len(step.path)]
            if later:
                at = flow.own_comments(self._text, SYNTAX, later[0].start, -1)
                return splice(self._text, [(at, at, above + block + self._newline * 2)])
        family = self._under((*step.path, step.after)) if step.after is not None else []
        if not any(one.value is None for one in family):
            family = self._under(step.path)
        return self._section_behind(family, above + block)

    def _section_behind(self, family: list[Statement], block: str) -> str:
        text, newline = self._text, self._newline
        if not family:
            family = self._all
        if not family:
            head = text.rstrip()
            return head + (newline * 2 if head else "") + block + newline
        last = family[-1]
        following = next((one for one in self._all if one.start > last.start), None)
        if following is not None and following.value is not None:  # pairs of the same table: behind all of them
            last = [one for one in self._all if one.table == last.table and one.start >= last.start][-1]
        at = flow.end_of(_COMMENTS_BELOW, text, self._line_end(last.end))
        return splice(text, [(at, at, newline * 2 + block)])

    def _line_at(self, at: int, line: str, comments: tuple[str, ...], indent: str) -> str:
        start = self._newline + indent
        above = "".join(start + f"# {one}".rstrip() for one in comments)
        return splice(self._text, [(at, at, above + start + line)])

    def _line_end(self, at: int) -> int:
        """The end of the line, behind its comment."""
        return flow.end_of(SYNTAX.trail, self._text, at)

    def _put(self, step: Put) -> str:
        holder = self._thing(step.path)
        if holder is not None:
            assert holder.bracket == "["
            new = toml_write.inline(step.value, self._style)
            return splice(self._text, self._insert(holder, step.index, new, comments=step.comments))
        if not isinstance(step.value, dict):
            raise EditRefused(f"{show(step.path)} is an array of tables: only a table can come in")
        above = "".join(f"# {one}".rstrip() + self._newline for one in step.comments)
        block = above + toml_write.section(step.path, step.value, self._style, array=True)
        at_place = self._under((*step.path, step.index))
        if at_place:
            at = flow.own_comments(self._text, SYNTAX, at_place[0].start, -1)
            return splice(self._text, [(at, at, block + self._newline * 2)])
        return self._section_behind(self._under(step.path), block)

    def _delete(self, path: Path) -> list[Splice]:
        text = self._text
        found = self._inside(path)
        if found is not None and found[1]:
            holder, index = found[1][-1]
            if len(path) - len(found[0].path) < len(found[1]):
                raise EditRefused(f"{show(path)} is written with dots inside of braces")
            box = flow.Box(holder.start, holder.end - 1, tuple((one.start, one.end) for one in holder.items))
            return flow.delete(text, SYNTAX, box, index)
        gone = self._under(path)
        if not gone:
            raise LookupError(show(path))
        return self._removed(gone)

    def _removed(self, gone: list[Statement]) -> list[Splice]:
        """The lines of all of `gone`, and of a table also what is between its statements."""
        text = self._text
        merged: list[Splice] = []
        starts = {one.start for one in gone}
        for begin, end in sorted(self._lines(one, starts) for one in gone):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]), "")
            else:
                merged.append((begin, end, ""))
        first = self._all[0].start in starts
        merged = [
            (*flow.whole_lines(text, SYNTAX, begin, end, 0, first and not number, False), "")
            for number, (begin, end, _) in enumerate(merged)
        ]
        begin, end, _ = merged[-1]
        if end == len(text) and begin:  # the blank lines above go; the end of the last line stays what it was
            begin = len(text[:begin].rstrip())
            end = len(text.rstrip("\r\n")) if begin else end
        merged[-1] = (begin, end, "")
        return merged

    def _lines(self, one: Statement, gone: set[int]) -> tuple[int, int]:
        text = self._text
        number = self._numbers[one.start]
        floor = self._all[number - 1].end if number else -1
        begin = flow.own_comments(text, SYNTAX, one.start, floor)
        following = self._all[number + 1] if number + 1 < len(self._all) else None
        if following is not None and following.start in gone:
            return begin, flow.own_comments(text, SYNTAX, following.start, one.end)
        return begin, flow.end_of(_LINE_END, text, self._line_end(one.end))

    def _rename(self, step: Rename) -> list[Splice]:
        found = self._inside(step.path)
        new = toml_write.key(step.name)
        if found is not None and found[1]:
            holder, index = found[1][-1]
            name = holder.items[index].names[-1]
            return [(name.start, name.end, new)]
        splices = []
        for one in self._under(step.path):
            start = 0 if one.value is None else len(one.table)
            number = len([1 for part in step.path[start:] if isinstance(part, str)]) - 1
            if number >= 0:
                splices.append((one.names[number].start, one.names[number].end, new))
        return splices


def _way(value: Thing, rest: Path) -> list[tuple[Thing, int]]:
    """Down into a value: at each container, the number of the item to follow."""
    way: list[tuple[Thing, int]] = []
    while rest:
        for index, item in enumerate(value.items):
            names = tuple(name.text for name in item.names) or (index,)
            if rest[: len(names)] == names:
                way.append((value, index))
                value, rest = item.value, rest[len(names) :]
                break
        else:
            raise EditRefused(f"{show(rest)} is written with dots inside of braces, or not there")
    return way
