"""How answers look on a terminal: tables, one noun per screen, the next command last. Standard library only.

Whatever came from the bus or a file is made harmless first: no terminal escape, no invisible or
direction-changing character gets through as itself.
"""

import json
import os
import re
import shlex
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from roosync_agent.characters import harmless as harmless
from roosync_agent.wording import heard, tr, trn

COLOURS = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}
_HIDDEN_IN_JSON = re.compile(
    "[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)
TONES = {
    "synced": "good",
    "applied": "good",
    "present": "good",
    "diverged": "warn",
    "pending": "warn",
    "unknown": "dim",
    "silent": "bad",
    "unreachable": "bad",
    "conflict": "bad",
    "quarantined": "bad",
    "rolled_back": "bad",
    "rollback_failed": "bad",
    "no_report": "dim",
    "high": "bad",
    "critical": "bad",
    "medium": "warn",
    "Synced": "good",
    "Diverged": "warn",
}


def brief(text: object, most: int = 30) -> str:
    """A word that a machine says of itself, for a cell: no run of blanks, and no width, makes a row look like two."""
    word = "_".join(str(text).split())
    return word if len(word) <= most else f"{word[: most - 3]}..."


def shell_word(text: object) -> str:
    """`text` in a command that is proposed: who pastes the line must not run what a name says."""
    return shlex.quote(harmless(text))


def want_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, tone: str, colour: bool) -> str:
    return f"\x1b[{COLOURS[tone]}m{text}\x1b[0m" if colour and tone in COLOURS else text


def table(rows: Iterable[Sequence[object]], heads: Sequence[str], *, colour: bool = False) -> str:
    """Columns as wide as they need to be; words that stand for a state are coloured."""
    cells = [[harmless(cell) for cell in row] for row in rows]
    widths = [max([columns(head), *(columns(row[i]) for row in cells)]) for i, head in enumerate(heads)]
    lines = [paint("  ".join(_pad(head, w) for head, w in zip(heads, widths, strict=True)).rstrip(), "bold", colour)]
    for row in cells:
        shown = [paint(_pad(cell, w), TONES.get(cell, ""), colour) for cell, w in zip(row, widths, strict=True)]
        lines.append("  ".join(shown).rstrip())
    return "\n".join(lines)


def table_with_lines(
    rows: Iterable[Sequence[object]], heads: Sequence[str], below: Iterable[str], *, colour: bool | None = None
) -> list[str]:
    """The lines of a table with a text below each row, for what is too long to be a column; "" is none."""
    colour = want_colour() if colour is None else colour
    head, *body = table(rows, heads, colour=colour).split("\n")
    lines = [head]
    for line, text in zip(body, below, strict=True):
        told = folded(harmless(text), width() or 80, 2) if text else ()
        lines += [line, *(paint(part, "dim", colour) for part in told)]
    return lines


def print_json(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    print(text if text.isascii() else _HIDDEN_IN_JSON.sub(_as_json_escape, text))


def _as_json_escape(found: re.Match[str]) -> str:
    """The same JSON: what a terminal would obey, or a person not see, is written as its escape."""
    return json.dumps(found[0])[1:-1]


def shown_ping(answer: dict[str, Any], *, colour: bool = False) -> str:
    """Who answered, in how many milliseconds, and who did not."""
    rows = [
        (
            this_one(row["machine"], answer["agent"]),
            "present" if row["answered"] else "unreachable",
            f"{row['milliseconds']:.1f}" if row["answered"] else "-",
            brief(row["version"]) or "-",
            _why_not(row) or "-",
        )
        for row in answer["machines"]
    ]
    there = len(rows) - len(answer["silent"])
    heads = (tr("MACHINE"), tr("ANSWER"), tr("MS"), tr("VERSION"), tr("WHY NOT"))
    lines = [table(rows, heads, colour=colour), ""]
    if not answer["silent"]:
        return "\n".join([*lines, tr("{answered} of {machines} answered.", answered=there, machines=len(rows))])
    told = tr(
        "{answered} of {machines} answered; unreachable: {silent}",
        answered=there, machines=len(rows), silent=harmless(", ".join(answer["silent"])),
    )  # fmt: skip
    hanging_ = [row["machine"] for row in answer["machines"] if row.get("hangs")]
    away = [name for name in answer["silent"] if name not in hanging_]
    following = [next_line("roosync up", tr("on {machines}", machines=harmless(", ".join(away))))] if away else []
    if hanging_:
        why = tr("on {machines}: it is connected, and hangs", machines=harmless(", ".join(hanging_)))
        following.append(next_line(tr("restart the agent"), why))
    return "\n".join([*lines, told, "", *following])


def _why_not(row: dict[str, Any]) -> str:
    reason = heard(row["reason"])
    return tr("hangs: {reason}", reason=reason) if row.get("hangs") else reason


def this_one(machine: str, own: str) -> str:
    """A machine in a table; the one that answers is told apart."""
    return tr("{machine} (this one)", machine=machine) if machine == own else machine


def next_line(command: str, why: str = "") -> str:
    """What a person does next, the last line of an answer; `why`: what it is for, or where, in brackets behind it."""
    return tr("Next: {command}", command=command) + (f"    ({why})" if why else "")


def width() -> int:
    """Columns of this terminal, or as COLUMNS says; 0 when neither is there, as in a pipe: nothing is folded."""
    return shutil.get_terminal_size((0, 0)).columns


def folded(text: str, room: int, place: int) -> list[str]:
    """A text in lines that end at `room` columns and begin at `place`; 0 room is endless. Long words stay whole."""
    if not room:
        return [" " * place + text]
    fold = textwrap.TextWrapper(max(room - place, 20), break_long_words=False, break_on_hyphens=False)
    return [" " * place + line for line in fold.wrap(text)]


def hanging(text: str, room: int, place: int) -> list[str]:
    """A text in lines of `room` columns, of which all but the first begin at `place`; 0 room is endless."""
    if not room or columns(text) <= room:
        return [text]
    first, *rest = folded(text, room, 0)
    return [first, *(folded(" ".join(rest), room, place) if rest else ())]


def reference_text(reference: str) -> str:
    """What something was compared with, in words: the baseline, or another machine."""
    if reference == "baseline":
        return tr("the baseline")
    return tr("machine {machine}", machine=harmless(reference.removeprefix("machine:")))


def listed(lines: Sequence[str], most: int = 3, between: str = "; ") -> str:
    """The first of them in one line, and how many more there are."""
    left = len(lines) - most
    more = [trn("and {count} more", "and {count} more", left)] if left > 0 else []
    return between.join([*map(harmless, lines[:most]), *more])


def value_text(value: Any) -> str:
    """A value of a configuration for a person, on one line: secrets by their name, whole otherwise."""
    if isinstance(value, dict) and value.keys() == {"$secret"}:  # with anything beside it, it is shown whole
        return tr("<secret {address}>", address=harmless(value["$secret"]))
    if isinstance(value, str):
        return harmless(value)
    return harmless(json.dumps(value, ensure_ascii=False))


def many(count: int, word: str) -> str:
    return f"{count} {word}" + ("s" if count != 1 else "")


def columns(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - columns(text))
