"""`roosync status` as text: the fleet at one look, folded to the terminal, the next command last.

The standard library only, as `quick` needs it.
"""

import re
from typing import Any

from roosync_agent.cli.text import (
    TONES,
    brief,
    columns,
    hanging,
    harmless,
    listed,
    many,
    paint,
    table,
    table_with_lines,
    width,
)
from roosync_agent.operations.rollouts.words import called

_OF_A_WAVE = re.compile(r" waits: (?:wave \d+ of )?(?P<id>\S+) (?:is not open yet|halted, and a person is asked)")


def shown_status(seen: dict[str, Any], *, colour: bool = False) -> str:
    """The fleet as a table, in the words of the founding protocol."""
    count = seen["divergences_count"]
    status = seen["status"]
    if status == "synced" and any(map(_not_all, seen["machines"])):
        status = "synced, except what was not read"
    room = width()
    failed = sum(row.get("failed_decisions", 0) for row in seen["machines"])
    head = [
        f"Fleet {harmless(seen['fleet'])}, seen by {harmless(seen['agent'])}",
        *_side_by_side(
            (f"Machines detected: {seen['machines_detected']}", ""),
            (f"Status: {status}", TONES.get(status, "warn")),
            (f"Divergences: {'unknown' if count is None else count}", ""),
            (f"Pending decisions: {seen['pending_decisions']}" + (f", {failed} failed" if failed else ""), ""),
            (f"Baseline: {harmless(seen['baseline_version'] or 'none yet')}", ""),
            room=room,
            colour=colour,
        ),
    ]
    rows = [
        (
            row["machine"] + (" (this one)" if row["machine"] == seen["agent"] else ""),
            row["seen"],
            brief(row["roosync_version"] or "-"),
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
    for one in seen.get("cycles", []):
        head += _cycle(one, room, colour)
    for one in seen.get("rollouts", []):
        head += _rollout(one, room, colour)
    notes = _notes(seen["machines"])
    notes += seen.get("warnings", [])
    told = [line for note in notes for line in hanging(f"! {harmless(note)}", room, 2)]
    last = [line for part in [*_not_shared(seen), "", _next_step(seen)] for line in _lines(part, room)]
    return "\n".join([*head, "", *_machines(rows, heads, room, colour), *([""] if told else []), *told, *last])


def _machines(rows: list[tuple[Any, ...]], heads: tuple[str, ...], room: int, colour: bool) -> list[str]:
    """The table; what a machine waits for stands below it where the terminal is too narrow for a column of it."""
    whole = table(rows, heads)
    if not room or max(map(columns, whole.split("\n"))) <= room:
        return table(rows, heads, colour=colour).split("\n")
    below = ["" if row[-1] == "-" else f"waits for {row[-1]}" for row in rows]
    return table_with_lines([row[:-1] for row in rows], heads[:-1], below, colour=colour)


def _side_by_side(*parts: tuple[str, str], room: int, colour: bool) -> list[str]:
    """Short texts, each with its tone, as many in a line as there is room for."""
    lines, used = [""], 0
    for text, tone in parts:
        name, _, value = text.partition(": ")
        shown, wide = (f"{name}: {paint(value, tone, colour)}" if tone else text), columns(text)
        if used and room and used + 3 + wide > room:
            lines, used = [*lines, shown], wide
        else:
            lines[-1], used = f"{lines[-1]}{'   ' if used else ''}{shown}", used + wide + (3 if used else 0)
    return lines


def _cycle(one: dict[str, Any], room: int, colour: bool) -> list[str]:
    """A cycle that has not ended: the awaited checkpoint, or what a person is asked."""
    place = f"Cycle {harmless(one['id'])} ({one['route']})"
    if one["status"] != "waiting":
        return hanging(f"{place}: CHECKPOINT-{one['checkpoint']} is awaited", room, 2)
    level = f"stopped, level {one['stopped']}"
    asked = (
        f"a person is asked: {harmless(one['waiting_for'])}" if one["waiting_for"] else "what it waited for is there"
    )
    lines = hanging(f"{place}: {level}, at CHECKPOINT-{one['checkpoint']}; {asked}", room, 2)
    return [line.replace(level, paint(level, "bad", colour)) for line in lines]


def _rollout(one: dict[str, Any], room: int, colour: bool) -> list[str]:
    """A rollout that has not ended, or left something behind: its open wave, or what a person is asked."""
    place = f"Rollout {harmless(one['id'])} ({one['purpose']})"
    if one["status"] in ("prepared", "stopped"):
        return hanging(f"{place}: {one['status']}; a person is asked: {one['waiting_for']}", room, 2)
    wave = f"wave {one['wave']} of {one['waves']}"
    if one["status"] != "waiting":
        return hanging(f"{place}: {wave} is open", room, 2)
    halted = f"{called(one['status'])}, {wave}"
    lines = hanging(f"{place}: {halted}; {harmless(one['waiting_for'])}: `{harmless(one['next_step'])}`", room, 2)
    return [line.replace(halted, paint(halted, "bad", colour)) for line in lines]


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    """What machines say; all those that wait for a rollout in one line, however many they are."""
    notes: list[str] = []
    waiting: dict[str, list[str]] = {}
    for row in rows:
        for note in row.get("notes", []):
            if (found := _OF_A_WAVE.search(note)) is None:
                notes.append(f"{row['machine']}: {note}")
            elif row["machine"] not in waiting.setdefault(found["id"], []):
                waiting[found["id"]].append(row["machine"])
    return notes + [f"{listed(names, 5, ', ')}: waiting for {id_}" for id_, names in waiting.items()]


def _lines(text: str, room: int) -> list[str]:
    """Each line of a text folded; a command goes on below itself."""
    return [
        part for line in text.split("\n") for part in hanging(line, room, 6 if line.startswith("Next: ") else 0) or [""]
    ]


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
    if asked := [one for one in seen.get("cycles", []) if one["status"] == "waiting"]:
        return f"Next: {harmless(asked[0]['next_step'])}"
    if asked := [one for one in seen.get("rollouts", []) if one["next_step"]]:
        return f"Next: {harmless(asked[-1]['next_step'])}"
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
    if seen["pending_decisions"] or any(row.get("failed_decisions") for row in seen["machines"]):
        return "Next: roosync decisions    (what waits for a person)"
    if seen.get("requests_waiting"):
        return "Next: roosync requests    (what a person is asked for)"
    if seen["status"] == "diverged":
        return "Next: roosync diffs"
    if away := [row["machine"] for row in seen["machines"] if row["seen"] == "silent"]:
        return f"Next: roosync up    (on {', '.join(away)})"
    if any(row["seen"] == "unknown" for row in seen["machines"]):
        return "Next: roosync up    (where the broker runs)"
    return _in_step(seen) if seen["status"] == "synced" else "Next: roosync compare"
