"""How answers look on a terminal: tables, one noun per screen, the next command last. Standard library only.

Whatever came from the bus or a file is made harmless first: no terminal escape, no invisible or
direction-changing character gets through as itself.
"""

import json
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

COLOURS = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_IN_EMOJI = frozenset("\u200d\ufe0f")
# Letters and marks by their category that look like nothing: Hangul fillers, a Braille cell without dots, selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]")
# Greek, Cyrillic, Armenian, Cherokee, full-width and mathematical letters: many pass for Latin ones.
_FOREIGN = re.compile("[\u0370-\u058f\u13a0-\u13ff\uab70-\uabbf\uff21-\uff5a\U0001d400-\U0001d7ff]")
_WORD = re.compile(r"[^\W_]+")
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


def harmless(text: object, *, lines: bool = False) -> str:
    """`text` on one line, with every character that a person would not see, or that moves others, spelled out.

    `lines`: line feeds stay, for a value that is shown as a block, each line of it marked by the caller. Letters of
    another script inside a Latin word are spelled out too: one name must not pose as another.
    """
    out: list[str] = []
    before = ""
    for char in str(text):
        if char == "\n":
            out.append(char if lines else "\\n")
        elif char == "\t":
            out.append("  ")
        elif char.isascii() and char.isprintable():
            out.append(char)
        else:
            out.append(_spelled(char) if _unseen(char, before) else char)
        before = char
    shown = "".join(out)
    return shown if shown.isascii() else _WORD.sub(_with_foreign_letters_spelled, shown)


def shell_word(text: object) -> str:
    """`text` in a command that is proposed: who pastes the line must not run what a name says."""
    return shlex.quote(harmless(text))


def _unseen(char: str, before: str) -> bool:
    if char in _IN_EMOJI:
        return not before or unicodedata.category(before) not in ("So", "Sk", "Mn")
    category = unicodedata.category(char)
    return category in _UNSEEN or category == "Zs" or bool(_BLANK.match(char))


def _with_foreign_letters_spelled(word: re.Match[str]) -> str:
    if not re.search("[A-Za-z]", word[0]):
        return word[0]  # a word of another script is what it is
    return _FOREIGN.sub(lambda letter: _spelled(letter[0]), word[0])


def _spelled(char: str) -> str:
    return f"<U+{ord(char):04X}>"


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


def print_json(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    print(text if text.isascii() else _HIDDEN_IN_JSON.sub(_as_json_escape, text))


def _as_json_escape(found: re.Match[str]) -> str:
    """The same JSON: what a terminal would obey, or a person not see, is written as its escape."""
    return json.dumps(found[0])[1:-1]


def shown_status(seen: dict[str, Any], *, colour: bool = False) -> str:
    """The fleet as a table, in the words of the founding protocol."""
    count = seen["divergences_count"]
    status = seen["status"]
    if status == "synced" and any(map(_not_all, seen["machines"])):
        status = "synced, except what was not read"
    head = [
        f"Fleet {harmless(seen['fleet'])}, seen by {harmless(seen['agent'])}",
        f"Machines detected: {seen['machines_detected']}   "
        f"Status: {paint(status, TONES.get(status, 'warn'), colour)}   "
        f"Divergences: {'unknown' if count is None else count}   Pending decisions: {seen['pending_decisions']}   "
        f"Baseline: {seen['baseline_version'] or 'none yet'}",
    ]
    rows = [
        (
            row["machine"] + (" (this one)" if row["machine"] == seen["agent"] else ""),
            row["seen"],
            row["roosync_version"] or "-",
            row["baseline_version"] or "-",
            row["state"] + _not_all(row) + (" (paused)" if row.get("paused") else ""),
            "-" if row["divergences_count"] is None else row["divergences_count"],
            row["pending_decisions"],
            row["waiting_for"] or "-",
        )
        for row in seen["machines"]
    ]
    heads = ("MACHINE", "SEEN", "VERSION", "BASELINE", "STATE", "DIFFS", "PENDING", "WAITING FOR")
    if asked := seen.get("requests_waiting"):
        head.append(f"Requests for a person: {asked}    (roosync requests)")
    if unread := seen.get("mail_unread"):
        head.append(f"Unread mail for {seen['agent']}: {unread}    (roosync message inbox)")
    lines = [*head, "", table(rows, heads, colour=colour)]
    notes = [f"{row['machine']}: {note}" for row in seen["machines"] for note in row.get("notes", [])]
    notes += seen.get("warnings", [])
    lines += ["", *(f"! {harmless(note)}" for note in notes)] if notes else []
    return "\n".join([*lines, *_not_shared(seen), "", _next_step(seen)])


def shown_ping(answer: dict[str, Any], *, colour: bool = False) -> str:
    """Who answered, in how many milliseconds, and who did not."""
    rows = [
        (
            row["machine"] + (" (this one)" if row["machine"] == answer["agent"] else ""),
            "present" if row["answered"] else "silent",
            f"{row['milliseconds']:.1f}" if row["answered"] else "-",
            row["version"] or "-",
            row["reason"] or "-",
        )
        for row in answer["machines"]
    ]
    there = len(rows) - len(answer["silent"])
    lines = [table(rows, ("MACHINE", "ANSWER", "MS", "VERSION", "WHY NOT"), colour=colour), ""]
    if not answer["silent"]:
        return "\n".join([*lines, f"{there} of {len(rows)} answered."])
    names = harmless(", ".join(answer["silent"]))
    told = f"{there} of {len(rows)} answered; silent: {names}"
    return "\n".join([*lines, told, "", f"Next: roosync up    (on {names})"])


def reference_text(reference: str) -> str:
    """What something was compared with, in words: the baseline, or another machine."""
    return "the baseline" if reference == "baseline" else f"machine {harmless(reference.removeprefix('machine:'))}"


def listed(lines: Sequence[str], most: int = 3) -> str:
    """The first of them in one line, and how many more there are."""
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return "; ".join(map(harmless, lines[:most])) + more


def _not_all(row: dict[str, Any]) -> str:
    """Being in step is said only of what could be read."""
    count = len(row.get("unread", ())) + row.get("skipped", 0)
    return f", except {count} not read" if count and row["state"] == "synced" else ""


def _not_shared(seen: dict[str, Any]) -> list[str]:
    """What only single machines have is no divergence (the baseline does not speak of it), and no secret either."""
    apart = [f"{row['only_here']} on {row['machine']}" for row in seen["machines"] if row.get("only_here")]
    if not apart:
        return []
    return [
        "",
        f"Not shared (the baseline does not speak of it, so it is no divergence): {', '.join(apart)}. "
        "`roosync compare` there lists it, `roosync baseline propose` shares it.",
    ]


def _in_step(seen: dict[str, Any]) -> str:
    known = {row["machine"]: row.get("notes", []) for row in seen["machines"] if _not_all(row)}
    unread = [f"{machine}: {note}" for machine, notes in known.items() for note in notes if "not read: " in note]
    if not unread:
        return "In step: nothing to do."
    return f"In step, except: {listed(unread)}\n\nNext: roosync collect --dry-run    (on {', '.join(known)})"


def _next_step(seen: dict[str, Any]) -> str:
    proposal = seen.get("proposal")
    own = [note for row in seen["machines"] if row["machine"] == seen["agent"] for note in row.get("notes", [])]
    if any(note.startswith("revoked") for note in own):
        return "Next: roosync join CODE    (with a code of `roosync invite`, from where the operator's key is)"
    if proposal and proposal["open_questions"]:
        return f"Next: roosync baseline show    ({many(proposal['open_questions'], 'question')} to answer)"
    if proposal:
        return "Next: roosync baseline show, then roosync baseline publish"
    if len(seen["machines"]) < 2:
        return "Next: roosync invite    (a second machine joins)"
    if not seen["baseline_version"]:
        return "Next: roosync baseline propose"
    if held := [row["machine"] for row in seen["machines"] if row["state"] == "quarantined"]:
        return f"Next: roosync quarantine show    (on {', '.join(held)})"
    if seen["pending_decisions"]:
        return "Next: roosync decisions    (what waits for a person)"
    if seen.get("requests_waiting"):
        return "Next: roosync requests    (what a person is asked for)"
    if seen["status"] == "diverged":
        return "Next: roosync diffs"
    if away := [row["machine"] for row in seen["machines"] if row["seen"] == "silent"]:
        return f"Next: roosync up    (on {', '.join(away)})"
    return _in_step(seen) if seen["status"] == "synced" else "Next: roosync compare"


def value_text(value: Any) -> str:
    """A value of a configuration for a person, on one line: secrets by their name, whole otherwise."""
    if isinstance(value, dict) and "$secret" in value:
        return f"<secret {harmless(value['$secret'])}>"
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
