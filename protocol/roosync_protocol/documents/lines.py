"""A long text with a changed word: the lines that stay keep their bytes, so the change is one line in a diff too.

Texts of many lines are written by people in ways that no writer would guess: spaces in empty lines, an odd
indentation, lines folded at some width. So a new text is laid over the old one, and only what differs is written.
"""

from collections.abc import Callable, Iterator, Sequence

_STEPS = 800  # pieces that come or go at most; beyond, all between the first and last change is one

Change = tuple[str, int, int, int, int]  # "equal" or another word; from, to in the old; from, to in the new


def aligned(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Which pieces of `old` become which of `new`.

    By the shortest way, whose cost grows with what differs and not with what is alike: the standard library's
    matcher takes minutes for some texts of 2000 lines. Source: E. W. Myers, "An O(ND) Difference Algorithm", 1986.

    For what is written, where each line that can stay must stay. A decision is shown by the longest runs instead,
    which keep a new paragraph whole (the agent's `line_changes`).
    """
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    i2, j2 = len(old) - tail, len(new) - tail
    same = _same(old[head:i2], new[head:j2]) if min(i2, j2) > head else iter(())
    found: list[Change] = [("equal", 0, head, 0, head)]
    for i, j, count in [*((i + head, j + head, count) for i, j, count in same), (i2, j2, tail)]:
        _, _, i1, _, j1 = found[-1]
        if i > i1 or j > j1:
            found.append(("replace", i1, i, j1, j))
        found.append(("equal", i, i + count, j, j + count))
    return found


def _same(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Runs that are in both: where in the old, where in the new, how long; no run when too much differs."""
    rows: list[dict[int, int]] = []  # by steps so far: how far each diagonal came in the old
    before = {1: 0}
    for steps in range(min(len(old) + len(new), _STEPS) + 1):
        row: dict[int, int] = {}
        for k in range(max(-steps, steps - 2 * len(new)), min(steps, 2 * len(old) - steps) + 1, 2):
            down = before.get(k + 1, -1)
            at = max(down, before.get(k - 1, -2) + 1)
            while at < len(old) and at - k < len(new) and old[at] == new[at - k]:
                at += 1
            row[k] = at
            if at >= len(old) and at - k >= len(new):
                return reversed(list(_runs(rows, len(old), len(new))))
        rows.append(row)
        before = row
    return iter(())


def _runs(rows: list[dict[int, int]], i: int, j: int) -> Iterator[tuple[int, int, int]]:
    """The way back from the end: the runs between the steps, the last one first."""
    for row in reversed(rows):
        k = i - j
        down, right = row.get(k + 1, -1), row.get(k - 1, -2) + 1
        start = max(down, right)
        if i > start:
            yield start, start - k, i - start
        i, j = (down, down - k - 1) if down >= right else (right - 1, right - k)
    if i:
        yield 0, 0, i


def overlaid(old: Sequence[str], raw: Sequence[str], new: Sequence[str], write: Callable[[str], str]) -> list[str]:
    """`new` as it is written: what is in `old` as it was (`raw`, piece by piece), the rest as `write` says."""
    written: list[str] = []
    for tag, i1, i2, j1, j2 in aligned(old, new):
        written += raw[i1:i2] if tag == "equal" else map(write, new[j1:j2])
    return written
