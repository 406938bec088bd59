"""How a diagnosis looks: what is wrong first, each with its reason and its mend; then a line for each area."""

import sys
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.cli.text import next_line
from roosync_agent.columns import folded, hanging, paint, want_colour, width
from roosync_agent.wording import heard, mark, tr, trn

MARKS = {"error": "✗", "warning": "!", "note": "·", "well": "✓", "not looked at": "-"}
PLAIN = {"error": "x", "warning": "!", "note": "-", "well": "ok", "not looked at": "-"}  # where letters are few
TONES = {"error": "bad", "warning": "warn", "note": "dim", "well": "good", "not looked at": "dim"}
AREAS = {
    "settings": mark("settings"),
    "folder": mark("folder"),
    "keys": mark("keys"),
    "agent": mark("agent"),
    "service": mark("service"),
    "broker": mark("broker"),
    "durability": mark("durability"),
    "disk": mark("disk"),
    "unfinished": mark("unfinished"),
    "assistants": mark("assistants"),
    "clocks": mark("clocks"),
    "law": mark("law"),
    "work": mark("work"),
    "machines": mark("machines"),
    "secrets": mark("secrets"),
    "store": mark("store"),
}


def shown_diagnosis(answer: dict[str, Any], *, everything: bool = False) -> str:
    colour, room = want_colour(), width()
    lines: list[str] = []
    for finding in answer["findings"]:
        lines += [*_finding(finding, room, colour), ""]
    for area in answer["areas"]:
        if area["state"] == "well" or everything:
            lines += _area(area, room, colour, everything=everything)
    if not everything:
        lines += _not_looked_at(answer["areas"], room, colour)
    return "\n".join([*lines, "", *_summary(answer)])


def _finding(finding: dict[str, Any], room: int, colour: bool) -> list[str]:
    severity = finding["severity"]
    head = f"{_of_area(finding['area'], heard(finding['says']))}  [{harmless(finding['kind'])}]"
    first, *rest = hanging(f"{_mark(severity)} {head}", room, 4)
    told = [paint(first, TONES[severity], colour), *rest]
    told += folded(_sentence(heard(finding["matters"])), room, 4)
    told += folded(tr("Mend: {mend}", mend=harmless(heard(finding["mend"]))), room, 4)
    if finding["command"]:
        where = tr("on {machines}", machines=harmless(finding["where"])) if finding.get("where") else ""
        told.append(" " * 8 + harmless(finding["command"]) + (f"    ({where})" if where else ""))
    return told


def _area(area: dict[str, Any], room: int, colour: bool, *, everything: bool) -> list[str]:
    state = area["state"]
    says = heard(area["says"])
    if state == "not looked at":
        says = tr("not looked at: {why}", why=says)
    text = _of_area(area["name"], says) if says else _name(area["name"])
    sign = paint(_mark(state), TONES[state], colour)
    first, *rest = hanging(text, room - 4 if room else 0, 4)
    told = [f"{sign} {first}", *rest]
    return [*told, *folded(harmless(heard(area["looks_at"])), room, 4)] if everything else told


def _not_looked_at(areas: list[dict[str, Any]], room: int, colour: bool) -> list[str]:
    """Those of one reason in one line: mostly it is the same for all that need the broker."""
    reasons: dict[str, list[str]] = {}
    for area in areas:
        if area["state"] == "not looked at":
            reasons.setdefault(area["says"], []).append(_name(area["name"]))
    lines = []
    for why, names in reasons.items():
        told = tr("not looked at: {why}", why=harmless(heard(why)))
        told = tr("{area}: {says}", area=", ".join(names), says=told)
        lines += hanging(f"{_mark('not looked at')} {told}", room, 4)
    return [paint(line, "dim", colour) for line in lines]


def _summary(answer: dict[str, Any]) -> list[str]:
    found = [finding["severity"] for finding in answer["findings"]]
    errors, warnings, notes = (found.count(one) for one in ("error", "warning", "note"))
    counts = [
        trn("{count} error", "{count} errors", errors) if errors else "",
        trn("{count} warning", "{count} warnings", warnings) if warnings else "",
        trn("{count} note", "{count} notes", notes) if notes else "",
    ]
    took = tr("looked for {seconds} s", seconds=answer["seconds"])
    if not any(counts):
        return [tr("Nothing is wrong ({took}).", took=took)]
    told = [f"{', '.join(filter(None, counts))} ({took})."]
    if any(finding["safe"] for finding in answer["findings"]):
        told += ["", next_line("roosync doctor --mend", tr("asks before each thing that it does"))]
    elif errors or warnings:
        first = next((one for one in answer["findings"] if one["command"]), None)
        if first is None:
            told += ["", next_line("roosync doctor", tr("when that is done"))]
        else:
            where = tr("on {machines}", machines=harmless(first["where"])) if first.get("where") else ""
            told += ["", next_line(harmless(first["command"]), where)]
    return told


def _name(area: str) -> str:
    return harmless(tr(AREAS.get(area, area)))


def _of_area(area: str, says: str) -> str:
    return tr("{area}: {says}", area=_name(area), says=harmless(says))


def _mark(state: str) -> str:
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    return (MARKS if encoding.startswith("utf") else PLAIN)[state]


def _sentence(text: str) -> str:
    return harmless(text[:1].upper() + text[1:] + ("" if text.endswith(("?", ".")) else "."))
