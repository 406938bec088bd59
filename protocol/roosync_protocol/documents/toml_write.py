"""TOML values as text in the hand of the file: literal strings where it uses them, sections or inline tables."""

import json
import re
from dataclasses import dataclass

from roosync_protocol.documents.base import EditRefused
from roosync_protocol.documents.edits import Path
from roosync_protocol.documents.toml_tree import Statement
from roosync_protocol.names import Value

_BARE = re.compile(r"[A-Za-z0-9_-]+")
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPED = re.compile(r'[\x00-\x08\x0b-\x1f\x7f\\]|"(?="")|"\Z')
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?)?|\d\d:\d\d:\d\d(?:\.\d+)?")
_WIDE = 2**63


@dataclass(frozen=True)
class TomlStyle:
    """How a file writes its values."""

    newline: str
    literal: bool  # are strings with backslashes in single quotes?
    inline: frozenset[str]  # names whose tables are written inline
    tight: bool  # no spaces around "="
    flush: bool  # no spaces inside braces


def style_of(text: str, found: list[Statement], newline: str) -> TomlStyle:
    inline = frozenset(one.names[-1].text for one in found if one.value and one.value.bracket == "{")
    pairs = [text[one.names[-1].end : one.value.start] for one in found if one.value]
    return TomlStyle(
        newline,
        literal=re.search(r"[=,\[][ \t]*'(?!'')", text) is not None,
        inline=inline,
        tight=bool(pairs) and all(gap == "=" for gap in pairs),
        flush=re.search(r"\{[^\s}]", text) is not None,
    )


def key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _basic(name)


def dotted(path: Path) -> str:
    """The way to a table as a header says it; elements of arrays have no word there."""
    return ".".join(key(step) for step in path if isinstance(step, str))


def pair(name: str, value: Value, style: TomlStyle, own_line: bool = True) -> str:
    """`name = value` on a line of its own, or inside of braces."""
    equals = "=" if style.tight else " = "
    # Parsers may keep the file's CRLF inside of a long string, so there it is written with escapes.
    if own_line and style.newline == "\n" and isinstance(value, str) and "\n" in value.strip("\n"):
        return key(name) + equals + _long(value, style)
    return key(name) + equals + inline(value, style)


def is_section(name: str, value: Value, style: TomlStyle) -> bool:
    """Is this table written under a header of its own?"""
    return isinstance(value, dict) and name not in style.inline


def section(path: Path, value: dict[str, Value], style: TomlStyle, array: bool = False) -> str:
    """A table with its header and, behind it, the tables in it; without the last line end."""
    head = f"[[{dotted(path)}]]" if array else f"[{dotted(path)}]"
    tables = [name for name, one in value.items() if is_section(name, one, style)]
    lines = [pair(name, one, style) for name, one in value.items() if name not in tables]
    blocks = [style.newline.join([head, *lines])] if lines or array or not tables else []
    for name in tables:
        inner = value[name]
        assert isinstance(inner, dict)
        blocks.append(section((*path, name), inner, style))
    return (style.newline * 2).join(blocks)


def inline(value: Value, style: TomlStyle) -> str:
    """A value on one line."""
    match value:
        case None:
            raise EditRefused("TOML has no null: delete the entry instead")
        case bool():
            return "true" if value else "false"
        case int():
            if not -_WIDE <= value < _WIDE:
                raise EditRefused("TOML holds whole numbers up to 64 bits")
            return str(value)
        case float():
            return repr(value)
        case str():
            return _text(value, style)
        case list():
            return "[" + ", ".join(inline(one, style) for one in value) + "]"
        case dict():
            pad = "" if style.flush or not value else " "
            return "{" + pad + ", ".join(pair(name, one, style, False) for name, one in value.items()) + pad + "}"


def date(value: Value) -> str | None:
    """`value` as a bare date or time, when it is one."""
    return value if isinstance(value, str) and _DATE.fullmatch(value) else None


def _text(text: str, style: TomlStyle) -> str:
    if style.literal and "\\" in text and "'" not in text and not CONTROL.search(text):
        return f"'{text}'"
    return _basic(text)


def _basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _long(text: str, style: TomlStyle) -> str:
    return '"""' + style.newline + escaped(text) + '"""'


def escaped(text: str) -> str:
    """`text` as it stands between triple quotes."""
    return _ESCAPED.sub(lambda found: _basic(found[0])[1:-1], text)
