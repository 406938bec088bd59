"""Lines that are made of parts, each with its tone, and cut to a number of columns."""

import re
from collections.abc import Iterable, Sequence

from roosync_agent.columns import columns, first_columns, paint

Part = tuple[str, str]  # a text without anything that moves, and its tone of `columns.COLOURS`, "" or "chosen"
Line = Sequence[Part]
CUT = "..."
_SET = re.compile("\x1b\\[[0-9;]*m")


def cut(text: str, room: int) -> str:
    """As much of it as fits into so many columns; what is left out is shown by dots where there is room for them."""
    if columns(text) <= room:
        return text
    dots = CUT if room > 2 * len(CUT) else ""
    return first_columns(text, room - len(dots)) + dots


def padded(text: str, room: int) -> str:
    shown = cut(text, room)
    return shown + " " * (room - columns(shown))


def drawn(line: Line, room: int, colour: bool) -> str:
    """The line as it is written to the terminal, at most `room` columns wide."""
    parts, left = [], room
    for number, (text, tone) in enumerate(line):
        more = any(columns(other) for other, _ in line[number + 1 :])
        shown = cut(text, left) if columns(text) > left or not more else text
        left -= columns(shown)
        parts.append(_chosen(shown) if tone == "chosen" and colour else paint(shown, tone, colour))
        if left <= 0:
            break
    return "".join(parts)


def folded_lines(lines: Iterable[str], room: int) -> list[str]:
    """Lines that may be coloured; what is wider than the room goes on in the next one, so that nothing is lost."""
    found: list[str] = []
    for line in lines:
        if columns(bare := _SET.sub("", line)) <= room:
            found.append(line)
            continue
        while bare:
            piece = first_columns(bare, room) or bare[0]
            found.append(piece if columns(piece) <= room else "?")
            bare = bare[len(piece) :]
    return found


def _chosen(text: str) -> str:
    return f"\x1b[7m{text}\x1b[0m"
