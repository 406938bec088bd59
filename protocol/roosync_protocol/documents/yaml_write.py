"""YAML values as text in the hand of the file: its indentation, its dashes, and its quotes, learnt by role.

A role is the name a value stands under, with that of its container before and [] for each list in between:
`customModes[].slug`, `env.PATH`. A file that writes `roleDefinition: "..."` gets double quotes there again. What
other parsers could read in another way (YAML 1.1 words, dates) is always quoted.
"""

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from roosync_protocol.documents.base import EditRefused
from roosync_protocol.documents.yaml_tree import Node, core
from roosync_protocol.names import Value

# Words that YAML 1.1 readers take for something else than text.
_OLD_WORDS = re.compile(
    r"(?i:y|n|yes|no|on|off|true|false|null|~|<<|=)|[-+]?[0-9][0-9_:,.]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.[0-9_]+|[-+]?0[box][0-9a-fA-F_]+|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"
)
_PLAIN = re.compile(r"""(?:[^\s\-?:,\[\]{}#&*!|>'"%@`<=]|-(?!--)[\w-])[^\x00-\x1f]*""")
_NOT_PLAIN = re.compile(r":(?:\s|\Z)|\s#|\s\Z|\t")
_PADDED = re.compile(r"\n {2,}\r?\n")
_FLOW_MARKS = re.compile(r"[,\[\]{}:?]")
UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass
class YamlStyle:
    """How a file writes its values. Indentations are counts of spaces."""

    newline: str = "\n"
    step: int = 2  # of a map inside a map
    dash: int = 2  # of the dashes of a list below its name
    quote: str = '"'
    hints: dict[str, str] = field(default_factory=dict)  # by role: the style most values have
    literals: bool = True  # may several lines be written as a literal block?
    padded: bool = False  # do empty lines in literal blocks carry their indentation?
    lists: str = "block"  # the style of most lists of plain values
    pads: dict[str, str] = field(default_factory=dict)  # by bracket: the space inside of it


def style_of(text: str, root: Node | None, newline: str, literals: bool) -> YamlStyle:
    """The style of a file, looked for once per tree."""
    if root is None:
        return YamlStyle(newline, literals=literals)
    if root.hand is None:
        root.hand = _style_of(text, root)
    assert isinstance(root.hand, YamlStyle)
    return replace(root.hand, newline=newline, literals=literals)


def _style_of(text: str, root: Node) -> YamlStyle:
    style = YamlStyle()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    steps: Counter[int] = Counter()
    dashes: Counter[int] = Counter()
    lists: Counter[str] = Counter()
    quotes: Counter[str] = Counter()
    todo = [(root, "", -1)]
    while todo:
        node, role, outer = todo.pop()
        column = outer
        if node.kind == "scalar" and isinstance(core_or_text(node), str):
            for one in (role, _last(role)):
                counts[one + _lines(node.text)][node.style] += 1
            if node.style in ("'", '"'):
                quotes[node.style] += 1
            elif node.style and not style.padded and _PADDED.search(text, node.start, node.end):
                style.padded = True
        elif node.kind in ("map", "list") and node.items:
            for one in (role, _last(role)):
                counts[one + "{}" if node.kind == "map" else one][node.style] += 1
            if node.style == "flow":
                bracket, pad = text[node.start], text[node.start + 1]
                style.pads.setdefault(bracket, " " if pad == " " else "")
            if node.kind == "list" and all(item.value.kind == "scalar" for item in node.items):
                lists[node.style] += 1
            if node.style == "block":
                column = column_of(text, node.items[0].start if node.kind == "map" else dash_of(text, node))
                if outer >= 0 and not role.endswith("]"):
                    (steps if node.kind == "map" else dashes)[column - outer] += 1
        todo += [(item.value, member(role, item.key.text) if item.key else role + "[]", column) for item in node.items]
    style.step = max(1, steps.most_common(1)[0][0]) if steps else 2
    style.dash = max(0, dashes.most_common(1)[0][0]) if dashes else style.step
    style.lists = lists.most_common(1)[0][0] if lists else "block"
    style.quote = quotes.most_common(1)[0][0] if quotes else '"'
    style.hints = {role: one.most_common(1)[0][0] for role, one in counts.items()}
    return style


def member(role: str, name: str) -> str:
    """The role of the member `name` of a map in that role."""
    return f"{_last(role)}.{name}"


def _last(role: str) -> str:
    return role.rsplit(".", 1)[-1]


def _lines(text: str) -> str:
    """Texts of several lines have a style of their own."""
    return "\n" if "\n" in text else ""


def _hint(style: YamlStyle, role: str, kind: str = "") -> str:
    return style.hints.get(role + kind, style.hints.get(_last(role) + kind, ""))


def core_or_text(node: Node) -> Value:
    try:
        return node.text if node.tag or node.style else core(node.text)
    except ValueError:
        return 0


def column_of(text: str, at: int) -> int:
    return at - (text.rfind("\n", 0, at) + 1)


def dash_of(text: str, node: Node) -> int:
    """Where the first dash of a block list is: behind its anchor or tag, if it has one."""
    found = re.compile(r"(?:[&!][^\s]*\s+|#[^\n]*|\s)*").match(text, node.start)
    return found.end() if found else node.start


def after_colon(value: Value, column: int, role: str, style: YamlStyle) -> str:
    """What follows `name:` in a block map whose names are at `column`."""
    if _is_block(value, role, style):
        inner = column + (style.step if isinstance(value, dict) else style.dash)
        return style.newline + " " * inner + block(value, inner, role, style)
    return " " + scalar_or_flow(value, column + style.step, role, style)


def after_dash(value: Value, column: int, role: str, style: YamlStyle, gap: str = " ") -> str:
    """What follows `-` in a block list whose dashes are at `column`."""
    inner = column + 1 + len(gap)
    if _is_block(value, role, style):
        return gap + block(value, inner, role, style)
    return gap + scalar_or_flow(value, inner, role, style)


def block(value: Value, column: int, role: str, style: YamlStyle) -> str:
    """A map or list over lines; its first line without indentation."""
    start = style.newline + " " * column
    if isinstance(value, dict):
        return start.join(
            key(name) + ":" + after_colon(one, column, member(role, name), style) for name, one in value.items()
        )
    assert isinstance(value, list)
    return start.join("-" + after_dash(one, column, role + "[]", style) for one in value)


def scalar_or_flow(value: Value, column: int, role: str, style: YamlStyle) -> str:
    """What stands on the line: a scalar (or the head of a literal block, its lines at `column`), or a flow list."""
    if isinstance(value, str) and "\n" in value and style.literals and _hint(style, role, "\n") not in ('"', "'"):
        literal = _literal(value, column, style)
        if literal is not None:
            return literal
    return flow(value, role, style, inside=isinstance(value, dict | list))


def flow(value: Value, role: str, style: YamlStyle, inside: bool = True, quoted: bool = False) -> str:
    """`value` on one line; `quoted`: as JSON would."""
    if isinstance(value, dict):
        names = [key(name, '"' if quoted else "", inside=True) for name in value]
        values = [flow(one, member(role, name), style, True, quoted) for name, one in value.items()]
        return _bracketed("{}", [f"{name}: {one}" for name, one in zip(names, values, strict=True)], style)
    if isinstance(value, list):
        return _bracketed("[]", [flow(one, role + "[]", style, True, quoted) for one in value], style)
    if isinstance(value, str):
        return _string(value, '"' if quoted else _hint(style, role, _lines(value)), style.quote, inside)
    return _other(value)


def _bracketed(brackets: str, items: list[str], style: YamlStyle) -> str:
    pad = style.pads.get(brackets[0], "") if items else ""
    return brackets[0] + pad + ", ".join(items) + pad + brackets[1]


def key(name: str, like: str = "", inside: bool = False) -> str:
    """A name, in the quotes of its sibling."""
    return _string(name, like if like in ("'", '"') else "", '"', inside)


def _is_block(value: Value, role: str, style: YamlStyle) -> bool:
    if not isinstance(value, dict | list) or not value:
        return False
    known = _hint(style, role, "{}" if isinstance(value, dict) else "")
    if not known and isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        known = style.lists
    return known != "flow"


def _string(text: str, like: str, quote: str, inside: bool) -> str:
    if like not in ("'", '"'):
        if _is_plain(text, inside):
            return text
        like = quote
    if like == "'" and "\n" not in text and not UNPRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    return UNPRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xD800 <= code < 0xE000:
        raise EditRefused("YAML can not say half of a surrogate pair")
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _is_plain(text: str, inside: bool) -> bool:
    return (
        _PLAIN.fullmatch(text) is not None
        and not _NOT_PLAIN.search(text)
        and not UNPRINTABLE.search(text)
        and not _OLD_WORDS.fullmatch(text)
        and isinstance(core(text), str)
        and not text.startswith("...")
        and not (inside and _FLOW_MARKS.search(text))
    )


def _literal(text: str, column: int, style: YamlStyle) -> str | None:
    """A literal block; None when it would not be read back by every parser as the same text."""
    body = text.rstrip("\n")
    lines = body.split("\n")
    first = next((line for line in lines if line), "")
    if not first.strip() or first[0] in " \t" or not lines[-1].strip() or UNPRINTABLE.search(text):
        return None
    ends = len(text) - len(body)
    head = "|" + ("-" if ends == 0 else "" if ends == 1 else "+")
    indent = " " * column
    seen = False
    written = []
    for line in lines + [""] * (ends - 1):
        seen = seen or bool(line)
        written.append(indent + line if line or (style.padded and seen) else "")
    return style.newline.join([head, *written])


def _other(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            try:
                return str(value)
            except ValueError:
                raise EditRefused("the number has more digits than can be written") from None
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                return {"inf": ".inf", "-inf": "-.inf"}.get(repr(value), ".nan")
            text = repr(value)
            return text if "." in text else text.replace("e", ".0e")
    raise EditRefused(f"a {type(value).__name__} is no value of a document")
