"""TOML, edited by its statements: a pair is a line, a table is its header and all that stands under it.

The value comes from the standard library, so dates are read as the text of their ISO form. What stands between
brackets goes through `flow`. No library is used for writing: tomlkit keeps every byte it does not touch, but
moves comments with their neighbours when tables come and go. Source: TOML 1.0.
"""

import datetime
import re
import tomllib
from collections.abc import Iterator
from functools import cached_property

from roosync_protocol.documents import flow, toml_tree
from roosync_protocol.documents.base import DocumentError, Limits, too_deep
from roosync_protocol.documents.edits import Delete, Path
from roosync_protocol.documents.steps import Add, Step
from roosync_protocol.documents.toml_edit import LAST, Editor
from roosync_protocol.documents.toml_tree import SYNTAX, Statement
from roosync_protocol.names import Value

_WHERE = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_DOTTED = re.compile(r"""(?<![\w.-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*+\.[ \t]*+)++""")


def read(text: str, limits: Limits) -> tuple[Value, object]:
    """See `formats.Format`."""
    if any(found[0].count(".") > limits.depth for found in _DOTTED.finditer(text)):  # the parser takes a square of time
        raise DocumentError(f"too many containers inside each other: more than {limits.depth}")
    if text.count(",") + text.count("=") > limits.nodes:
        raise DocumentError(f"more than {limits.nodes} values")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _WHERE.fullmatch(str(error))
        last = text.count("\n") + 1
        line = int(found[2]) if found and found[2] else last
        raise DocumentError(found[1] if found else str(error), line) from None
    except RecursionError:
        raise DocumentError(f"too many containers inside each other: more than {limits.depth}") from None
    except ValueError:
        raise DocumentError("a number with more digits than can be read, or a day that does not exist") from None
    if too_deep(tree, limits.depth):
        raise DocumentError(f"too many containers inside each other: more than {limits.depth}")
    return _plain(tree), _Layout(text)


def ways(text: str, tree: object, step: Step, newline: str) -> Iterator[str]:
    """See `formats.Format`."""
    editor = Editor(text, newline, tree.statements if isinstance(tree, _Layout) else None)
    overlaid = editor.overlaid(step)
    if overlaid is not None:
        yield overlaid
    yield editor.written(step)
    if isinstance(step, Delete):  # the container that held it is gone too: it comes back empty
        yield _emptied(text, step, newline)


def comments_above(text: str, tree: object, path: Path) -> tuple[str, ...]:
    """See `formats.Format`."""
    return comments_within(text, tree, path[:-1]).get(path[-1], ()) if path else ()


def comments_within(text: str, tree: object, path: Path) -> dict[str | int, tuple[str, ...]]:
    """See `formats.Format`."""
    statements = tree.statements if isinstance(tree, _Layout) else toml_tree.statements(text)
    first: dict[str | int, Statement] = {}
    for one in statements:
        if len(one.path) > len(path) and one.path[: len(path)] == path:
            first.setdefault(one.path[len(path)], one)
    above = {step: _above(text, one) for step, one in first.items()}
    return {step: lines for step, lines in above.items() if lines}


def _above(text: str, first: Statement) -> tuple[str, ...]:
    if not flow.starts_line(text, first.start):
        return ()
    block = text[flow.own_comments(text, SYNTAX, first.start, -1) : flow.line_start(text, first.start)]
    return tuple(re.sub(r"^[ \t]*#+[ \t]?|[ \t]+$", "", line) for line in block.splitlines())


def _plain(value: object) -> Value:
    """What the standard library gives, as a JSON tree."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    assert isinstance(value, bool | int | float | str)
    return value


def _emptied(text: str, step: Delete, newline: str) -> str:
    holder = step.path[:-1]
    nothing: Value = [] if isinstance(step.path[-1], int) else {}
    shorter = Editor(text, newline).written(step)
    assert isinstance(holder[-1], str)
    return Editor(shorter, newline).written(Add(holder[:-1], holder[-1], nothing, LAST))


class _Layout:
    """The statements of a text, looked for when the first edit asks."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def statements(self) -> list[Statement]:
        return toml_tree.statements(self._text)
