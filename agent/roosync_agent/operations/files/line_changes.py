"""Which lines of two texts differ: what everybody who shows a change of prose begins with. Standard library only.

Texts come from other machines: one made to be slow to compare is shown as replaced, and nobody waits for it.

By the longest run that is alike, because whoever reads a decision wants a paragraph that came as one block. The
shortest way (`documents.lines.aligned`) would break it at each line that stands in both, an empty one or `- read`: of
generated prose a third was shown otherwise. Nothing is written by this, so the two may differ.
"""

from difflib import SequenceMatcher

MOST = 1_000_000  # pairs of lines that are compared; beyond, what differs is one block

Opcode = tuple[str, int, int, int, int]  # as of `difflib`: what, from and to before, from and to after


def line_opcodes(old: list[str], new: list[str]) -> list[Opcode]:
    """How `old` becomes `new`: every line of both is in exactly one of them, in order."""
    start, shorter = 0, min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    a, b = old[start : len(old) - end], new[start : len(new) - end]
    found: list[Opcode] = [("equal", 0, start, 0, start)] if start else []
    if len(a) * len(b) > MOST:
        found.append(("replace", start, start + len(a), start, start + len(b)))
    else:
        for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
            found.append((tag, i + start, j + start, k + start, m + start))
    if end:
        found.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
    return found
