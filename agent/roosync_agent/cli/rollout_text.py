"""How rollouts look on a terminal: the waves as a table, the account of every machine, what happens a line each."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from roosync_agent.cli.card_text import card_text
from roosync_agent.cli.choosing import claims_text
from roosync_agent.cli.outcomes_text import DRIFT, PENDING, SILENT, WORDS, accounted, counted, exit_code, tallied
from roosync_agent.cli.text import columns, hanging, harmless, many, table, table_with_lines, want_colour, width
from roosync_agent.operations.rollouts.words import called

NAMED = 8  # machines of a wave that are named in the table; the account names all
OPEN = ("awaited", "not_begun")
ENDS = ("done", "stopped", "waiting", "prepared")  # of a rollout that is watched: it goes no further by itself


def plan_text(plan: dict[str, Any]) -> str:
    """What would be signed: each different change once, and who begins when."""
    lines = []
    for shared in plan["cards"]:
        machines = [one["machine"] for one in shared["decisions"]]
        lines += [card_text(shared["card"], following=False, machines=machines), ""]
    lines += waves_lines(plan["waves"])
    if plan["nothing_to_do"]:
        lines += ["", *hung(f"Nothing waits for an answer on: {', '.join(plan['nothing_to_do'])}", 2)]
    return "\n".join([*lines, "", *hung(care(plan["pace"]), 2), *claimed(plan)])


def claimed(plan: dict[str, Any]) -> list[str]:
    return hung(claims_text(plan["claims"]), 2) if plan["claims"] else []


def waves_lines(waves: list[list[str]]) -> list[str]:
    """Who begins when: all by name."""
    lines = []
    for number, wave in enumerate(waves, 1):
        word = "machine" if len(wave) == 1 else "machines"
        lines += hung(f"Wave {number:<3} {len(wave):>4} {word:<8}  {', '.join(wave)}", 24)
    return lines


def care(pace: dict[str, Any]) -> str:
    """The bounds in words."""
    allowed = (
        f"more than {pace['max_fail_percentage']:g}% of a wave fail" if pace["max_fail_percentage"] else "one fails"
    )
    pause = f", {pace['pause_seconds']:g} s between two waves" if pace["pause_seconds"] else ""
    return f"Halts and asks when {allowed}; {pace['timeout_minutes']:g} min for each wave{pause}."


def rollout_text(answer: dict[str, Any]) -> str:
    lines = [*hung(head(answer), 2), "", *_waves(answer), "", *accounted(answer["machines"])]
    lines += ["", *hung(counted(answer["machines"]), 2)]
    lines += [part for text in notes(answer) for part in hung(text, 2)]
    return "\n".join([*lines, "", *following(answer["next_steps"])])


def following(steps: list[dict[str, Any]]) -> list[str]:
    """The commands that come next, each with what it does where there are several."""
    room = max((columns(step["command"]) for step in steps), default=0)
    heads = ["Next: ", *["      "] * (len(steps) - 1)]
    texts = (f"{harmless(step['command']):{room}}   {harmless(step['does'])}".rstrip() for step in steps)
    return [part for head, text in zip(heads, texts, strict=True) for part in hung(head + text, 10)]


def head(answer: dict[str, Any]) -> str:
    what = {"update": "Update"}.get(answer["purpose"], "Rollout")
    again = f", tried again {many(answer['round'], 'time')}" if answer["round"] else ""
    note = f" ({harmless(answer['note'])})" if answer["note"] else ""
    return f"{what} {answer['id']}: {status_of(answer)}, wave {answer['wave']} of {answer['waves']}{again}{note}"


def notes(answer: dict[str, Any]) -> list[str]:
    """What a person should know beside the account."""
    lines = [f"! {harmless(answer['waiting_for'])}"] if answer["status"] == "prepared" else []
    lines += [f"! {harmless(id_)} was not signed: {harmless(why)}" for id_, why in answer["not_signed"].items()]
    if answer["hanging"]:
        ids = ", ".join(answer["hanging"][:5]) + (" ..." if len(answer["hanging"]) > 5 else "")
        lines.append(
            f"! {many(len(answer['hanging']), 'decision')} approved for it, not applied, and not applied any more by "
            f"itself: {ids}"
        )
    if answer["next_wave"]:
        lines.append(f"The next wave begins at {answer['next_wave'][11:19]} UTC.")
    return [*lines, *(f"! does not count: {harmless(line)}" for line in answer["refused"])]


def list_text(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No rollout was started yet.\n\nNext: roosync rollout start"
    cells = [
        (r["id"], r["purpose"], status_of(r), f"{r['wave']} of {r['waves']}", r["started"][:16].replace("T", " "))
        for r in rows
    ]
    heads = ("ROLLOUT", "OF", "STATUS", "WAVE", "STARTED (UTC)")
    open_ = next((r for r in reversed(rows) if r["status"] not in ("done", "stopped")), rows[-1])
    lines = table_with_lines(cells, heads, [f"{tallied(r['counts'])}{': ' * bool(r['note'])}{r['note']}" for r in rows])
    return "\n".join([*lines, "", f"Next: roosync rollout show {open_['id']}"])


def code_of(answer: dict[str, Any]) -> int:
    """0 all ok, 4 any failed or refused, 5 any unreachable, late or awaited, 3 a person signs, 2 not all begun."""
    if answer["status"] == "prepared":
        return PENDING
    code = exit_code(answer["counts"])
    if answer["status"] == "running" and code == DRIFT:  # between two waves: who did not begin will
        return SILENT
    return code or (PENDING if answer["status"] == "waiting" else 0)


def events(before: dict[str, Any] | None, answer: dict[str, Any]) -> Iterator[str]:
    """What happened between two looks, a line each."""
    old = {row["machine"]: row["state"] for row in before["machines"]} if before else {}
    wave = before["wave"] if before else 0
    moved = before is not None and answer["status"] != before["status"]
    if moved and answer["status"] == "running":
        yield "running"
    for number in range(1, answer["wave"] + 1):
        of = [row for row in answer["machines"] if row["wave"] == number]
        if number > wave:
            yield f"wave {number} of {answer['waves']}: {named([row['machine'] for row in of])}"
        ended: dict[tuple[str, str], list[str]] = {}
        for row in of:
            if row["state"] not in (old.get(row["machine"]), *OPEN):
                ended.setdefault((row["state"], row["reason"]), []).append(row["machine"])
        for (state, reason), names in ended.items():
            yield f"  {WORDS[state][0]}: {', '.join(names)}{f' ({harmless(reason)})' if reason else ''}"
    if moved and answer["status"] != "running":
        yield status_of(answer)
    if answer["next_wave"] and not (before and before["next_wave"]) and answer["pace"]["pause_seconds"]:
        yield f"pause until {answer['next_wave'][11:19]} UTC"


def named(names: list[str]) -> str:
    """As many as there is room for in a line, and how many more there are."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def event_text(line: str) -> str:
    return "\n".join(hung(f"{time.strftime('%H:%M:%S')}  {line}", 12))


# -- inside


def _waves(answer: dict[str, Any]) -> list[str]:
    by_wave: dict[int, list[dict[str, Any]]] = {}
    for row in answer["machines"]:
        by_wave.setdefault(row["wave"], []).append(row)
    rows = [(number, len(of), _wave_state(of)) for number, of in by_wave.items()]
    return table(rows, ("WAVE", "MACHINES", "STATE"), colour=want_colour()).split("\n")


def _wave_state(rows: list[dict[str, Any]]) -> str:
    states = Counter(row["state"] for row in rows)
    return ", ".join(f"{states[state]} {word}" for state, (word, *_) in WORDS.items() if states[state])


def status_of(answer: dict[str, Any]) -> str:
    return called(answer["status"])


def hung(text: str, place: int) -> list[str]:
    return hanging(text, width(), place)
