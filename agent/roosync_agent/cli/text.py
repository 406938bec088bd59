"""How answers look on a terminal: tables, one noun per screen, the next command last. Standard library only.

Whatever came from the bus or a file is made harmless first: no terminal escape, no invisible or
direction-changing character gets through as itself.
"""

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

COLOURS = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}
TONES = {
    "synced": "good",
    "applied": "good",
    "present": "good",
    "diverged": "warn",
    "pending": "warn",
    "unknown": "dim",
    "silent": "bad",
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


def harmless(text: object) -> str:
    """`text` with control, invisible and bidirectional characters spelled out."""
    out = []
    for char in str(text):
        category = unicodedata.category(char)
        if char in "\n\t" or category not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or char == "\u200d":
            out.append(char)
        else:
            out.append(f"<U+{ord(char):04X}>")
    return "".join(out)


def want_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, tone: str, colour: bool) -> str:
    return f"\x1b[{COLOURS[tone]}m{text}\x1b[0m" if colour and tone in COLOURS else text


def table(rows: Iterable[Sequence[object]], heads: Sequence[str], *, colour: bool = False) -> str:
    """Columns as wide as they need to be; words that stand for a state are coloured."""
    cells = [[harmless(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max([_width(head), *(_width(row[i]) for row in cells)]) for i, head in enumerate(heads)]
    lines = [paint("  ".join(_pad(head, w) for head, w in zip(heads, widths, strict=True)).rstrip(), "bold", colour)]
    for row in cells:
        shown = [paint(_pad(cell, w), TONES.get(cell, ""), colour) for cell, w in zip(row, widths, strict=True)]
        lines.append("  ".join(shown).rstrip())
    return "\n".join(lines)


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def shown_status(seen: dict[str, Any], *, colour: bool = False) -> str:
    """The fleet as a table, in the words of the founding protocol."""
    count = seen["divergences_count"]
    head = [
        f"Fleet {harmless(seen['fleet'])}, seen by {harmless(seen['agent'])}",
        f"Machines detected: {seen['machines_detected']}   "
        f"Status: {paint(seen['status'], TONES.get(seen['status'], ''), colour)}   "
        f"Divergences: {'unknown' if count is None else count}   Pending decisions: {seen['pending_decisions']}   "
        f"Baseline: {seen['baseline_version'] or 'none yet'}",
    ]
    rows = [
        (
            row["machine"] + (" (this one)" if row["machine"] == seen["agent"] else ""),
            row["seen"],
            row["roosync_version"] or "-",
            row["baseline_version"] or "-",
            row["state"] + (" (paused)" if row.get("paused") else ""),
            "-" if row["divergences_count"] is None else row["divergences_count"],
            row["pending_decisions"],
            row["waiting_for"] or "-",
        )
        for row in seen["machines"]
    ]
    heads = ("MACHINE", "SEEN", "VERSION", "BASELINE", "STATE", "DIFFS", "PENDING", "WAITING FOR")
    lines = [*head, "", table(rows, heads, colour=colour)]
    notes = [f"{row['machine']}: {note}" for row in seen["machines"] for note in row.get("notes", [])]
    notes += seen.get("warnings", [])
    lines += ["", *(f"! {harmless(note)}" for note in notes)] if notes else []
    return "\n".join([*lines, "", _next_step(seen)])


def _next_step(seen: dict[str, Any]) -> str:
    proposal = seen.get("proposal")
    if proposal and proposal["open_questions"]:
        return f"Next: roosync baseline show    ({proposal['open_questions']} questions to answer)"
    if proposal:
        return "Next: roosync baseline show, then roosync baseline publish"
    if len(seen["machines"]) < 2:
        return "Next: roosync invite    (a second machine joins)"
    if not seen["baseline_version"]:
        return "Next: roosync baseline propose"
    if seen["pending_decisions"]:
        return "Next: roosync decisions    (what waits for a person)"
    if seen["status"] == "diverged":
        return "Next: roosync diffs"
    return "In step: nothing to do." if seen["status"] == "synced" else "Next: roosync compare"


def value_text(value: Any) -> str:
    """A value of a configuration for a person: secrets by their name, whole otherwise."""
    if isinstance(value, dict) and "$secret" in value:
        return f"<secret {harmless(value['$secret'])}>"
    if isinstance(value, str):
        return harmless(value)
    return harmless(json.dumps(value, ensure_ascii=False))


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
