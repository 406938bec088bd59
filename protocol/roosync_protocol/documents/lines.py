"""A long text with a changed word: the lines that stay keep their bytes, so the change is one line in a diff too.

Texts of many lines are written by people in ways that no writer would guess: spaces in empty lines, an odd
indentation, lines folded at some width. So a new text is laid over the old one, and only what differs is written.
"""

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

_COMPARED = 2000  # pieces aligned with each other at most; beyond, all between the first and last change is one

Change = tuple[str, int, int, int, int]  # "equal" or another word; from, to in the old; from, to in the new


def aligned(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Which pieces of `old` become which of `new`."""
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    i2, j2 = len(old) - tail, len(new) - tail
    middle = [("replace", head, i2, head, j2)] if i2 > head or j2 > head else []
    if middle and max(i2, j2) - head <= _COMPARED:
        matcher = SequenceMatcher(None, old[head:i2], new[head:j2], autojunk=False)
        middle = [(t, a + head, b + head, c + head, d + head) for t, a, b, c, d in matcher.get_opcodes()]
    return [("equal", 0, head, 0, head), *middle, ("equal", i2, len(old), j2, len(new))]


def overlaid(old: Sequence[str], raw: Sequence[str], new: Sequence[str], write: Callable[[str], str]) -> list[str]:
    """`new` as it is written: what is in `old` as it was (`raw`, piece by piece), the rest as `write` says."""
    written: list[str] = []
    for tag, i1, i2, j1, j2 in aligned(old, new):
        written += raw[i1:i2] if tag == "equal" else map(write, new[j1:j2])
    return written
