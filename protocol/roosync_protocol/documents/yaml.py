"""YAML, edited by splicing at the places of its nodes, never dumped again.

Block maps and lists are edited line by line here; what stands between brackets goes through `flow`. A place that
an alias or a merge repeats elsewhere is not edited: the change would be seen where nobody asked for it.
Source: YAML 1.2.2; design page 4-configuration.
"""

import re
from collections.abc import Iterator

from roosync_protocol.documents import flow, yaml_long, yaml_write
from roosync_protocol.documents.base import EditRefused, Limits, Splice, splice
from roosync_protocol.documents.edits import Delete, Path, Rename, show
from roosync_protocol.documents.steps import Add, Put, Replace, Step
from roosync_protocol.documents.yaml_spot import SYNTAX, Spot
from roosync_protocol.documents.yaml_tree import Item, Node, load
from roosync_protocol.documents.yaml_write import YamlStyle, after_colon, after_dash, column_of, style_of
from roosync_protocol.names import Value

_ANCHOR = re.compile(r"(?:&[^\s,\[\]{}]+[ \t]+)?")
_INDENTED_COMMENT = re.compile(r"\r?\n([ \t]*)#[^\r\n]*")
_GAP_TO_COMMENT = re.compile(r"(?:\r?\n[ \t]*)*(?=\r?\n[ \t]*#)")


def read(text: str, limits: Limits) -> tuple[Value, object]:
    """See `formats.Format`. A file of nothing but comments is {}."""
    return load(text, limits)


def ways(text: str, tree: object, step: Step, newline: str) -> Iterator[str]:
    """See `formats.Format`: over the old text, then with literal blocks, then the same with quotes."""
    assert tree is None or isinstance(tree, Node)
    for literals in (True, False):
        editor = _Editor(text, tree, style_of(text, tree, newline, literals))
        for new in (editor.overlaid(step) if literals else None, editor.written(step)):
            if new is not None:
                yield new
                if not new.endswith("\n"):  # a literal block at the end wants the line end that was not there
                    yield new + newline


def comments_above(text: str, tree: object, path: Path) -> tuple[str, ...]:
    """See `formats.Format`."""
    if not path or not isinstance(tree, Node):
        return ()
    return _above(text, _Editor(text, tree, YamlStyle()).find(path))


def comments_within(text: str, tree: object, path: Path) -> dict[str | int, tuple[str, ...]]:
    """See `formats.Format`."""
    if not isinstance(tree, Node) or "#" not in text:
        return {}
    return {
        step: lines for step, spot in _Editor(text, tree, YamlStyle()).entries(path) if (lines := _above(text, spot))
    }


def _above(text: str, spot: Spot) -> tuple[str, ...]:
    start = spot.start
    if not flow.starts_line(text, start):
        return ()
    block = text[spot.above(text) : flow.line_start(text, start)]
    return tuple(re.sub(r"^[ \t]*#+[ \t]?|[ \t]+$", "", line) for line in block.splitlines())


class _Editor:
    def __init__(self, text: str, root: Node | None, style: YamlStyle) -> None:
        self._text = text
        self._root = root
        self._style = style

    def written(self, step: Step) -> str:
        """The text after `step`. EditRefused when it can not be said here."""
        text, root = self._text, self._root
        if root is None:
            return self._first(step)
        match step:
            case Replace(path=()):
                if root.shared:
                    raise self._shared(())
                return splice(text, [(root.start, root.end, self._whole(step.value))])
            case Replace():
                spot = self.find(step.path)
                return splice(text, self._replace(spot, step.value, _role(step.path), step.path))
            case Add() if root.kind == "scalar":  # a document that says null
                return splice(text, [(root.start, root.end, self._whole({step.name: step.value}))])
            case Add():
                return splice(text, self._add(step))
            case Put():
                return splice(text, self._put(step))
            case Delete():
                return splice(text, self._delete(self.find(step.path), step.path))
            case Rename():
                old = self.find(step.path)
                key = old.item.key
                assert key is not None
                self._explicit(old)
                if key.kind == "alias":
                    raise self._shared(step.path)
                new = yaml_write.key(step.name, key.style, old.inside)
                return splice(text, [(key.start, key.end, new)])

    def overlaid(self, step: Step) -> str | None:
        """The text after `step` where it changes a part of a scalar over several lines; None where it does not."""
        if not isinstance(step, Replace) or not isinstance(step.value, str) or self._root is None:
            return None
        spot = self.find(step.path) if step.path else None
        old = spot.item.value if spot else self._root
        column = column_of(self._text, spot.start) if spot else 0
        found = None if old.shared else yaml_long.edited(self._text, old, step.value, column, self._style)
        return splice(self._text, [found]) if found else None

    def find(self, path: Path) -> Spot:
        """The item at `path`. EditRefused when the way leads through what is shared or merged."""
        node, spot, inside = self._root, None, False
        assert node is not None
        for depth, step in enumerate(path):
            self._own(node, path[:depth])
            inside = inside or node.style == "flow"
            spot = Spot(self._text, node, self._index(node, step, path[: depth + 1]), inside)
            node = spot.item.value
        assert spot is not None
        return spot

    def entries(self, path: Path) -> Iterator[tuple[str | int, Spot]]:
        """Every entry of the container at `path` that stands there itself."""
        node, _, inside = self._container(path)
        for index, item in enumerate(node.items):
            if not item.merges:
                step = index if item.key is None else self._name(item)
                yield step, Spot(self._text, node, index, inside or node.style == "flow")

    def _index(self, node: Node, step: str | int, path: Path) -> int:
        if isinstance(step, int):
            return step
        for index, item in enumerate(node.items):
            if item.key is not None and self._name(item) == step and not item.merges:
                return index
        raise EditRefused(f"{show(path)} comes from another place by << and can not be edited here")

    def _container(self, path: Path) -> tuple[Node, Spot | None, bool]:
        """The container at `path`, the item that holds it, and whether it is inside brackets (itself not)."""
        spot = self.find(path) if path else None
        node = spot.item.value if spot else self._root
        assert node is not None
        self._own(node, path)
        return node, spot, spot.inside if spot else False

    @staticmethod
    def _name(item: Item) -> str:
        assert item.key is not None
        return (item.key.target or item.key).text

    def _own(self, node: Node, path: Path) -> None:
        if node.kind == "alias" or node.shared:
            raise self._shared(path)

    @staticmethod
    def _shared(path: Path) -> EditRefused:
        return EditRefused(f"{show(path)} is repeated in another place by an alias: the edit would change both")

    def _explicit(self, spot: Spot) -> None:
        if self._text[: spot.start].rstrip(" \t").endswith("?"):
            raise EditRefused("the name is written with '? ', which is not edited")

    def _whole(self, value: Value) -> str:
        if isinstance(value, dict | list) and value:
            return yaml_write.block(value, 0, "", self._style)
        return yaml_write.flow(value, "", self._style, isinstance(value, dict | list))

    def _first(self, step: Step) -> str:
        """The first value of a file that has none yet: it goes behind the comments."""
        value: Value = {step.name: step.value} if isinstance(step, Add) else getattr(step, "value", {})
        head = self._text.rstrip()
        newline = self._style.newline
        return head + (newline if head else "") + self._whole(value) + newline

    def _replace(self, spot: Spot, value: Value, role: str, path: Path) -> list[Splice]:
        text, old, style = self._text, spot.item.value, self._style
        if old.shared:
            raise self._shared(path)
        if spot.inside:
            quoted = old.style == '"'
            new = yaml_write.flow(value, role, style, True, quoted)
            if not spot.empty:
                return [(old.start, old.end, new)]
            if spot.mark is None:
                return [(spot.end, spot.end, ": " + new)]
            return [(spot.mark, spot.mark, " " + new)]
        self._explicit(spot)
        if spot.mark is None:
            raise EditRefused(f"{show(path)} has no colon where one is expected")
        if isinstance(value, str) and old.kind == "scalar" and isinstance(yaml_write.core_or_text(old), str):
            style.hints = {**style.hints, role + ("\n" if "\n" in old.text else ""): old.style}
        if spot.item.key is not None:
            new = after_colon(value, column_of(text, spot.start), role, style)
        else:
            gap = text[spot.mark : old.start]
            gap = gap if gap and not gap.strip(" ") else " "
            new = after_dash(value, column_of(text, spot.start), role, style, gap)
        same_line = not spot.empty and "\n" not in text[spot.mark : old.start]
        inline = same_line and old.style not in ("|", ">", "block")
        if inline and "\n" not in new:
            start = old.start if isinstance(value, dict | list) else flow.end_of(_ANCHOR, text, old.start)
            return [(start, old.end, new.lstrip(" "))]
        if spot.empty:
            behind = end = spot.mark
        elif inline:
            behind = end = old.end
        else:
            behind = spot.mark if old.style == "block" else self._header_end(old)
            end = old.end
        tail = flow.end_of(SYNTAX.trail, text, behind) if not same_line or old.style != "block" else behind
        first, newline, rest = new.partition(style.newline)
        return [(spot.mark, max(end, tail), first + text[behind:tail] + newline + rest)]

    def _header_end(self, old: Node) -> int:
        """Behind the head of a literal block, before its comment."""
        found = re.compile(r"[^\s]*").match(self._text, old.start)
        assert found is not None
        return found.end()

    def _add(self, step: Add) -> list[Splice]:
        text, style = self._text, self._style
        node, holder, inside = self._container(step.path)
        role = _role((*step.path, step.name))
        names = [self._name(item) for item in node.items]
        index = (names.index(step.after) + 1 if step.after in names else len(names)) if step.after is not None else 0
        like = node.items[max(index - 1, 0)].key.style if node.items else ""  # type: ignore[union-attr]
        if node.style == "flow":
            if not node.items and not inside and not self._comments_inside(node):
                return self._refill(holder, {step.name: step.value}, step.path)
            new = yaml_write.key(step.name, like, True) + ": "
            new += yaml_write.flow(step.value, role, style, True, like == '"')
            return self._flow_insert(node, index, new, step.comments)
        member = yaml_write.key(step.name, like) + ":"
        column = min(column_of(text, item.start) for item in node.items)  # a name behind '? ' stands deeper
        member += after_colon(step.value, column, role, style)
        return self._block_insert(node, index, member, column, step.comments)

    def _put(self, step: Put) -> list[Splice]:
        text, style = self._text, self._style
        node, holder, inside = self._container(step.path)
        role = _role((*step.path, 0))
        if node.style == "flow":
            if not node.items and not inside and not self._comments_inside(node):
                return self._refill(holder, [step.value], step.path)
            quoted = bool(node.items) and node.items[0].value.style == '"'
            new = yaml_write.flow(step.value, role, style, True, quoted)
            return self._flow_insert(node, step.index, new, step.comments)
        near = Spot(text, node, max(step.index - 1, 0), False)
        assert near.mark is not None
        gap = text[near.mark : near.item.value.start]
        gap = gap if gap and not gap.strip(" ") else " "
        column = column_of(text, near.start)
        element = "-" + after_dash(step.value, column, role, style, gap)
        return self._block_insert(node, step.index, element, column, step.comments)

    def _refill(self, holder: Spot | None, value: Value, path: Path) -> list[Splice]:
        """Give an empty {} or [] its first item, in the way of a block."""
        if holder is not None:
            return self._replace(holder, value, _role(path), path)
        assert self._root is not None
        return [(self._root.start, self._root.end, self._whole(value))]

    def _comments_inside(self, node: Node) -> bool:
        return "#" in self._text[node.start : node.end]

    def _box(self, node: Node) -> flow.Box:
        text = self._text
        start = flow.end_of(re.compile(r"(?:[&!][^\s]*\s+)*"), text, node.start)
        if text[start : start + 1] not in ("[", "{"):
            raise EditRefused("a pair without braces inside a list is not edited")
        spots = [Spot(text, node, index, True) for index in range(len(node.items))]
        return flow.Box(start, node.end - 1, tuple((spot.start, spot.end) for spot in spots))

    def _flow_insert(self, node: Node, index: int, new: str, comments: tuple[str, ...]) -> list[Splice]:
        text, box = self._text, self._box(node)
        style = flow.Style(self._style.newline, " " * self._style.step, flow.comma_of(text, box, ", "))
        above = tuple(f"# {line}".rstrip() for one in comments for line in one.splitlines() or [""])
        return flow.insert(text, SYNTAX, style, box, index, lambda _: new, False, above)

    def _block_insert(self, node: Node, index: int, new: str, column: int, comments: tuple[str, ...]) -> list[Splice]:
        text, newline, indent = self._text, self._style.newline, " " * column
        lines = [f"{indent}# {line}".rstrip() + newline for one in comments for line in one.splitlines() or [""]]
        gaps = [
            (one.value.end, Spot(text, node, number + 1, False).start) for number, one in enumerate(node.items[:-1])
        ]
        blank = newline * flow.spaced(text, gaps)
        if index == 0:
            spot = Spot(text, node, 0, False)
            start = spot.start
            if flow.starts_line(text, start):
                at = spot.above(text)
                return [(at, at, "".join(lines) + indent + new + newline + blank)]
            return [(start, start, new + newline + indent)]
        at = self._end(Spot(text, node, index - 1, False), column)
        if text[at - 1] == "\n":  # blank lines that are a part of the text above must not become more
            blank = ""
        return [
            *self._chomped(node.items[index - 1].value, at),
            (at, at, newline + blank + "".join(lines) + indent + new),
        ]

    def _chomped(self, node: Node, at: int) -> list[Splice]:
        """A text over lines that the file's end cuts off has no line end, and keeps none when a line comes behind."""
        while node.items:
            node = node.items[-1].value
        if at < len(self._text) or node.style not in ("|", ">") or node.end < at or node.text.endswith("\n"):
            return []
        head = flow.end_of(re.compile(r"(?:[&!]\S*\s+)*[|>]"), self._text, node.start)
        end = flow.end_of(re.compile(r"[0-9+-]*"), self._text, head)
        return [(head, end, self._text[head:end].strip("+-") + "-")]

    def _end(self, spot: Spot, column: int) -> int:
        """The end of the last line of a block item, with the comments behind that are indented deeper."""
        text = self._text
        at = flow.end_of(SYNTAX.trail, text, spot.end)
        at = flow.end_of(re.compile(r"[ \t]*(?=\r?\n|\Z)"), text, at)
        while True:
            gap = _GAP_TO_COMMENT.match(text, at)
            comment = _INDENTED_COMMENT.match(text, gap.end()) if gap else None
            if not comment or len(comment[1]) <= column:
                return at
            at = comment.end()

    def _delete(self, spot: Spot, path: Path) -> list[Splice]:
        text, node = self._text, spot.parent
        if spot.inside:
            return flow.delete(text, SYNTAX, self._box(node), spot.index)
        self._explicit(spot)
        column = column_of(text, spot.start)
        end = self._end(spot, column)
        alone = flow.starts_line(text, spot.start)
        begin = spot.above(text) if alone else spot.start
        behind = flow.end_of(re.compile(r"\r?\n"), text, end)
        if len(path) == 1 and len(node.items) == 1:
            return [(begin, end, "{}" if node.kind == "map" else "[]")]
        if len(node.items) > 1 and not alone:  # behind a dash: the next item comes up
            return [(begin, flow.end_of(re.compile(r"[ \t]*"), text, behind), "")]
        ended = behind > end
        if len(node.items) > 1:
            floor = text.find("\n", node.items[spot.index - 1].value.end) + 1 if spot.index else 0
            last = not text[behind:].strip()
            begin, behind = flow.whole_lines(text, SYNTAX, begin, behind, floor, not spot.index, last)
        if not ended and alone and begin:  # the last line has no end: its neighbour above loses its own
            begin -= 2 if text.endswith("\r\n", 0, begin) else 1
        return [(begin, behind, "")] if len(node.items) > 1 else self._empty(spot, path, begin, end, behind)

    def _empty(self, spot: Spot, path: Path, begin: int, end: int, behind: int) -> list[Splice]:
        """Take the only item of a container: it becomes {} or []."""
        text, node = self._text, spot.parent
        nothing = "{}" if node.kind == "map" else "[]"
        holder = self.find(path[:-1])
        if not flow.starts_line(text, spot.start):
            return [(spot.start, end, nothing)]
        if holder.mark is None or node.start != spot.start:
            raise EditRefused(f"{show(path[:-1])} has an anchor or tag and can not become empty")
        return [(holder.mark, holder.mark, " " + nothing), (begin, behind, "")]


def _role(path: Path) -> str:
    role = ""
    for step in path:
        role = yaml_write.member(role, step) if isinstance(step, str) else role + "[]"
    return role
