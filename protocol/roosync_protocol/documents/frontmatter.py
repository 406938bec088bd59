"""The front matter of a Markdown file as a document: YAML between two lines of `---`, with the prose behind it.

Rules, agents and skills say there what they are for. `markdown` edits such a file as one text; this reads the
members alone, and every byte of the prose stays. A file without front matter is `{}`, and gets one when needed;
prose may start with a rule, but members that nothing closes are refused: a second front matter would hide them.
"""

import re
from collections.abc import Iterator

from roosync_protocol.documents import yaml
from roosync_protocol.documents.base import DocumentError, EditRefused, Limits
from roosync_protocol.documents.edits import Path
from roosync_protocol.documents.steps import Replace, Step
from roosync_protocol.names import Value

_OPEN = re.compile(r"---[ \t]*\r?\n")
_CLOSE = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
_MEMBER = re.compile(r"""(?:#.*\n)*[\w"'$][^\n:]*:(?:\s|$)""")  # as the first line behind the fence, or its comments
_FENCE = "---"


def read(text: str, limits: Limits) -> tuple[Value, object]:
    """See `formats.Format`."""
    start, end = _inside(text)
    opened = None if start else _OPEN.match(text)
    if opened and _MEMBER.match(text, opened.end()):
        raise DocumentError("the front matter that begins here is not closed: a line --- goes behind its members", 1)
    try:
        value, root = yaml.read(text[start:end], limits)
    except DocumentError as error:
        raise DocumentError(error.reason, error.line and error.line + bool(start)) from None
    if not isinstance(value, dict):
        raise DocumentError("the front matter has no names", 1)
    return value, root


def ways(text: str, tree: object, step: Step, newline: str) -> Iterator[str]:
    """See `formats.Format`."""
    if isinstance(step, Replace) and not step.path and not isinstance(step.value, dict):
        raise EditRefused("front matter is members with names")
    start, end = _inside(text)
    head, behind = text[:start], text[end:]
    if not start:
        head, behind = _FENCE + newline, _FENCE + newline + (newline if text else "") + text
    for inner in yaml.ways(text[start:end], tree, step, newline):
        new = head + inner + behind
        if _inside(new) == (len(head), len(head) + len(inner)):
            yield new


def comments_above(text: str, tree: object, path: Path) -> tuple[str, ...]:
    """See `formats.Format`."""
    return yaml.comments_above(text[slice(*_inside(text))], tree, path)


def comments_within(text: str, tree: object, path: Path) -> dict[str | int, tuple[str, ...]]:
    """See `formats.Format`."""
    return yaml.comments_within(text[slice(*_inside(text))], tree, path)


def _inside(text: str) -> tuple[int, int]:
    """Where the YAML is; (0, 0) in a file without front matter. Prose may start with a rule that nothing closes."""
    opened = _OPEN.match(text)
    closed = _CLOSE.search(text, opened.end()) if opened else None
    return (opened.end(), closed.start()) if opened and closed else (0, 0)
