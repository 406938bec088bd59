"""YAML as nodes that know their places, with values by the rules of YAML 1.2.

PyYAML's parser gives exact places, but its own reading is YAML 1.1, where `on` is true and `017` is fifteen; the
assistants read YAML 1.2. So only its events are used, and composed here without recursion: depth, aliases and
tags are under control before anything is built. Source: YAML 1.2.2, chapter 10.3 (core schema).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from roosync_protocol.documents.base import DocumentError, Limits, line_of
from roosync_protocol.names import Value

_CORE = re.compile(
    r"""(?P<null>null|Null|NULL|~|)
    |(?P<true>true|True|TRUE)|(?P<false>false|False|FALSE)
    |(?P<int>[-+]?[0-9]+)|0o(?P<oct>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)
    |(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)
    |(?P<inf>[-+]?\.(?:inf|Inf|INF))|(?P<nan>\.(?:nan|NaN|NAN))""",
    re.VERBOSE,
)
_PREFIX = "tag:yaml.org,2002:"
_SCALAR_TAGS = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None)}

Kind = Literal["scalar", "map", "list", "alias"]


@dataclass(eq=False)
class Node:
    """One node. `end` of a block is the end of what is last in it; blank lines and comments behind are outside."""

    kind: Kind
    start: int  # of its anchor or tag, if it has one
    end: int
    style: str = ""  # of a scalar: "" (plain), one of "'|>, or of a container: "flow", "block"
    text: str = ""  # of a scalar, or the name of an alias
    tag: str | None = None
    target: "Node | None" = None  # of an alias
    shared: bool = False  # does an alias repeat it?
    items: "list[Item]" = field(default_factory=list)
    hand: object = None  # of the root: how the file writes its values, once somebody looked


@dataclass(eq=False)
class Item:
    """A member of a map, or an element of a list (no key)."""

    key: Node | None
    value: Node

    @property
    def start(self) -> int:
        return (self.key or self.value).start

    @property
    def merges(self) -> bool:
        """Is it `<<: *defaults`, which brings the members of another map?"""
        return self.key is not None and self.key.text == "<<" and not self.key.style and self.value.kind != "scalar"


def load(text: str, limits: Limits) -> tuple[Value, Node | None]:
    """The value and the root of `text`; ({}, None) when there is nothing but comments. DocumentError otherwise."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events from C, forty times faster
    stand_ins = _stand_ins(text)
    back = {ord(char): code for code, char in stand_ins.items()}
    try:
        root = _compose(text, yaml.parse(text.translate(stand_ins) if stand_ins else text, loader), limits, back)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(str(error.problem or error.context), mark.line + 1 if mark else None) from None
    except yaml.reader.ReaderError as error:
        raise DocumentError(f"a character that YAML does not allow: {error.reason}", _line(text, error)) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"the YAML parser says: {error}") from None
    if root is None:
        return {}, None
    value = _Values(text, limits).of(root, 1)
    return ({} if value is None else value), root


def _line(text: str, error: Any) -> int | None:
    position = error.position
    return line_of(text, position) if isinstance(position, int) and position >= 0 else None


def _stand_ins(text: str) -> dict[int, str]:
    """Other characters, unused in `text`, for those that ended a line in YAML 1.1 and are ordinary since."""
    used = [char for char in "\x85\u2028\u2029" if char in text]
    free = (chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
    return {ord(char): next(free, char) for char in used}


def _compose(text: str, events: Iterator[Any], limits: Limits, back: dict[int, int]) -> Node | None:
    """The nodes from the parser's events; `back` undoes the stand-ins."""
    anchors: dict[str, Node] = {}
    stack: list[tuple[Node, list[Node]]] = []  # open containers, with their children so far
    root: Node | None = None
    documents = 0
    for number, event in enumerate(events):
        if number > limits.nodes:
            raise DocumentError(f"more than {limits.nodes} values")
        word = type(event).__name__.removesuffix("Event")
        at = event.start_mark.index if event.start_mark else 0
        if word == "DocumentStart":
            documents += 1
            if documents > 1:
                raise DocumentError("more than one document in the file", line_of(text, at))
            if event.version == (1, 1):
                raise DocumentError("the file says it is YAML 1.1, where words mean other things", line_of(text, at))
        if word in ("StreamStart", "StreamEnd", "DocumentStart", "DocumentEnd"):
            continue
        if word in ("MappingEnd", "SequenceEnd"):
            node, children = stack.pop()
            _close(node, children, event.end_mark.index)
        else:
            node = _node(text, word, event, back, anchors, [parent for parent, _ in stack])
        if word in ("MappingStart", "SequenceStart"):
            if len(stack) >= limits.depth:
                raise DocumentError(
                    f"too many containers inside each other: more than {limits.depth}", line_of(text, at)
                )
            stack.append((node, []))
            if event.anchor:
                anchors[event.anchor] = node
            continue
        if stack:
            stack[-1][1].append(node)
        else:
            root = node
        if word == "Scalar" and event.anchor:
            anchors[event.anchor] = node
    if root is not None and root.kind == "scalar" and root.start == root.end:
        return None
    return root


def _node(
    text: str, word: str, event: Any, back: dict[int, int], anchors: dict[str, Node], parents: list[Node]
) -> Node:
    start, end = event.start_mark.index, event.end_mark.index
    if word == "Alias":
        target = anchors.get(event.anchor)
        if target is None:
            raise DocumentError(f"*{event.anchor} has no anchor above", line_of(text, start))
        if target in parents:
            raise DocumentError(f"*{event.anchor} repeats what it is inside of", line_of(text, start))
        target.shared = True
        return Node("alias", start, end, text=event.anchor, target=target)
    if word == "Scalar":
        style = event.style or ""
        tag = event.tag if event.tag or not style else "!"
        return Node(
            "scalar",
            start,
            _scalar_end(text, start, end, style),
            style,
            event.value.translate(back) if back else event.value,
            tag,
        )
    kind: Kind = "map" if word == "MappingStart" else "list"
    return Node(kind, start, end, "flow" if event.flow_style else "block", tag=event.tag)


def _scalar_end(text: str, start: int, end: int, style: str) -> int:
    """Block scalars are said to end where the next line starts: take the end of their last line instead."""
    if style not in ("|", ">"):
        return end
    header = text[start:end].split("\n", 1)[0].split("#", 1)[0]
    if "+" in header:  # the blank lines behind belong to the value
        end -= text.endswith("\n", start, end)
        return end - text.endswith("\r", start, end)
    last = start + len(text[start:end].rstrip(" \t\r\n"))
    stop = text.find("\n", last, end)
    return stop - (text[stop - 1] == "\r") if stop >= 0 else end


def _close(node: Node, children: list[Node], end: int) -> None:
    if node.kind == "map":
        node.items = [Item(key, value) for key, value in zip(children[::2], children[1::2], strict=True)]
    else:
        node.items = [Item(None, child) for child in children]
    if node.style == "flow":
        node.end = end
    else:
        node.end = max([node.start, *(child.end for child in children[-2:])])


class _Values:
    """Values of nodes. Aliases are copied out, up to a budget: a bomb of aliases ends in DocumentError."""

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._budget = limits.shared
        self._size = limits.size
        self._inside_alias = 0

    def of(self, node: Node, depth: int) -> Value:
        if self._inside_alias:
            self._budget -= 1
            self._size -= len(node.text)
            if self._budget < 0 or self._size < 0:
                raise self._error(node, "aliases repeat too much")
        if node.kind == "alias":
            assert node.target is not None
            self._inside_alias += 1
            value = self.of(node.target, depth)
            self._inside_alias -= 1
            return value
        if node.kind == "scalar":
            return self._scalar(node)
        if depth > self._limits.depth:
            raise self._error(node, f"too many containers inside each other: more than {self._limits.depth}")
        if node.tag not in (None, "!", _PREFIX + ("map" if node.kind == "map" else "seq")):
            raise self._error(node, f"the tag {_short(node.tag)} is not supported")
        if node.kind == "list":
            return [self.of(item.value, depth + 1) for item in node.items]
        return self._map(node, depth)

    def _map(self, node: Node, depth: int) -> dict[str, Value]:
        own: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        seen = set()
        for item in node.items:
            name = self.name(item)
            if name in seen:
                assert item.key is not None
                raise self._error(item.key, f"the name {name!r} is there twice: keep one of the two")
            seen.add(name)
            if item.merges:
                merged = self._merge(item.value, depth)
            else:
                own[name] = self.of(item.value, depth + 1)
        return own | {name: value for name, value in merged.items() if name not in own}

    def _merge(self, source: Node, depth: int) -> dict[str, Value]:
        value = self.of(source, depth + 1)
        merged: dict[str, Value] = {}
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                raise self._error(source, "<< can bring maps only")
            merged = {**one, **merged}
        return merged

    def name(self, item: Item) -> str:
        key = item.key
        assert key is not None
        known = key.target if key.kind == "alias" else key
        assert known is not None
        if known.kind != "scalar":
            raise self._error(key, "a name that is no plain text")
        return known.text

    def _scalar(self, node: Node) -> Value:
        if node.tag == "!" or node.tag == _PREFIX + "str":
            return node.text
        try:
            value = core(node.text)
        except ValueError:  # Python reads at most 4300 digits
            raise self._error(node, "a whole number has more digits than can be read") from None
        if node.tag is None:
            return value
        wanted = _SCALAR_TAGS.get(node.tag.removeprefix(_PREFIX))
        if wanted is float and type(value) is int:
            return float(value)
        if wanted is None:
            raise self._error(node, f"the tag {_short(node.tag)} is not supported")
        if type(value) is not wanted:
            raise self._error(node, f"the value is not what its tag {_short(node.tag)} says")
        return value

    def _error(self, node: Node, reason: str) -> DocumentError:
        return DocumentError(reason, line_of(self._text, node.start))


def _short(tag: str | None) -> str:
    return (tag or "").replace(_PREFIX, "!!")


def core(text: str) -> Value:
    """The value of a plain scalar by the core schema. ValueError for a number with too many digits."""
    found = _CORE.fullmatch(text)
    match found and found.lastgroup:
        case None:
            return text
        case "null":
            return None
        case "true" | "false" as word:
            return word == "true"
        case "int":
            return int(text)
        case "oct" | "hex" as base:
            return int(text[2:], 8 if base == "oct" else 16)
        case "nan":
            return float("nan")
        case _:
            return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf"))
