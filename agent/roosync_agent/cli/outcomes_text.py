"""How each expected machine ended, in the same words wherever several machines are asked for something.

One table of words, the exit code that each means, and the account made of it: by groups, the bad ends first in what
is said of them and last on the screen, every machine by name, and counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.columns import columns, folded, paint, want_colour, width
from roosync_agent.wording import heard, mark, tr, trn

DRIFT, PENDING, FAILED, SILENT = 2, 3, 4, 5
# state -> how it is called, its tone, the exit code when a machine ended so
WORDS: dict[str, tuple[str, str, int]] = {
    "done": (mark("done"), "good", 0),  # of a request
    "changed": (mark("changed"), "good", 0),
    "ok": (mark("nothing to change"), "good", 0),
    "unsigned": (mark("to be signed"), "warn", PENDING),
    "awaited": (mark("awaited"), "dim", SILENT),
    "not_begun": (mark("not begun"), "dim", DRIFT),
    "timed_out": (mark("timed out"), "warn", SILENT),
    "unreachable": (mark("unreachable"), "bad", SILENT),
    "refused": (mark("refused"), "bad", FAILED),
    "failed": (mark("FAILED"), "bad", FAILED),
}
RANK = (FAILED, SILENT, PENDING, DRIFT, 0)  # of several machines the first of these that one has is the exit code


def exit_code(states: Iterable[str]) -> int:
    """4 when any failed or refused, 5 when any is unreachable, late or awaited, 2 when any was not begun, else 0."""
    codes = {WORDS[state][2] for state in states}
    return next(code for code in RANK if code in codes | {0})


def counted(rows: Iterable[Mapping[str, Any]]) -> str:
    """`17 changed, 2 nothing to change, 1 FAILED`; every state that there is, and what they add up to."""
    return tallied(Counter(row["state"] for row in rows))


def tallied(states: Mapping[str, int]) -> str:
    parts = ", ".join(in_words(states)) or tr("nobody")
    return trn("{parts} (of {count} machine)", "{parts} (of {count} machines)", sum(states.values()), parts=parts)


def in_words(states: Mapping[str, int]) -> list[str]:
    """`17 changed`, `1 FAILED`: how many machines ended in each way that there is."""
    return [f"{states[state]} {tr(word)}" for state, (word, *_) in WORDS.items() if states.get(state)]


def accounted(rows: Sequence[Mapping[str, Any]], *, room: int = 0) -> list[str]:
    """Every machine, in groups by its state; a reason stands with its machine, and machines without one in a line.

    Each row has `machine` and `state`, and may have `reason`, `accepted` and `contradicted`.
    """
    room, colour = room or width(), want_colour()
    place = max(columns(tr(word)) for word, *_ in WORDS.values()) + 8
    lines: list[str] = []
    for state, (word, tone, _) in WORDS.items():
        of = [row for row in rows if row["state"] == state]
        if not of:
            continue
        head = f"{len(of):>5} {tr(word)}"
        plain = [row["machine"] for row in of if not _said(row)]
        texts = [", ".join(map(harmless, plain))] if plain else []
        texts += [f"{harmless(row['machine'])}: {_said(row)}" for row in of if _said(row)]
        told = [part for text in texts for part in _hung(text, room, place)]
        lines.append(paint(head, tone, colour) + " " * (place - columns(head)) + told[0].lstrip())
        lines += told[1:]
    return lines


def _said(row: Mapping[str, Any]) -> str:
    """What is said of one machine beside its state."""
    against = harmless(heard(row.get("contradicted") or ""))
    against = tr("BUT IT SAYS ITSELF: {what}", what=against) if against else ""
    without = row.get("accepted") and row["state"] not in ("changed", "ok")  # it may have come back since
    parts = [against, harmless(heard(row.get("reason") or "")), tr("the others go on without it") if without else ""]
    return "; ".join(filter(None, parts))


def _hung(text: str, room: int, place: int) -> list[str]:
    """A text from `place` on; what does not fit follows two columns further in."""
    first, *rest = folded(text, room, place)
    return [first, *(folded(" ".join(part.strip() for part in rest), room, place + 2) if rest else ())]
