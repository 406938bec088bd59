"""Plain text and Markdown: the value is the whole text with \\n line ends, and the file's own ends stay.

A line that is the same before and after keeps its very bytes, so a file with mixed line ends stays mixed.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher

from roosync_protocol.documents.base import DocumentError, EditRefused, Limits, line_of
from roosync_protocol.documents.edits import Path
from roosync_protocol.documents.steps import Replace, Step
from roosync_protocol.names import Value

_LINES = 2000  # aligned with each other at most; beyond, all between the first and last change is rewritten


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
    new = step.value.split("\n")
    bare = [line.removesuffix("\r") for line in old[:-1]] + [old[-1]]
    written: list[str] = []
    for tag, i1, i2, j1, j2 in _aligned(bare, new):
        same = tag == "equal"
        for offset in range(j2 - j1):
            last = j1 + offset == len(new) - 1
            was = i1 + offset
            kept = old[was] + "\n" if same and was < len(old) - 1 else new[j1 + offset] + newline
            written.append(new[j1 + offset] if last else kept)
        del i2
    yield "".join(written)


def comments_above(text: str, tree: object, path: Path) -> tuple[str, ...]:
    """Text has none."""
    del text, tree, path
    return ()


def _aligned(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    i2, j2 = len(old) - tail, len(new) - tail
    middle = [("replace", head, i2, head, j2)]
    if max(i2, j2) - head <= _LINES:
        matcher = SequenceMatcher(None, old[head:i2], new[head:j2], autojunk=False)
        middle = [(t, a + head, b + head, c + head, d + head) for t, a, b, c, d in matcher.get_opcodes()]
    return [("equal", 0, head, 0, head), *middle, ("equal", i2, len(old), j2, len(new))]
