"""How an explanation looks: one sentence first, then where it comes from, then field by field."""

import json
from typing import Any

from roosync_agent.cli.text import harmless, paint, shell_word, table, want_colour

WIDTH = 46  # of a value in the table; `--json` has it whole
FIELDS = 40  # that are shown


def explained_text(answer: dict[str, Any]) -> str:
    lines: list[str] = []
    if answer["kind"] == "entity":
        lines = _entity(answer["entity"])
    elif answer["kind"] == "file":
        for at, file in enumerate(answer["files"]):
            lines += [*([""] if at else []), *_file(file)]
    else:
        lines.append(f"{harmless(answer['asked'])} is not managed here: {harmless(answer['reason'])}.")
    if answer["nearest"]:
        lines += ["", "Did you mean", *(f"  roosync explain {shell_word(one)}" for one in answer["nearest"])]
    if answer["not_known"]:
        lines += ["", f"! What the fleet says is not known: {harmless(answer['not_known'])}"]
    return "\n".join(lines)


def _entity(one: dict[str, Any]) -> list[str]:
    lines = [paint(harmless(one["summary"]), "bold", want_colour()), ""]
    lines += _pairs(
        ("next", one["next"]),
        ("why not", one["skipped"]),
        ("file", one["file"]),
        ("target", _target(one)),
        ("from", one["source"]),
        ("because", one["why"]),
        ("had by", f"{', '.join(one['had_by'])} ({len(one['had_by'])} of {one['of']})" if one["had_by"] else ""),
        ("agreed on", one["base"]),
    )
    for change in one["history"]:
        note = f": {change['note']}" if change["note"] else ""
        lines += _pairs(
            (f"{change['version']}", f"{change['what']} {_day(change['published'])}, {_signed(change)}{note}")
        )
    for decision in one["decisions"]:
        lines += _pairs(("decision", _decision(decision)))
    return lines + _fields(one)


def _target(one: dict[str, Any]) -> str:
    declared = f", your own: {one['declared']}" if one["declared"] else ""
    return f"{one['target']}{' of ' if one['assistant'] else ''}{one['assistant']}{declared}"


def _signed(change: dict[str, Any]) -> str:
    return f"signed by {change['signed_by']}"


def _decision(one: dict[str, Any]) -> str:
    yes = f", approved by {' and '.join(one['said_yes'])}" if one["said_yes"] else ""
    beside = "" if one["compared_with"] == "baseline" else f", against {one['compared_with'].removeprefix('machine:')}"
    return f"{one['id']} {one['status']} {_day(one['when'])}{beside}, {one['risk']} risk{yes}"


def _day(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _pairs(*pairs: tuple[str, str]) -> list[str]:
    return [f"  {name:<10} {harmless(text)}" for name, text in pairs if text]


def _fields(one: dict[str, Any]) -> list[str]:
    leaves = one["leaves"]
    if not leaves:
        return []
    compared = any(leaf["baseline"] for leaf in leaves)
    heads = ("FIELD", "HERE", *(("BASELINE",) if compared else ()), "A CHANGE IS", "BECAUSE")
    rows = []
    for leaf in leaves[:FIELDS]:
        agreed = leaf["baseline"] if leaf["baseline"] in ("same", "only here") else _value(leaf["agreed"])
        here = "-" if leaf["absent_here"] else _value(leaf["here"])
        rows.append(
            (leaf["field"] or "(text)", here, *((agreed,) if compared else ()), leaf["risk"], leaf["rule"])
        )  # fmt: skip
    lines = ["", table(rows, heads, colour=want_colour())]
    if len(leaves) > FIELDS:
        lines.append(f"... and {len(leaves) - FIELDS} more: roosync explain {shell_word(one['key'])} FIELD, or --json")
    notes = [note for leaf in leaves[:FIELDS] for note in _notes(leaf)]
    return [*lines, *([""] if notes else []), *map(harmless, notes)]


def _notes(leaf: dict[str, Any]) -> list[str]:
    name = leaf["field"]
    notes = [f"  {name}: secret {address}, {presence}" for address, presence in leaf["secrets"].items()]
    notes += [f"  {name}: {leaf['means']}"] if leaf["means"] else []
    notes += [f"  {name}: {leaf['list_rule']}"] if leaf["list_rule"] else []
    notes += [f"  {name}: this one from {', '.join(leaf['brought'])}"] if leaf["brought"] else []
    return notes


def _value(value: Any) -> str:
    """Short, and without the inside of a reference: its address is told below."""
    if isinstance(value, dict) and len(value) == 1 and "$secret" in value:
        return "(secret)"
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("$parts"), list):
        return _short("".join("(secret)" if isinstance(part, dict) else str(part) for part in value["$parts"]))
    if isinstance(value, str) and "\n" in value:
        return f"{_short(value.splitlines()[0])} ({len(value.splitlines())} lines)"
    return _short(value if isinstance(value, str) and value.strip() else json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _file(one: dict[str, Any]) -> list[str]:
    count = len(one["entities"])
    head = f"{one['path']}: {one['target']} of {one['assistant']}, {one['state']}"
    things = f"{count} thing{'' if count == 1 else 's'} managed"
    lines = [paint(harmless(f"{head}; {things}."), "bold", want_colour()), ""]
    lines += _pairs(
        ("why", one["note"]),
        ("found by", f"{one['rule']}" + (f", your own: {one['declared']}" if one["declared"] else "")),
    )
    if one["entities"]:
        rows = [(key, one["states"].get(key, "")) for key in one["entities"]]
        lines += ["", table(rows, ("THING", "STANDS"), colour=want_colour())]
    lines += [f"! {harmless(place)} is not read: {harmless(reason)}" for place, reason in one["unread"].items()]
    if one["unmanaged"]:
        names = ", ".join(one["unmanaged"])
        lines += ["", f"Not managed, and never touched: {harmless(names)}"]
    if one["entities"]:
        lines += ["", f"Next: roosync explain {shell_word(one['entities'][0])}"]
    return lines
