"""How an explanation looks: one sentence first, then where it comes from, then field by field."""

import json
from typing import Any

from roosync_agent.characters import harmless, shell_word
from roosync_agent.cli.text import table
from roosync_agent.columns import hanging, paint, want_colour, width
from roosync_agent.wording import heard, mark, tr, trn

WIDTH = 46  # of a value in the table; `--json` has it whole
FIELDS = 40  # that are shown
# What a version of the baseline did with it.
DID = (
    mark("brought"),
    mark("brought, special to this machine"),
    mark("made special to this machine"),
    mark("made common"),
    mark("taken away"),
    mark("brought back"),
)
STANDS = {"same": mark("same"), "only here": mark("only here")}  # how a field stands to the baseline


def explained_text(answer: dict[str, Any]) -> str:
    lines: list[str] = []
    if answer["kind"] == "entity":
        lines = _entity(answer["entity"])
    elif answer["kind"] == "file":
        for at, file in enumerate(answer["files"]):
            lines += [*([""] if at else []), *_file(file)]
    else:
        asked, why = harmless(answer["asked"]), harmless(heard(answer["reason"]))
        lines += hanging(tr("{name} is not managed here: {why}.", name=asked, why=why), width(), 2)
    if answer["nearest"]:
        lines += ["", tr("Did you mean"), *(f"  roosync explain {shell_word(one)}" for one in answer["nearest"])]
    if answer["not_known"]:
        why = harmless(heard(answer["not_known"]))
        lines += ["", *hanging(tr("! What the fleet says is not known: {why}", why=why), width(), 2)]
    return "\n".join(lines)


def _entity(one: dict[str, Any]) -> list[str]:
    lines = [paint(harmless(heard(one["summary"])), "bold", want_colour()), ""]
    lines += _pairs(
        (tr("next"), heard(one["next"])),
        (tr("why not"), heard(one["skipped"])),
        (tr("file"), one["file"]),
        (tr("target"), _target(one)),
        (tr("from"), heard(one["source"])),
        (tr("because"), heard(one["why"])),
        (tr("had by"), _had_by(one)),
        (tr("agreed on"), heard(one["base"])),
    )
    for change in one["history"]:
        note = f": {change['note']}" if change["note"] else ""
        signed = tr("signed by {name}", name=change["signed_by"])
        told = f"{tr(change['what'])} {_day(change['published'])}, {signed}{note}"
        lines += _pairs((str(change["version"]), told))
    for decision in one["decisions"]:
        lines += _pairs((tr("decision"), _decision(decision)))
    return lines + _fields(one)


def _had_by(one: dict[str, Any]) -> str:
    names = one["had_by"]
    told = {"names": ", ".join(names), "number": len(names), "all": one["of"]}
    return tr("{names} ({number} of {all})", **told) if names else ""


def _target(one: dict[str, Any]) -> str:
    target = tr("{target} of {assistant}", **one) if one["assistant"] else one["target"]
    return target + _declared(one)


def _declared(one: dict[str, Any]) -> str:
    return ", " + tr("your own: {where}", where=heard(one["declared"])) if one["declared"] else ""


def _decision(one: dict[str, Any]) -> str:
    told = [f"{one['id']} {one['status']} {_day(one['when'])}"]
    if one["compared_with"] != "baseline":
        told.append(tr("against {machine}", machine=one["compared_with"].removeprefix("machine:")))
    told.append(tr("{risk} risk", risk=one["risk"]))
    if one["said_yes"]:
        told.append(tr("approved by {names}", names=tr(" and ").join(one["said_yes"])))
    return ", ".join(told)


def _day(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _pairs(*pairs: tuple[str, str]) -> list[str]:
    return [f"  {name:<10} {harmless(text)}" for name, text in pairs if text]


def _fields(one: dict[str, Any]) -> list[str]:
    leaves = one["leaves"]
    if not leaves:
        return []
    compared = any(leaf["baseline"] for leaf in leaves)
    heads = (tr("FIELD"), tr("HERE"), *((tr("BASELINE"),) if compared else ()), tr("A CHANGE IS"), tr("BECAUSE"))
    rows = []
    for leaf in leaves[:FIELDS]:
        agreed = tr(STANDS[leaf["baseline"]]) if leaf["baseline"] in STANDS else _value(leaf["agreed"])
        here = "-" if leaf["absent_here"] else _value(leaf["here"])
        rows.append(
            (leaf["field"] or tr("(text)"), here, *((agreed,) if compared else ()), leaf["risk"], heard(leaf["rule"]))
        )  # fmt: skip
    lines = ["", table(rows, heads, colour=want_colour())]
    if len(leaves) > FIELDS:
        command = f"roosync explain {shell_word(one['key'])} FIELD"
        more = trn(
            "... and {count} more: {command}, or --json",
            "... and {count} more: {command}, or --json",
            len(leaves) - FIELDS,
            command=command,
        )
        lines.append(more)
    notes = [note for leaf in leaves[:FIELDS] for note in _notes(leaf)]
    return [*lines, *([""] if notes else []), *map(harmless, notes)]


def _notes(leaf: dict[str, Any]) -> list[str]:
    name = leaf["field"]
    notes = [
        tr("  {name}: secret {address}, {presence}", name=name, address=address, presence=heard(presence))
        for address, presence in leaf["secrets"].items()
    ]
    notes += [f"  {name}: {heard(leaf['means'])}"] if leaf["means"] else []
    notes += [f"  {name}: {heard(leaf['list_rule'])}"] if leaf["list_rule"] else []
    notes += (
        [tr("  {name}: this one from {names}", name=name, names=", ".join(leaf["brought"]))] if leaf["brought"] else []
    )
    return notes


def _value(value: Any) -> str:
    """Short, and without the inside of a reference: its address is told below."""
    if isinstance(value, dict) and len(value) == 1 and "$secret" in value:
        return tr("(secret)")
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("$parts"), list):
        return _short("".join(tr("(secret)") if isinstance(part, dict) else str(part) for part in value["$parts"]))
    if isinstance(value, str) and "\n" in value:
        number = len(value.splitlines())
        return _short(value.splitlines()[0]) + trn(" ({count} lines)", " ({count} lines)", number)
    return _short(value if isinstance(value, str) and value.strip() else json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _file(one: dict[str, Any]) -> list[str]:
    head = trn(
        "{path}: {target} of {assistant}, {state}; {count} thing managed.",
        "{path}: {target} of {assistant}, {state}; {count} things managed.",
        len(one["entities"]),
        **{**one, "state": heard(one["state"])},
    )
    lines = [paint(harmless(head), "bold", want_colour()), ""]
    lines += _pairs((tr("why"), heard(one["note"])), (tr("found by"), heard(one["rule"]) + _declared(one)))
    if one["entities"]:
        rows = [(key, heard(one["states"].get(key, ""))) for key in one["entities"]]
        lines += ["", table(rows, (tr("THING"), tr("STANDS")), colour=want_colour())]
    lines += [
        tr("! {place} is not read: {reason}", place=harmless(place), reason=harmless(heard(reason)))
        for place, reason in one["unread"].items()
    ]
    if one["unmanaged"]:
        names = ", ".join(one["unmanaged"])
        lines += ["", tr("Not managed, and never touched: {names}", names=harmless(names))]
    if one["entities"]:
        lines += ["", tr("Next: {command}", command=f"roosync explain {shell_word(one['entities'][0])}")]
    return lines
