"""How rollouts look on a terminal: the waves as a table, the account of every machine, what happens a line each."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.cli.card_text import card_text
from roosync_agent.cli.choosing import claims_text
from roosync_agent.cli.outcomes_text import (
    DRIFT,
    PENDING,
    SILENT,
    WORDS,
    accounted,
    counted,
    exit_code,
    in_words,
    tallied,
)
from roosync_agent.cli.text import beside_it, next_line, table, table_with_lines
from roosync_agent.columns import columns, hanging, want_colour, width
from roosync_agent.operations.rollouts.words import called
from roosync_agent.wording import heard, tr, trn

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
        idle = tr("Nothing waits for an answer on: {machines}", machines=", ".join(plan["nothing_to_do"]))
        lines += ["", *hung(idle, 2)]
    return "\n".join([*lines, "", *hung(care(plan["pace"]), 2), *claimed(plan)])


def claimed(plan: dict[str, Any]) -> list[str]:
    return hung(claims_text(plan["claims"]), 2) if plan["claims"] else []


def waves_lines(waves: list[list[str]]) -> list[str]:
    """Who begins when: all by name."""
    lines = []
    for number, wave in enumerate(waves, 1):
        word = trn("machine", "machines", len(wave))
        head = f"{tr('Wave {number:<3}', number=number)} {len(wave):>4} {word:<8}  "
        lines += hung(head + ", ".join(wave), columns(head))
    return lines


def care(pace: dict[str, Any]) -> str:
    """The bounds in words."""
    bound, minutes = pace["max_fail_percentage"], f"{pace['timeout_minutes']:g}"
    halts = tr("Halts and asks when one fails")
    if bound:
        halts = tr("Halts and asks when more than {percent}% of a wave fail", percent=f"{bound:g}")
    if not pace["pause_seconds"]:
        return tr("{halts}; {minutes} min for each wave.", halts=halts, minutes=minutes)
    told = {"halts": halts, "minutes": minutes, "seconds": f"{pace['pause_seconds']:g}"}
    return tr("{halts}; {minutes} min for each wave, {seconds} s between two waves.", **told)


def rollout_text(answer: dict[str, Any]) -> str:
    lines = [*hung(head(answer), 2), "", *_waves(answer), "", *accounted(answer["machines"])]
    lines += ["", *hung(counted(answer["machines"]), 2)]
    lines += [part for text in notes(answer) for part in hung(text, 2)]
    return "\n".join([*lines, "", *following(answer["next_steps"])])


def following(steps: list[dict[str, Any]]) -> list[str]:
    """The commands that come next, each with what it does where there are several."""
    room = max((columns(step["command"]) for step in steps), default=0)
    head = next_line("")
    heads = [head, *[" " * columns(head)] * (len(steps) - 1)]
    texts = (f"{harmless(step['command']):{room}}   {harmless(heard(step['does']))}".rstrip() for step in steps)
    return [part for head, text in zip(heads, texts, strict=True) for part in hung(head + text, 10)]


def head(answer: dict[str, Any]) -> str:
    place = {"id": answer["id"], "stands": stands(answer)}
    told = (
        tr("Update {id}: {stands}", **place) if answer["purpose"] == "update" else tr("Rollout {id}: {stands}", **place)
    )
    if answer["round"]:
        told += ", " + trn("tried again {count} time", "tried again {count} times", answer["round"])
    return f"{told} ({harmless(answer['note'])})" if answer["note"] else told


def stands(answer: dict[str, Any]) -> str:
    """The state of a rollout, and its wave."""
    wave = {"wave": answer["wave"], "waves": answer["waves"]}
    return f"{status_of(answer)}, {tr('wave {wave} of {waves}', **wave)}"


def notes(answer: dict[str, Any]) -> list[str]:
    """What a person should know beside the account."""
    lines = [f"! {harmless(heard(answer['waiting_for']))}"] if answer["status"] == "prepared" else []
    lines += [not_signed(id_, why) for id_, why in answer["not_signed"].items()]
    if answer["hanging"]:
        ids = ", ".join(answer["hanging"][:5]) + (" ..." if len(answer["hanging"]) > 5 else "")
        told = trn(
            "{count} decision approved for it, not applied, and not applied any more by itself: {ids}",
            "{count} decisions approved for it, not applied, and not applied any more by itself: {ids}",
            len(answer["hanging"]), ids=ids,
        )  # fmt: skip
        lines.append(f"! {told}")
    if answer["next_wave"]:
        lines.append(tr("The next wave begins at {time} UTC.", time=answer["next_wave"][11:19]))
    refused = [tr("does not count: {line}", line=harmless(heard(line))) for line in answer["refused"]]
    return [*lines, *(f"! {line}" for line in refused)]


def not_signed(id_: str, why: str) -> str:
    return "! " + tr("{id} was not signed: {why}", id=harmless(id_), why=harmless(heard(why)))


def list_text(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"{tr('No rollout was started yet.')}\n\n{next_line('roosync rollout start')}"
    cells = [
        (r["id"], r["purpose"], status_of(r), tr("{number} of {all}", number=r["wave"], all=r["waves"]),
         r["started"][:16].replace("T", " "))
        for r in rows
    ]  # fmt: skip
    heads = (tr("ROLLOUT"), tr("OF"), tr("STATUS"), tr("WAVE"), tr("STARTED (UTC)"))
    open_ = next((r for r in reversed(rows) if r["status"] not in ("done", "stopped")), rows[-1])
    lines = table_with_lines(cells, heads, [f"{tallied(r['counts'])}{': ' * bool(r['note'])}{r['note']}" for r in rows])
    return "\n".join([*lines, "", next_line(f"roosync rollout show {open_['id']}")])


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
        yield status_of(answer)
    for number in range(1, answer["wave"] + 1):
        of = [row for row in answer["machines"] if row["wave"] == number]
        if number > wave:
            wave_of = tr("wave {wave} of {waves}", wave=number, waves=answer["waves"])
            yield f"{wave_of}: {named([row['machine'] for row in of])}"
        ended: dict[tuple[str, str], list[str]] = {}
        for row in of:
            if row["state"] not in (old.get(row["machine"]), *OPEN):
                ended.setdefault((row["state"], row["reason"]), []).append(row["machine"])
        for (state, reason), names in ended.items():
            why = f" ({harmless(heard(reason))})" if reason else ""
            yield "  " + beside_it(tr(WORDS[state][0]), f"{', '.join(names)}{why}")
    if moved and answer["status"] != "running":
        yield status_of(answer)
    if answer["next_wave"] and not (before and before["next_wave"]) and answer["pace"]["pause_seconds"]:
        yield tr("pause until {time} UTC", time=answer["next_wave"][11:19])


def named(names: list[str]) -> str:
    """As many as there is room for in a line, and how many more there are."""
    first, left = ", ".join(names[:NAMED]), len(names) - NAMED
    return trn("{names} and {count} more", "{names} and {count} more", left, names=first) if left > 0 else first


def event_text(line: str) -> str:
    return "\n".join(hung(f"{time.strftime('%H:%M:%S')}  {line}", 12))


# -- inside


def _waves(answer: dict[str, Any]) -> list[str]:
    by_wave: dict[int, list[dict[str, Any]]] = {}
    for row in answer["machines"]:
        by_wave.setdefault(row["wave"], []).append(row)
    rows = [(number, len(of), _wave_state(of)) for number, of in by_wave.items()]
    return table(rows, (tr("WAVE"), tr("MACHINES"), tr("STATE")), colour=want_colour()).split("\n")


def _wave_state(rows: list[dict[str, Any]]) -> str:
    return ", ".join(in_words(Counter(row["state"] for row in rows)))


def status_of(answer: dict[str, Any]) -> str:
    return called(answer["status"])


def hung(text: str, place: int) -> list[str]:
    return hanging(text, width(), place)
