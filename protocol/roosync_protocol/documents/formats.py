"""The formats as one table: a name, and the module that reads and writes it. A new format is one line here."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

from roosync_protocol.documents.base import Limits
from roosync_protocol.documents.edits import Path
from roosync_protocol.documents.steps import Step
from roosync_protocol.names import Value


class Format(Protocol):
    """What a format's module offers. `tree` is whatever its editor wants to know about the text again."""

    def read(self, text: str, limits: Limits) -> tuple[Value, object]:
        """The value and the tree of `text`. DocumentError when it is not valid or beyond the limits."""

    def ways(self, text: str, tree: object, step: Step, newline: str) -> Iterator[str]:
        """New texts that say `step`, the nicest first; new lines end with `newline`. EditRefused when none can."""

    def comments_above(self, text: str, tree: object, path: Path) -> tuple[str, ...]:
        """The comment lines right above the entry at `path`, without marks."""

    def comments_within(self, text: str, tree: object, path: Path) -> dict[str | int, tuple[str, ...]]:
        """The same of each entry of the container at `path` that has any, by name or index, in one walk."""


_MODULES = {
    "json": "json",
    "jsonc": "jsonc",
    "yaml": "yaml",
    "toml": "toml",
    "text": "text",
    "markdown": "text",
    "frontmatter": "frontmatter",
}
NAMES = tuple(_MODULES)
_BY_END = {
    ".json": "json",
    ".jsonc": "jsonc",
    ".code-workspace": "jsonc",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".md": "markdown",
    ".mdc": "markdown",
    ".mdx": "markdown",
}
_BEFORE = b"\xef\xbb\xbf \t\r\n"  # a byte order mark, and spaces: what may stand before a value


def of(name: str) -> Format:
    """The module for a format; heavy parsers are imported only when their format is met."""
    if name not in _MODULES:
        raise ValueError(f"{name!r} is no format of a document: use one of {', '.join(NAMES)}")
    return cast(Format, import_module(f"roosync_protocol.documents.{_MODULES[name]}"))


def sniff(data: bytes, name: str) -> str:
    """See `documents.sniff`."""
    end = "." + name.lower().rsplit(".", 1)[-1]
    if _BY_END.get(end) == "yaml" and data.lstrip(_BEFORE)[:1] == b"{" and is_json(data):
        return "json"  # it is YAML too; whoever wrote it so wants it so, and may read it with a parser for JSON
    if end in _BY_END:
        return _BY_END[end]
    start = data[:4096].lstrip(_BEFORE)
    if end == ".roomodes":
        return "json" if start[:1] in (b"{", b"[") or start[:2] in (b"//", b"/*") else "yaml"
    return "json" if start[:1] == b"{" else "text"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def is_json(data: bytes) -> bool:
    """Strict JSON of any value: no comment, no comma too many, no NaN. Says nothing about the limits of `parse`."""
    try:
        json.loads(data.lstrip(_BEFORE), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True
