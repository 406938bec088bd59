"""How a text stands on a terminal: the columns that it takes, where its lines end, its colour. Standard library only.

Of texts that are harmless already (`characters`): nothing here looks for what moves the cursor.
"""

import os
import re
import shutil
import sys
import textwrap
import unicodedata

COLOURS = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}
UNBROKEN = "\u00a0"
_BEFORE_STOP = re.compile(r" (?=[:;?!\u00bb](?:\s|$))|(?<=\u00ab) ")


def want_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, tone: str, colour: bool) -> str:
    return f"\x1b[{COLOURS[tone]}m{text}\x1b[0m" if colour and tone in COLOURS else text


def width() -> int:
    """Columns of this terminal, or as COLUMNS says; 0 when neither is there, as in a pipe: nothing is folded."""
    return shutil.get_terminal_size((0, 0)).columns


def columns(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def first_columns(text: str, room: int) -> str:
    """As much of it as so many columns take."""
    used = 0
    for at, char in enumerate(text):
        used += columns(char)
        if used > room:
            return text[:at]
    return text


def folded(text: str, room: int, place: int) -> list[str]:
    """A text in lines that end at `room` columns and begin at `place`; 0 room is endless. Long words stay whole."""
    if not room:
        return [" " * place + text]
    fold = textwrap.TextWrapper(max(room - place, 20), break_long_words=False, break_on_hyphens=False)
    return [" " * place + line.replace(UNBROKEN, " ") for line in fold.wrap(unbroken(text))] or [""]


def unbroken(text: str) -> str:
    """`text`, in which no line ends before a stop that has a blank in front of it, as French has."""
    return _BEFORE_STOP.sub(UNBROKEN, text)


def hanging(text: str, room: int, place: int) -> list[str]:
    """A text in lines of `room` columns, of which all but the first begin at `place`; 0 room is endless."""
    if not room or columns(text) <= room:
        return [text]
    first, *rest = folded(text, room, 0)
    return [first, *(folded(" ".join(rest), room, place) if rest else ())]
