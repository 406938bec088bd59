"""How answers look on a terminal: tables, one noun per screen, the next command last. Standard library only.

Whatever came from the bus or a file is made harmless first: no terminal escape, no invisible or
direction-changing character gets through as itself.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from roosync_agent.characters import brief, harmless
from roosync_agent.columns import columns, first_columns, folded, paint, want_colour, width
from roosync_agent.wording import heard, tr, trn

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


def table(
    rows: Iterable[Sequence[object]], heads: Sequence[str], *, colour: bool = False, room: int | None = None
) -> str:
    """Columns as wide as they need to be; words that stand for a state are coloured.

    `room`: columns of the terminal, or that many; 0 is endless. What is too wide for it stands below its row, by its
    head, so that nothing is lost and no line is folded by the terminal.
    """
    head, blocks = _table(rows, heads, colour, width() if room is None else room)
    return "\n".join([head, *(line for block in blocks for line in block)])


def table_with_lines(
    rows: Iterable[Sequence[object]], heads: Sequence[str], below: Iterable[str], *, colour: bool | None = None
) -> list[str]:
    """The lines of a table with a text below each row, for what is too long to be a column; "" is none."""
    colour = want_colour() if colour is None else colour
    head, blocks = _table(rows, heads, colour, width())
    lines = [head]
    for block, text in zip(blocks, below, strict=True):
        told = folded(harmless(text), width() or 80, 2) if text else ()
        lines += [*block, *(paint(part, "dim", colour) for part in told)]
    return lines


def _table(
    rows: Iterable[Sequence[object]], heads: Sequence[str], colour: bool, room: int
) -> tuple[str, list[list[str]]]:
    """The line of the heads, and of each row its lines."""
    cells = [[harmless(cell) for cell in row] for row in rows]
    widths = [max([columns(head), *(columns(row[i]) for row in cells)]) for i, head in enumerate(heads)]
    beside = _fitting(widths, room)
    first = "  ".join(_pad(heads[i], widths[i]) for i in beside).rstrip()
    blocks = []
    for row in cells:
        shown = [paint(_pad(row[i], widths[i]), TONES.get(row[i], ""), colour) for i in beside]
        apart = [i for i in range(len(heads)) if i not in beside and row[i] not in ("", "-")]
        below = [line for i in apart for line in _broken(beside_it(heads[i].lower(), row[i]), room, 4)]
        line = "  ".join(shown).rstrip()
        blocks.append([*([line] if len(beside) > 1 or not room else _broken(line, room, 0, plain=row[0])), *below])
    return paint(first if not room else first_columns(first, room), "bold", colour), blocks


def beside_it(title: str, text: str) -> str:
    """A title and what it is of, with the stop between them as the language has it; without a title the text."""
    return tr("{title}: {text}", title=title, text=text) if title else text


def _fitting(widths: Sequence[int], room: int) -> list[int]:
    """The columns that stand beside each other: the first always, of the others the narrow ones."""
    beside = list(range(len(widths)))
    while room and len(beside) > 1 and sum(widths[i] for i in beside) + 2 * (len(beside) - 1) > room:
        beside.remove(max(beside[1:], key=lambda i: widths[i]))
    return beside


def _broken(line: str, room: int, place: int, plain: str | None = None) -> list[str]:
    """A cell in lines of its own, a long word broken too. `plain`: the same without colour, to be broken."""
    plain = line if plain is None else plain
    if columns(plain) + place <= room:
        return [" " * place + line]
    place = place if room > 2 * place else 0
    fold = textwrap.TextWrapper(max(room - place, 1), break_on_hyphens=False)
    found = []
    for part in fold.wrap(plain):
        while part:  # wide characters take two
            piece = first_columns(part, room - place) or part[0]
            found.append(" " * place + piece)
            part = part[len(piece) :]
    return found


def print_json(value: Any, *, line: bool = False) -> None:
    """`line`: on one line, for a program that reads what happens as it happens."""
    readable = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(value, ensure_ascii=not readable, indent=None if line else 2)
    print(text if text.isascii() else _HIDDEN_IN_JSON.sub(_as_json_escape, text), flush=line)


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


def _pad(text: str, width: int) -> str:
    return text + " " * (width - columns(text))
