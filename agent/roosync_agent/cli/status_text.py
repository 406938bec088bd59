"""`roosync status` as text: the fleet at one look, folded to the terminal, the next command last.

The standard library only, as `quick` needs it.
"""

import re
from collections.abc import Iterable
from typing import Any

from roosync_agent.characters import brief, harmless
from roosync_agent.cli.text import TONES, listed, next_line, table, table_with_lines, this_one
from roosync_agent.columns import columns, hanging, paint, width
from roosync_agent.operations.rollouts.words import called
from roosync_agent.wording import heard, tr, trn

_OF_A_WAVE = re.compile(r" waits: (?:wave \d+ of )?(?P<id>\S+) (?:is not open yet|halted, and a person is asked)")


def shown_status(seen: dict[str, Any], *, colour: bool = False) -> str:
    """The fleet as a table, in the words of the founding protocol."""
    room = width()
    head = [
        tr("Fleet {fleet}, seen by {machine}", fleet=harmless(seen["fleet"]), machine=harmless(seen["agent"])),
        *_side_by_side(*_figures(seen), room=room, colour=colour),
    ]
    rows = [
        (
            this_one(row["machine"], seen["agent"]),
            row["seen"],
            brief(row["roosync_version"] or "-"),
            row["baseline_version"] or "-",
            _state(row),
            "-" if row["divergences_count"] is None else row["divergences_count"],
            row["pending_decisions"],
            heard(row["waiting_for"]) or "-",
        )
        for row in seen["machines"]
    ]
    heads = (
        tr("MACHINE"), tr("SEEN"), tr("VERSION"), tr("BASELINE"), tr("STATE"), tr("DIFFS"), tr("PENDING"),
        tr("WAITING FOR"),
    )  # fmt: skip
    if asked := seen.get("requests_waiting"):
        head.append(tr("Requests for a person: {count}", count=asked) + "    (roosync requests)")
    if unread := seen.get("mail_unread"):
        unread_text = tr("Unread mail for {machine}: {count}", machine=seen["agent"], count=unread)
        head.append(f"{unread_text}    (roosync message inbox)")
    for one in seen.get("cycles", []):
        head += _cycle(one, room, colour)
    for one in seen.get("rollouts", []):
        head += _rollout(one, room, colour)
    notes = _notes(seen["machines"])
    notes += map(heard, seen.get("warnings", []))
    told = [line for note in notes for line in hanging(f"! {harmless(note)}", room, 2)]
    last = [line for part in [*_not_shared(seen), "", _next_step(seen)] for line in _lines(part, room)]
    return "\n".join([*head, "", *_machines(rows, heads, room, colour), *([""] if told else []), *told, *last])


def _figures(seen: dict[str, Any]) -> list[tuple[str, str]]:
    """What the fleet is in numbers, each with its tone."""
    count, status = seen["divergences_count"], seen["status"]
    except_unread = status == "synced" and any(map(_unread, seen["machines"]))
    tone = TONES.get(status, "warn") if not except_unread else "warn"
    told = tr("synced, except what was not read") if except_unread else status
    failed = sum(row.get("failed_decisions", 0) for row in seen["machines"])
    pending = tr("Pending decisions: {count}", count=seen["pending_decisions"])
    if failed:
        pending = tr("Pending decisions: {count}, {failed} failed", count=seen["pending_decisions"], failed=failed)
    return [
        (tr("Machines detected: {count}", count=seen["machines_detected"]), ""),
        (tr("Status: {status}", status=told), tone),
        (tr("Divergences: {count}", count=tr("unknown") if count is None else count), ""),
        (pending, ""),
        (tr("Baseline: {version}", version=harmless(seen["baseline_version"] or tr("none yet"))), ""),
    ]


def _machines(rows: list[tuple[Any, ...]], heads: tuple[str, ...], room: int, colour: bool) -> list[str]:
    """The table; what a machine waits for stands below it where the terminal is too narrow for a column of it."""
    whole = table(rows, heads, room=0)
    if not room or max(map(columns, whole.split("\n"))) <= room:
        return table(rows, heads, colour=colour, room=0).split("\n")
    below = ["" if row[-1] == "-" else tr("waits for {whom}", whom=row[-1]) for row in rows]
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
    place = tr("Cycle {id} ({route})", id=harmless(one["id"]), route=one["route"])
    checkpoint = f"CHECKPOINT-{one['checkpoint']}"
    if one["status"] != "waiting":
        return hanging(tr("{cycle}: {checkpoint} is awaited", cycle=place, checkpoint=checkpoint), room, 2)
    level = tr("stopped, level {level}", level=one["stopped"])
    asked = (
        tr("a person is asked: {question}", question=harmless(heard(one["waiting_for"])))
        if one["waiting_for"]
        else tr("what it waited for is there")
    )
    at = tr("{stopped}, at {checkpoint}", stopped=level, checkpoint=checkpoint)
    lines = hanging(f"{place}: {at}; {asked}", room, 2)
    return [line.replace(level, paint(level, "bad", colour)) for line in lines]


def _rollout(one: dict[str, Any], room: int, colour: bool) -> list[str]:
    """A rollout that has not ended, or left something behind: its open wave, or what a person is asked."""
    place = tr("Rollout {id} ({purpose})", id=harmless(one["id"]), purpose=one["purpose"])
    why = harmless(heard(one["waiting_for"]))
    if one["status"] in ("prepared", "stopped"):
        asked = tr("a person is asked: {question}", question=why)
        return hanging(f"{place}: {called(one['status'])}; {asked}", room, 2)
    wave = tr("wave {wave} of {waves}", wave=one["wave"], waves=one["waves"])
    if one["status"] != "waiting":
        return hanging(tr("{rollout}: {wave} is open", rollout=place, wave=wave), room, 2)
    halted = f"{called(one['status'])}, {wave}"
    lines = hanging(f"{place}: {halted}; {why}: `{harmless(one['next_step'])}`", room, 2)
    return [line.replace(halted, paint(halted, "bad", colour)) for line in lines]


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    """What machines say; all those that wait for a rollout in one line, however many they are."""
    notes: list[str] = []
    waiting: dict[str, list[str]] = {}
    for row in rows:
        for note in row.get("notes", []):
            if (found := _OF_A_WAVE.search(note)) is None:
                notes.append(f"{row['machine']}: {heard(note)}")
            elif row["machine"] not in waiting.setdefault(found["id"], []):
                waiting[found["id"]].append(row["machine"])
    told = ((listed(names, 5, ", "), id_) for id_, names in waiting.items())
    return notes + [tr("{machines}: waiting for {rollout}", machines=names, rollout=id_) for names, id_ in told]


def _lines(text: str, room: int) -> list[str]:
    """Each line of a text folded; a command goes on below itself."""
    head = next_line("")
    places = ((line, len(head) if line.startswith(head) else 0) for line in text.split("\n"))
    return [part for line, place in places for part in hanging(line, room, place) or [""]]


def _unread(row: dict[str, Any]) -> int:
    """Being in step is said only of what could be read: how many things of such a machine could not."""
    return len(row.get("unread", ())) + row.get("skipped", 0) if row["state"] == "synced" else 0


def _state(row: dict[str, Any]) -> str:
    told = row["state"]
    if count := _unread(row):
        told = trn("{state}, except {count} not read", "{state}, except {count} not read", count, state=told)
    return tr("{state} (paused)", state=told) if row.get("paused") else str(told)


def _not_shared(seen: dict[str, Any]) -> list[str]:
    """What only single machines have is no divergence (the baseline does not speak of it), and no secret either."""
    apart = [
        tr("{count} on {machine}", count=row["only_here"], machine=row["machine"])
        for row in seen["machines"]
        if row.get("only_here")
    ]
    if not apart:
        return []
    told = tr(
        "Not shared (the baseline does not speak of it, so it is no divergence): {machines}. "
        "`roosync compare` there lists it, `roosync baseline propose` shares it.",
        machines=", ".join(apart),
    )
    return ["", told]


def _in_step(seen: dict[str, Any]) -> str:
    known = {row["machine"]: row.get("notes", []) for row in seen["machines"] if _unread(row)}
    unread = [f"{machine}: {heard(note)}" for machine, notes in known.items() for note in notes if "not read: " in note]
    if not unread:
        return tr("In step: nothing to do.")
    following = next_line("roosync collect --dry-run", _on(known))
    return tr("In step, except: {unread}", unread=listed(unread)) + f"\n\n{following}"


def _on(machines: Iterable[str]) -> str:
    return tr("on {machines}", machines=", ".join(machines))


def _next_step(seen: dict[str, Any]) -> str:
    proposal = seen.get("proposal")
    own = [note for row in seen["machines"] if row["machine"] == seen["agent"] for note in row.get("notes", [])]
    if any(note.startswith("revoked") for note in own):
        return next_line("roosync join CODE", tr("with a code of `roosync invite`, from where the operator's key is"))
    if asked := [one for one in seen.get("cycles", []) if one["status"] == "waiting"]:
        return next_line(harmless(heard(asked[0]["next_step"])))
    if asked := [one for one in seen.get("rollouts", []) if one["next_step"]]:
        return next_line(harmless(heard(asked[-1]["next_step"])))
    if proposal and proposal["open_questions"]:
        questions = trn("{count} question to answer", "{count} questions to answer", proposal["open_questions"])
        return next_line("roosync baseline show", questions)
    if proposal:
        return next_line(tr("roosync baseline show, then roosync baseline publish"))
    if len(seen["machines"]) < 2:
        return next_line("roosync invite", tr("a second machine joins"))
    if not seen["baseline_version"]:
        return next_line("roosync baseline propose")
    if held := [row["machine"] for row in seen["machines"] if row["state"] == "quarantined"]:
        return next_line("roosync quarantine show", _on(held))
    if seen["pending_decisions"] or any(row.get("failed_decisions") for row in seen["machines"]):
        return next_line("roosync decisions", tr("what waits for a person"))
    if seen.get("requests_waiting"):
        return next_line("roosync requests", tr("what a person is asked for"))
    if seen["status"] == "diverged":
        return next_line("roosync diffs")
    if away := [row["machine"] for row in seen["machines"] if row["seen"] == "silent"]:
        return next_line("roosync up", _on(away))
    if any(row["seen"] == "unknown" for row in seen["machines"]):
        return next_line("roosync up", tr("where the broker runs"))
    return _in_step(seen) if seen["status"] == "synced" else next_line("roosync compare")
