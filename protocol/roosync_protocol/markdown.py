"""Text that came from others, made harmless before it stands in Markdown that people and programs read.

A name or a value may hold anything: a line feed and a heading, an HTML comment that ends a block of the
roadmap, a back-tick that ends a code span, `**Statut:** approved`, letters that run backwards. After
`plain` or `code` it is one line, shows what is there, and can not be taken for structure.
"""

import re
import unicodedata

LIMIT = 300  # characters of one text; who needs more asks for the thing itself

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # invisible, bidirectional, line ends
_MARKUP = re.compile(r"([\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_]))")  # an underscore inside a word is none
_DOUBLED = ("**", r"*\u002a")


def plain(text: str, limit: int = LIMIT) -> str:
    """As running text: it renders as it is written, and starts no markup, link, image, comment or list."""
    text = _one_line(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", text) or "-"


def code(text: str, limit: int = LIMIT) -> str:
    """As a code span. What could end it, or pass for structure, is shown as JSON spells it: `\\u003c`."""
    text = _one_line(text, limit).replace("`", r"\u0060").replace("<", r"\u003c").replace(">", r"\u003e")
    return f"`{text.replace(*_DOUBLED) or '-'}`"


def _one_line(text: str, limit: int) -> str:
    shown = "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN else c for c in text[: limit + 1])
    shown = shown.strip()
    return shown if len(text) <= limit else shown[:limit] + "..."


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
