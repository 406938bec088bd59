"""JSON values as text in the hand of the file: its indentation, its colons, its way with short arrays."""

import json
import re
from dataclasses import dataclass
from typing import Any

from roosync_protocol.documents.base import EditRefused
from roosync_protocol.names import Value

_OPENED = re.compile(r"^([ \t]*)[^\r\n]*[\[{][ \t]*(?://[^\r\n]*)?\r?\n([ \t]+)[^\s/\]}]", re.MULTILINE)
_COLON = re.compile(r'[{,]\s*"[^"\\]*"([ \t]*:[ \t]*)')
_SHORT_ARRAY = re.compile(r'[:,\[]\s*\[[ \t]*(?:"(?:[^"\\\n]|\\.)*"|[\w.+-]+)[ \t]*[,\]]')
_ESCAPED = re.compile(r"\\u(?!00[0-7])(?:(?![dD][89a-fA-F])[0-9a-fA-F]{4}|[dD][89abAB]..\\u[dD][c-fC-F]..)")
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class JsonStyle:
    """How a file writes its values."""

    newline: str
    unit: str
    colon: str
    comma: str  # between items on one line
    pad: str  # inside the braces of an object on one line
    spread: bool  # is the file written over lines?
    arrays_inline: bool  # are arrays of plain values on one line?
    ascii: bool  # is everything beyond ASCII escaped?


def style_of(text: str, newline: str) -> JsonStyle:
    found = next((m for m in _OPENED.finditer(text) if len(m[2]) > len(m[1]) and m[2].startswith(m[1])), None)
    colon = _COLON.search(text)
    tight = colon is not None and colon[1] == ":"
    return JsonStyle(
        newline=newline,
        unit=found[2][len(found[1]) :] if found else "  ",
        colon=colon[1] if colon else ": ",
        comma="," if tight else ", ",
        pad=" " if '{ "' in text else "",
        spread="\n" in text.strip(),
        arrays_inline=_SHORT_ARRAY.search(text) is not None,
        ascii=text.isascii() and _ESCAPED.search(text) is not None,
    )


def write(value: Value, indent: str | None, style: JsonStyle) -> str:
    """`value` on one line when `indent` is None, otherwise over lines inside of that indentation."""
    if isinstance(value, dict) and value:
        members = [f"{_scalar(key, style)}{style.colon}" for key in value]
        return _listed("{}", members, list(value.values()), indent, style, style.pad)
    if isinstance(value, list) and value:
        if style.arrays_inline and not any(isinstance(one, dict | list) for one in value):
            indent = None
        return _listed("[]", [""] * len(value), value, indent, style, "")
    return "{}" if isinstance(value, dict) else "[]" if isinstance(value, list) else _scalar(value, style)


def _listed(
    brackets: str, heads: list[str], values: list[Value], indent: str | None, style: JsonStyle, pad: str
) -> str:
    inner = None if indent is None else indent + style.unit
    written = [head + write(value, inner, style) for head, value in zip(heads, values, strict=True)]
    if inner is None:
        return brackets[0] + pad + style.comma.join(written) + pad + brackets[1]
    start = style.newline + inner
    return brackets[0] + start + ("," + start).join(written) + style.newline + (indent or "") + brackets[1]


def _scalar(value: Any, style: JsonStyle) -> str:
    try:
        text = json.dumps(value, ensure_ascii=style.ascii, allow_nan=False)
    except ValueError:
        raise EditRefused("JSON can not say a number that is infinite, or none, or has thousands of digits") from None
    return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
