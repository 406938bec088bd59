"""Plain text and Markdown: the value is the whole text with \\n line ends, and the file's own ends stay.

A line that is the same before and after keeps its very bytes, so a file with mixed line ends stays mixed.
"""

from collections.abc import Iterator

from roosync_protocol.documents.base import DocumentError, EditRefused, Limits, line_of
from roosync_protocol.documents.edits import Path
from roosync_protocol.documents.lines import overlaid
from roosync_protocol.documents.steps import Replace, Step
from roosync_protocol.names import Value


def read(text: str, limits: Limits) -> tuple[Value, object]:
    """See `formats.Format`."""
    del limits
    zero = text.find("\0")
    if zero >= 0:
        raise DocumentError("a zero byte: this is no text", line_of(text, zero))
    return text.replace("\r\n", "\n"), None


def ways(text: str, tree: object, step: Step, newline: str) -> Iterator[str]:
    """See `formats.Format`."""
    del tree
    if not isinstance(step, Replace) or step.path or not isinstance(step.value, str):
        raise EditRefused("a text is edited as a whole: Set((), text)")
    if "\r\n" in step.value:
        raise EditRefused("the lines of a text's value end with \\n; the file's own ends are kept when it is written")
    old = text.split("\n")  # each but the last may end with \r
    bare = [line.removesuffix("\r") for line in old[:-1]] + [old[-1]]
    carriage = newline.removesuffix("\n")
    # The last line has no end: it stands for itself only where it stays the last one.
    written = overlaid(bare, [*old[:-1], old[-1] + carriage], step.value.split("\n"), lambda line: line + carriage)
    yield "\n".join([*written[:-1], step.value.rsplit("\n", 1)[-1]])


def comments_above(text: str, tree: object, path: Path) -> tuple[str, ...]:
    """Text has none."""
    del text, tree, path
    return ()


def comments_within(text: str, tree: object, path: Path) -> dict[str | int, tuple[str, ...]]:
    """Text has none."""
    del text, tree, path
    return {}
